"""The files of a new port that is made from an exploration notebook, and the reads that keep a build from running it."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from kit.build import preview_notebook
from kit.contracts import Finding
from kit.core import KitError, NotATable, NotebookError, short
from kit.governance import forbidden
from kit.lineage import CodePlace, notebook_reads
from kit.mesh import Context
from kit.notebooks import code_cells
from kit.scaffold.asset_notebook import AssetNotebook
from kit.scaffold.contract_draft import draft
from kit.scaffold.port_files import PortFiles, check_acyclic, check_port_name, input_entries, output_entry

_READER = re.compile(r"open|(read|scan)_(?!sql|database)\w+|loadtxt|genfromtxt")
_REMOTE = re.compile(r"[a-z][a-z0-9+]{1,9}://")
_NETWORK = {"requests", "httpx", "aiohttp", "urllib", "urllib3", "boto3", "s3fs", "gcsfs", "ftplib", "paramiko", "socket"}


def files_from_notebook(context: Context, product: str, asset: AssetNotebook, path: Path, folder: Path) -> PortFiles:
    """The files of the port that the notebook at `path` makes; its contract is drafted from one run of it in `folder`.

    Raises `NotebookError` with all reasons why a build cannot run it.
    """
    check_port_name(asset.port)
    place = folder / "notebooks" / f"{asset.port}.ipynb"
    providers = [context.mesh.port(item) for item in _reads(context, product, path, place.parent)]
    for provider in providers:
        check_acyclic(context.mesh, product, provider)
    if place.exists():
        raise KitError("exists already; nothing was written", place)
    place.parent.mkdir(exist_ok=True)
    place.write_text(asset.text, encoding="utf-8")
    try:
        with preview_notebook(context.config, product, place, asset.port, [provider.id for provider in providers]) as staged:
            contract = draft([staged], f"{product}.{asset.port}")
    except NotebookError as error:
        error.path = path if error.path == place else error.path
        if error.exception == NotATable.__name__:
            error.problem += "; --frame NAME chooses another frame"
        raise
    finally:
        place.unlink()
    return PortFiles(
        output=output_entry(product, asset.port, "notebook", providers),
        inputs=input_entries(product, providers),
        files={f"contracts/{asset.port}.odcs.yaml": contract, f"notebooks/{asset.port}.ipynb": asset.text},
        has_dbt=False,
    )


def _reads(context: Context, product: str, path: Path, folder: Path) -> list[str]:
    """The ports that a notebook reads which is to lie in `folder`, from its text."""
    code = notebook_reads(path, product, path.parent, forbidden(context.config, context.mesh, product))
    findings = [*code.faults, *external_reads(product, path, folder)]
    for read in code.reads:
        if not read.is_exact:
            fix = "write it out, as in kit.read('product.port')"
            findings.append(read.place.finding(product, "computes the name of a port", fix))
    if findings:
        findings.sort(key=lambda finding: (finding.cell or 0, finding.line or 0))
        texts = (str(replace(finding, path=None) if finding.path == path else finding) for finding in findings)
        raise NotebookError("\n  ".join([f"{short(path)} cannot be an asset as it stands:", *texts]))
    return list(dict.fromkeys(read.name for read in code.reads))


def external_reads(product: str, path: Path, folder: Path) -> Iterator[Finding]:
    """Find the places where a notebook that is to lie in `folder` reads a file or the network itself.

    Raises `InvalidFile` for what is no notebook.
    """
    for cell in code_cells(path):
        for node in ast.walk(cell.tree):
            place = CodePlace(path, getattr(node, "lineno", None), cell.number)
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                for module in (name.partition(".")[0] for name in names):
                    if module in _NETWORK:
                        message = f"imports {module}, but an asset reads ports only"
                        yield place.finding(product, message, "bring it in as a source (ingest.py)")
                    elif (path.parent / f"{module}.py").is_file() and not (folder / f"{module}.py").is_file():
                        message = f"imports {module}.py, which lies beside it"
                        yield place.finding(product, message, f"copy that to {short(folder)} first")
            elif isinstance(node, ast.Call) and (text := _read(node)):
                target = "the network" if _REMOTE.match(text) else "a file"
                fix = "make a port of it (kit new NAME --from FILE) and read that"
                yield place.finding(product, f"reads {target}, '{text}'", fix)


def _read(call: ast.Call) -> str:
    """The file that a call reads by its name in the text; empty for any other call."""
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    first = call.args[0] if call.args else None
    if isinstance(first, ast.JoinedStr):
        first = next(iter(first.values), None)
    text = first.value if isinstance(first, ast.Constant) else None
    mode = call.args[1] if function == "open" and len(call.args) > 1 else None
    if isinstance(mode, ast.Constant) and str(mode.value)[:1] in "wax":
        return ""
    return text if isinstance(text, str) and _READER.fullmatch(function) else ""
