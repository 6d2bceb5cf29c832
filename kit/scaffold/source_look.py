"""A look at a source without a build: its access, its streams, its first rows."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kit.build import HIDDEN, ingest_process, published_entries, safety_findings
from kit.core import Config, IngestError, KitError, Secrets, UnknownName, database
from kit.ingest import IngestProcess, Stream, StreamColumn, delivered_file, land, stream_differences
from kit.mesh import RAW, Context, DataProduct, Source
from kit.scaffold.port_source import raw_file


@dataclass(frozen=True)
class SourceCheck:
    """The result of a check: the id of the source, the kind of its connector, and how it differs from its contract."""

    id: str
    kind: str
    differences: tuple[str, ...]


def check_source(context: Context, id: str) -> SourceCheck:  # noqa: A002
    """Check the access to a source, and compare its columns with its contract; raises `KitError` when it cannot be read.

    A source without a connector is read to its end, and what it returns is discarded.
    """
    product, source = _source(context, id)
    label = f"{product.name}.{RAW}.{source.name}"
    with _process(context.config, product) as process:
        found = process.discover(source.name, label, check=True)
        if found["streams"] is not None:
            last = published_entries(context.config, product, source.name)
            differences = stream_differences(process, source, context.config.storage / RAW, found, last)
            return SourceCheck(label, found["kind"], tuple(differences))
        with TemporaryDirectory(prefix="kit-") as folder:
            try:
                land(process, source, Path(folder))
            except IngestError as error:
                return SourceCheck(label, "", (str(error).removeprefix(f"{label}: "),))
    return SourceCheck(label, "", ())


def discover_source(context: Context, id: str) -> list[Stream]:  # noqa: A002
    """Return what the connector of a source can read; of another source, the columns of what it returns."""
    product, source = _source(context, id)
    with _process(context.config, product) as process:
        found = process.discover(source.name, f"{product.name}.{RAW}.{source.name}")
    if found["streams"] is not None:
        return [Stream.from_json(item) for item in found["streams"]]
    with delivered_file(_process(context.config, product), source.name) as file, TemporaryDirectory(prefix="kit-") as folder:
        typed, raw = Path(folder) / "typed.parquet", raw_file(file.resolve(), (), source.contract.csv)
        raw.write(typed)
        with database.connect() as connection:
            database.add_views(connection, {"typed": [typed]})
            types = database.column_types(connection, "typed")
    return [Stream(source.name, tuple(StreamColumn(raw.names[name], kind) for name, kind in types.items()))]


def preview_source(context: Context, id: str, rows: int) -> tuple[list[str], list[tuple[Any, ...]]]:  # noqa: A002
    """Return the names of the columns and the first rows of a source, as text; hidden columns have no values."""
    product, source = _source(context, id)
    physical = {column.physical_name for column in source.contract.hidden_columns}
    hidden = product.hidden_columns | physical
    with delivered_file(_process(context.config, product), source.name) as file, database.connect() as connection:
        reader = "read_parquet" if file.suffix.lower() == ".parquet" else "read_csv"
        # What a column of text contains is text, whatever it looks like.
        options = "" if reader == "read_parquet" else ", all_varchar = true"
        query = f"select columns(*)::varchar from {reader}({database.file_literal(file)}{options}) limit {rows}"
        found = connection.execute(query)
        columns = [item[0] for item in found.description or ()]
        values = Secrets.from_environment(context.config).scrubbed(found.fetchall())
    return columns, [
        tuple(HIDDEN if name in hidden and value is not None else value for name, value in zip(columns, row, strict=True))
        for row in values
    ]


def _source(context: Context, id: str) -> tuple[DataProduct, Source]:  # noqa: A002
    """The product and the source `PRODUCT.SOURCE`, or `PRODUCT.raw.SOURCE`; raises `UnknownName`."""
    name, _, source = id.partition(".")
    product = context.mesh.product(name)
    source = source.removeprefix(f"{RAW}.")
    for known in product.sources:
        if known.name == source:
            return product, known
    names = ", ".join(f"{name}.{known.name}" for known in product.sources) or "none"
    raise UnknownName(f"'{id}' is no source PRODUCT.SOURCE; '{name}' has: {names}")


def _process(config: Config, product: DataProduct) -> IngestProcess:
    for finding in safety_findings(config, product):
        raise KitError(f"the sources of '{product.name}' are not read: {finding}")
    return ingest_process(config, product)
