"""What a new port is made from: a raw file, a port or a notebook, and what that adds to a product."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kit.contracts import CsvFormat
from kit.core import IDENTIFIER, Config, KitError, NotebookError, parse_yaml, short, yaml_writer
from kit.governance import forbidden
from kit.ingest import SUFFIXES, RawFile, identifier, is_raw_file
from kit.lineage import external_reads, notebook_reads
from kit.mesh import RAW, Mesh, OutputPort
from kit.scaffold import templates
from kit.scaffold.asset_notebook import AssetNotebook, to_asset_notebook
from kit.scaffold.contract_draft import draft
from kit.scaffold.notebook_preview import preview_notebook

LARGEST_COPY = 10_000_000
"""Bytes up to which a raw file is copied into the domain; a larger one stays where it is."""


@dataclass(frozen=True)
class PortFiles:
    """What one new port adds to a product.

    `output` and `inputs` are entries of the descriptor, `files` new ones, by their path in the domain folder; `ingest` is a
    function for `ingest.py`; `reads` a table that dbt must know as a source: schema, table and description.
    """

    output: dict[str, Any]
    inputs: tuple[dict[str, str], ...] = ()
    files: Mapping[str, str | Path] = field(default_factory=dict)
    ingest: str = ""
    reads: tuple[str, str, str] | None = None
    has_dbt: bool = True


def piece_of(config: Config, mesh: Mesh, product: str, port: str | None, origin: str, folder: Path) -> PortFiles:
    """What an origin gives to the product in `folder`: a file that is there, or a port of the mesh."""
    path = file_of(origin)
    if path is None:
        found = mesh.port(origin)
        check_port_name(port or found.name)
        return _from_port(mesh, product, port or found.name, found)
    if path.suffix == ".ipynb":
        return from_notebook(config, mesh, product, to_asset_notebook(path, port), path, folder)
    return _from_file(product, port, RawFile.from_path(path))


def file_of(origin: str) -> Path | None:
    """The file that is meant, whether or not it is there; None for what looks like a port."""
    path = Path(origin).expanduser()
    if path.is_dir():
        raise KitError(f"{origin} is a folder; name one file ({', '.join(SUFFIXES)}, .ipynb) or a port")
    if is_raw_file(path) or path.suffix == ".ipynb":
        if not path.is_file():
            raise KitError(f"there is no file {origin}")
        return path.resolve()
    if path.exists() or "." not in origin or "/" in origin:
        raise KitError(f"'{origin}' is neither a file ({', '.join(SUFFIXES)}, .ipynb) nor a port PRODUCT.PORT")
    return None


def _from_file(product: str, port: str | None, raw: RawFile) -> PortFiles:
    """A raw source, its staging model and a mart with the same columns."""
    source = identifier(raw.path.name.partition(".")[0])
    port = port or source
    check_port_name(port)
    check_port_name(source)
    with TemporaryDirectory(prefix="kit-") as folder:
        typed = Path(folder) / "typed.parquet"
        raw.write(typed)
        contract = draft([typed], f"{product}.{port}")
    properties = parse_yaml(raw.path, contract).data["schema"][0]["properties"]
    columns = {item["name"]: item["physicalType"] for item in properties}
    key = sorted((item for item in properties if item.get("primaryKey")), key=lambda item: int(item["primaryKeyPosition"]))
    is_copied = raw.path.stat().st_size <= LARGEST_COPY
    place = f"data/{raw.path.name}" if is_copied else str(raw.path)
    files: dict[str, str | Path] = {
        f"contracts/{port}.odcs.yaml": contract,
        f"sources/{source}.odcs.yaml": _source_contract(contract, f"{product}.{RAW}.{source}", raw),
        f"models/staging/stg_{source}.sql": templates.staging(source, columns),
        f"models/marts/{port}.sql": templates.mart(columns, (item["name"] for item in key), f"ref('stg_{source}')"),
    }
    files |= {place: raw.path} if is_copied else {}
    return PortFiles(
        output=_output(product, port, "dbt"),
        inputs=({"name": f"{RAW}.{source}", "version": "1.0.0", "contractId": f"{product}.{RAW}.{source}"},),
        files=files,
        ingest=templates.ingest_function(source, place, raw.path.name),
        reads=(RAW, source, f"{raw.path.name} as delivered."),
    )


def _source_contract(contract: str, id: str, raw: RawFile) -> str:  # noqa: A002
    """The contract of a source: that of the port made from it, with the names and the CSV format of the raw file."""
    data = parse_yaml(raw.path, contract).data | {"id": id}
    data.pop("slaProperties")
    table = data["schema"][0]
    table |= {"name": id.rpartition(".")[2], "description": f"One row per row of {raw.path.name}, as delivered."}
    for item in table["properties"]:
        raw_name = raw.names[item["name"]]
        item["description"] = f"The column {raw_name} of {raw.path.name}."
        if raw_name != item["name"]:
            item["physicalName"] = raw_name
    for rule in table.get("quality") or []:
        rule["description"] = "As many rows as may come in one delivery."
    if raw.csv != CsvFormat():
        data["customProperties"] = [raw.csv.to_property()]
    return "\n".join(yaml_writer.block(data)) + "\n"


def _from_port(mesh: Mesh, product: str, port: str, provider: OutputPort) -> PortFiles:
    """A mart with the columns of another port, of this product or another one."""
    theirs = provider.id.partition(".")[0]
    own = theirs == product
    if own and provider.notebook is not None:
        raise KitError(
            f"'{provider.id}' is made by a notebook, which runs after dbt; write `kit new notebook {product}.{port}`"
        )
    _no_circle(mesh, product, provider)
    contract = provider.contract
    reads = f"ref('{provider.name}')" if own else f"source('{theirs}', '{provider.name}')"
    columns = {column.name: column.type for column in contract.columns}
    return PortFiles(
        output=_output(product, port, "dbt"),
        inputs=() if own else (_input(provider),),
        files={
            f"contracts/{port}.odcs.yaml": templates.contract_of(provider, f"{product}.{port}"),
            f"models/marts/{port}.sql": templates.mart(columns, contract.key, reads),
        },
        reads=None if own else (theirs, provider.name, ""),
    )


def from_ports(mesh: Mesh, product: str, port: str, found: list[OutputPort]) -> PortFiles:
    """A notebook that reads ports, and hands over the first of them."""
    for item in found:
        _no_circle(mesh, product, item)
    return PortFiles(
        output=_output(product, port, "notebook", found),
        inputs=tuple(_input(item) for item in found if item.id.partition(".")[0] != product),
        files={
            f"contracts/{port}.odcs.yaml": templates.contract_of(found[0], f"{product}.{port}"),
            f"notebooks/{port}.ipynb": templates.notebook(port, found),
        },
        has_dbt=False,
    )


def from_notebook(config: Config, mesh: Mesh, product: str, adopted: AssetNotebook, path: Path, folder: Path) -> PortFiles:
    """What the notebook at `path` adds; its contract is drafted from what it makes when it is run once, in `folder`.

    Raises `NotebookError` with all that keeps a build from running it as it stands.
    """
    check_port_name(adopted.port)
    place = folder / "notebooks" / f"{adopted.port}.ipynb"
    found = [mesh.port(item) for item in _reads(config, mesh, product, path, place.parent)]
    for item in found:
        _no_circle(mesh, product, item)
    if place.exists():
        raise KitError(f"{short(place)} is there already; nothing was written")
    place.parent.mkdir(exist_ok=True)
    place.write_text(adopted.text, encoding="utf-8")
    try:
        with preview_notebook(config, place, adopted.port, [item.id for item in found]) as made:
            contract = draft([made], f"{product}.{adopted.port}")
    except NotebookError as error:
        hint = "; --frame NAME says which frame it makes" if "kit.output takes a" in str(error) else ""
        raise NotebookError(f"{str(error).replace(short(place), short(path))}{hint}") from None
    finally:
        place.unlink()
    return PortFiles(
        output=_output(product, adopted.port, "notebook", found),
        inputs=tuple(_input(item) for item in found if item.id.partition(".")[0] != product),
        files={f"contracts/{adopted.port}.odcs.yaml": contract, f"notebooks/{adopted.port}.ipynb": adopted.text},
        has_dbt=False,
    )


def _reads(config: Config, mesh: Mesh, product: str, path: Path, folder: Path) -> list[str]:
    """The ports read by a notebook that is to lie in `folder`, told from its text."""
    found = notebook_reads(path, product, path.parent, forbidden(config, mesh, product))
    findings = [*found.faults, *external_reads(product, path, folder)]
    reads: dict[str, None] = {}
    for where, pattern in found.reads:
        if ".*" in pattern.pattern:
            fix = "write the name of the port, as in kit.read('product.port')"
            findings.append(where.finding(product, "works out what to read", fix))
        reads[pattern.pattern.replace("\\", "")] = None
    if findings:
        findings.sort(key=lambda finding: (finding.cell or 0, finding.line or 0))
        texts = (str(replace(finding, path=None) if finding.path == path else finding) for finding in findings)
        raise NotebookError("\n  ".join([f"{short(path)} cannot be an asset as it stands:", *texts]))
    return list(reads)


def _output(product: str, port: str, kind: str, reads: list[OutputPort] | None = None) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": port, "type": kind, "version": "1.0.0", "contractId": f"{product}.{port}"}
    if reads is not None:
        entry["inputContracts"] = [{"id": item.id, "version": str(item.contract.version)} for item in reads]
    return entry


def _input(port: OutputPort) -> dict[str, str]:
    return {"name": port.id, "version": str(port.contract.version), "contractId": port.id}


def _no_circle(mesh: Mesh, product: str, provider: OutputPort) -> None:
    theirs = provider.id.partition(".")[0]
    if theirs != product and product in (item.name for item in mesh.select([theirs], upstream=True)):
        raise KitError(f"'{provider.id}' is itself made from '{product}'; products cannot read each other in a circle")


def check_port_name(name: str) -> None:
    """Raise `KitError` for what cannot name a port."""
    if not IDENTIFIER.fullmatch(name) or name == RAW:
        raise KitError(f"'{name}' cannot name a port; use a-z, 0-9 and _, a letter first, at most 63, not '{RAW}'")
