"""The files of a new port that is made from an exploration notebook."""

from dataclasses import replace
from pathlib import Path

from kit.build import forbidden, preview_notebook
from kit.core import KitError, NotATable, NotebookError, short
from kit.lineage import external_reads, notebook_reads
from kit.mesh import Context
from kit.notebooks import lint
from kit.scaffold.asset_notebook import AssetNotebook
from kit.scaffold.contract_draft import draft
from kit.scaffold.hidden_names import hidden_names
from kit.scaffold.port_files import PortFiles, check_input, check_port_name, input_entries, output_entry


def files_from_notebook(
    context: Context, product: str, asset: AssetNotebook, path: Path, folder: Path, *, again: bool = False
) -> PortFiles:
    """The files of the port that the notebook at `path` makes; its contract is drafted from one run of it in `folder`.

    Promoted `again` it takes the place of the notebook that is there. Raises `NotebookError` with all reasons why a build
    cannot run it.
    """
    check_port_name(asset.port)
    place = folder / "notebooks" / f"{asset.port}.ipynb"
    providers = [context.mesh.port(item) for item in _reads(context, product, asset, path, place.parent)]
    for provider in providers:
        check_input(context.mesh, product, provider)
    if place.exists() and not again:
        raise KitError("exists already; nothing was written", place)
    place.parent.mkdir(exist_ok=True)
    place.write_text(asset.text, encoding="utf-8")
    try:
        with preview_notebook(context.config, product, place, asset.port, [provider.id for provider in providers]) as staged:
            contract = draft([staged], f"{product}.{asset.port}", hidden=hidden_names(context.config.domains))
    except NotebookError as error:
        error.path = path if error.path == place else error.path
        if error.exception == NotATable.__name__:
            error.problem += "; --frame NAME chooses another frame"
        raise
    finally:
        if not again:
            place.unlink()
    return PortFiles(
        output=output_entry(product, asset.port, "notebook", providers),
        inputs=input_entries(product, providers),
        files={f"contracts/{asset.port}.odcs.yaml": contract, f"notebooks/{asset.port}.ipynb": asset.text},
        has_dbt=False,
    )


def _reads(context: Context, product: str, asset: AssetNotebook, path: Path, folder: Path) -> list[str]:
    """The ports that a notebook reads which is to lie in `folder`, from its text."""
    code = notebook_reads(path, product, path.parent, forbidden(context.config, product))
    left_out = {(install.cell, install.line) for install in asset.installs}
    faults = [fault for fault in code.faults if (fault.cell, fault.line) not in left_out]
    findings = [*faults, *external_reads(product, path, folder)]
    named = {(finding.cell, finding.line) for finding in findings}
    findings += [finding for finding in lint.missing_packages(path) if (finding.cell, finding.line) not in named]
    for read in code.reads:
        if not read.is_exact:
            fix = "write it out, as in kit.read('product.port')"
            findings.append(read.place.finding(product, "computes the name of a port", fix))
    if findings:
        findings.sort(key=lambda finding: (finding.cell or 0, finding.line or 0))
        texts = (str(replace(finding, path=None) if finding.path == path else finding) for finding in findings)
        raise NotebookError("\n  ".join([f"{short(path)} cannot be an asset as it stands:", *texts]))
    return list(dict.fromkeys(read.name for read in code.reads))
