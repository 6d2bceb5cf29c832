"""The contract of a port or source that has, or has not yet, a contract: drafted from its data, added to what people wrote."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kit.build import data_code, ingest_process, preview_model, preview_notebook
from kit.contracts import CsvFormat, Finding, declared_places
from kit.core import KitError, Where, appended, mappings, normal_type, parse_yaml, read_text, read_yaml
from kit.ingest import RawFile, delivered_file
from kit.mesh import DESCRIPTOR, RAW, Context, DataProduct
from kit.scaffold.connector_source import contract_of_stream
from kit.scaffold.contract_draft import draft
from kit.scaffold.hidden_names import hidden_names
from kit.scaffold.port_source import raw_file, source_contract, typed_contract
from kit.storage import Store


@dataclass(frozen=True)
class Redraft:
    """The text of a contract: all of it when there was none, else that of people with the columns `added`.

    `differences` are what else the data has otherwise, which only people can decide.
    """

    path: Path
    text: str
    added: tuple[str, ...]
    differences: tuple[Finding, ...]


def draft_of(
    context: Context,
    id: str,  # noqa: A002
    files: Sequence[Path] = (),
    csv: Sequence[str] = (),
    reads: Sequence[str] = (),
) -> str:
    """Return the draft of `PRODUCT.PORT` or `PRODUCT.raw.SOURCE` from its data as it is now.

    That of a port are `files`, else those of the current snapshot while the code of the product is that which made it, else
    the result of its model or notebook, which is run and discarded. That of a source is the stream that its connector
    describes, else what its function in `ingest.py` returns, which may open the places `reads` and those that contracts of
    sources declare. Neither needs a contract.
    """
    product, _, name = id.partition(".")
    hidden = hidden_names(context.config.domains)
    if name.startswith(f"{RAW}.") and not files:
        unfinished = _unfinished(context, product, sources=False)
        source = name.removeprefix(f"{RAW}.")
        declared = _declared_places(unfinished.folder)
        contract = unfinished.folder / "sources" / f"{source}.odcs.yaml"
        declared[contract] = (*declared.get(contract, ()), *reads)
        with ingest_process(context.config, unfinished, declared) as process:
            if drafted := contract_of_stream(process, source, declared[contract]):
                return drafted
        process = ingest_process(context.config, unfinished, declared)
        with delivered_file(process, source) as file:
            written = CsvFormat.from_document(read_yaml(contract)) if contract.is_file() else None
            raw = raw_file(file.resolve(), csv, written)
            typed = typed_contract(raw, id, hidden)
            places = declared[contract] + (() if process.may_read(file) else (str(raw.path),))
            origin = f"the source {source}" if process.is_temporary(file) else ""
            return source_contract(typed.contract, id, raw, typed.questions, places, origin)
    with _parquet(context, product, name, files) as found:
        return draft(found, id, hidden=hidden)


def _declared_places(folder: Path) -> dict[Path, tuple[str, ...]]:
    """Return the places that each contract of a source declares, also of one in which other fields are missing."""
    paths = sorted((folder / "sources").glob("*.odcs.yaml"))
    return {path: declared_places(read_yaml(path), is_raw=True) for path in paths}


def redraft(path: Path, drafted: str) -> Redraft:
    """Return the contract at `path` with those columns of its draft that it does not have; raises `InvalidFile`."""
    if not path.exists():
        return Redraft(path, drafted, (), ())
    text = read_text(path)
    document = parse_yaml(path, text)
    written = _columns(document.data)
    found = _columns(parse_yaml(path, drafted).data)
    added = [physical for physical in found if physical not in written]
    for physical in added:
        text = appended(path, text, ["schema", 0, "properties"], found[physical])
    at: Where = ["schema", 0, "properties"]
    differences = []
    for position, (physical, column) in enumerate(written.items()):
        name = str(column.get("name"))
        if physical not in found:
            error = document.error([*at, position], f"the data has no column {physical}")
            differences.append(Finding.from_error("", error, "delete it here, or correct the model"))
        elif normal_type(str(column.get("physicalType"))) != normal_type(found[physical]["physicalType"]):
            error = document.error([*at, position], f"{name} is {found[physical]['physicalType']} in the data")
            differences.append(Finding.from_error("", error, "change the type here, or cast it in the model"))
    return Redraft(path, text, tuple(str(found[physical]["name"]) for physical in added), tuple(differences))


def _columns(contract: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The columns by their names in the data."""
    tables = mappings(contract.get("schema"))
    columns = [item for table in tables[:1] for item in mappings(table.get("properties"))]
    return {str(item.get("physicalName") or item.get("name")): item for item in columns}


def _unfinished(context: Context, name: str, *, sources: bool = True) -> DataProduct:
    """A product of which contracts may be missing."""
    folder = context.config.domains / name
    if not folder.is_dir():
        return context.mesh.product(name)  # raises
    with suppress(KitError):
        return context.mesh.product(name)
    return DataProduct.load_unfinished(folder, sources=sources)


@contextmanager
def _parquet(context: Context, name: str, port: str, files: Sequence[Path]) -> Iterator[Sequence[Path]]:
    """Yield the Parquet files that hold the rows of a port."""
    if files:
        with TemporaryDirectory(prefix="kit-") as folder:
            yield [_typed(path, Path(folder) / f"{number}.parquet") for number, path in enumerate(files)]
        return
    config = context.config
    held: list[Path] = []
    try:
        product = _unfinished(context, name)
        snapshot = Store(config.storage).current(name)
        held = sorted((snapshot.folder / port).glob("*.parquet")) if snapshot else []
        is_current = snapshot and (product.partitions or snapshot.manifest.get("code") == data_code(config, product))
    except KitError as error:
        raise _not_drafted(name, port, error, held) from None
    if held and is_current:
        yield held
        return
    with TemporaryDirectory(prefix="kit-") as folder, ExitStack() as stack:
        try:
            if notebook := _notebook(product, port):
                made = stack.enter_context(preview_notebook(config, name, notebook, port, _reads(product, port)))
            else:
                made = preview_model(config, product, port, Path(folder))
        except KitError as error:
            raise _not_drafted(name, port, error, held) from None
        yield [made]


def _typed(path: Path, target: Path) -> Path:
    """Write the rows of a Parquet file in the types in which a source would land them; raises `KitError`."""
    if path.suffix.lower() != ".parquet":
        raise KitError(f"{path} is no Parquet file; `kit new port PRODUCT.PORT --from FILE` drafts a contract for a CSV file")
    raw = RawFile.from_path(path)
    if renamed := [name for proposed, name in raw.names.items() if proposed != name]:
        raise KitError(
            f"{path}: the column '{renamed[0]}' cannot be promised; rename it with a-z, 0-9 and _, a letter first, at most 63"
        )
    raw.write(target)
    return target


def _not_drafted(product: str, port: str, error: KitError, held: Sequence[Path]) -> KitError:
    reason = "has changed since its snapshot" if held else "has no snapshot"
    return KitError(f"'{product}.{port}' {reason}, and {error}; or name Parquet files with --file")


def _notebook(product: DataProduct, port: str) -> Path | None:
    path = product.folder / "notebooks" / f"{port}.ipynb"
    return path if _entry(product, port).get("type") == "notebook" and path.is_file() else None


def _entry(product: DataProduct, port: str) -> dict[str, Any]:
    entries = mappings(read_yaml(product.folder / DESCRIPTOR).data.get("outputPorts"))
    return next((entry for entry in entries if entry.get("name") == port), {})


def _reads(product: DataProduct, port: str) -> list[str]:
    """The ports that a notebook reads, as the descriptor says."""
    entry = _entry(product, port)
    if "inputContracts" in entry:
        return [str(item.get("id")) for item in mappings(entry["inputContracts"])]
    return [item.port for item in product.inputs]
