"""The files of a raw source that a connector reads: its contract from the stream, its function from the declaration."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kit.build import ingest_process
from kit.contracts import TODO, reads_property
from kit.core import IDENTIFIER, IngestError, KitError, read_text, short, yaml_writer
from kit.ingest import Declaration, IngestProcess, Stream, StreamColumn, connector_class, connector_kinds, identifier
from kit.mesh import RAW, DataProduct
from kit.scaffold import templates
from kit.scaffold.mesh_copy import MeshCopy
from kit.scaffold.port_files import PortFiles

_MARK = re.compile(r"(is_)?(deleted|removed)(_at|_on)?")
_ALIASES = {"postgresql": "postgres"}
_LOGICAL = {
    "boolean": "boolean", "float": "number", "double": "number", "date": "date", "time": "time", "timestamp": "timestamp",
    "timestamp with time zone": "timestamp", "smallint": "integer", "integer": "integer", "bigint": "integer",
}  # fmt: skip


def connector_of(origin: str) -> tuple[str, str] | None:
    """Return the kind of the connector and the rest of an origin `KIND:REST`; None for an origin that names none."""
    kind, colon, rest = origin.partition(":")
    kind = _ALIASES.get(kind, kind)
    return (kind, rest) if colon and kind in connector_kinds() else None


def files_of_stream(copy: MeshCopy, source: str, kind: str, rest: str, *, staged: bool) -> tuple[PortFiles, Mapping[str, str]]:
    """Return the files of a source that a connector reads, and the environment variables that its function needs.

    The connector is asked for its stream in the copy of the product. With `staged` dbt knows the source, and a staging model
    reads it. Raises `KitError` when it cannot be reached, or its stream has a column that no contract can have.
    """
    declaration = connector_class(kind).declare(rest, source, copy.original.domains / copy.product)
    for name, file in declaration.files.items():
        target = copy.folder / name
        if target.is_file() and target.read_bytes() != file.read_bytes():
            raise KitError(f"{short(copy.original_path(target))} is another file than {file}; give it another name")
        shutil.copyfile(file, target)
    path = copy.folder / "ingest.py"
    before = read_text(path) if path.is_file() else None
    path.write_text(_import(kind) + _function(source, kind, declaration, None), encoding="utf-8")
    try:
        with _set(declaration.variables):
            stream = _stream(copy, source, declaration)
    finally:
        path.unlink() if before is None else path.write_text(before, encoding="utf-8")
    id, names = f"{copy.product}.{RAW}.{source}", _names(stream)  # noqa: A001
    files: dict[str, Any] = {f"sources/{source}.odcs.yaml": _contract(id, stream, names)}
    if staged:
        files[f"models/staging/stg_{source}.sql"] = templates.staging(source, names)
    made = PortFiles(
        inputs=({"name": f"{RAW}.{source}", "version": "1.0.0", "contractId": id},),
        files=files,
        ingest=_function(source, kind, declaration, stream),
        imports=_import(kind).strip(),
        reads=(RAW, source, f"{stream.name} as {kind} delivers it.") if staged else None,
        has_dbt=staged,
    )
    return made, declaration.variables


def contract_of_stream(process: IngestProcess, source: str, places: Sequence[str] = ()) -> str | None:
    """Return the draft of a source's contract from the stream that its connector describes, without reading a row.

    None for a source without a connector, and for a connector that does not describe its stream. The source reads `places`.
    """
    id = f"{process.product.name}.{RAW}.{source}"  # noqa: A001
    found = process.discover(source, id)
    if not found["streams"] or not (own := found["stream"]) or not own["columns"]:
        return None
    stream = _readable(Stream.from_json(own))
    return _contract(id, stream, _names(stream), places)


def _stream(copy: MeshCopy, source: str, declaration: Declaration) -> Stream:
    product = DataProduct.load_unfinished(copy.folder)
    with ingest_process(copy.config, product) as process:
        found = process.discover(source, f"{copy.product}.{RAW}.{source}", check=True)
    own = found["stream"] or next((item for item in found["streams"] if item["name"] == declaration.stream), None)
    if own is None:
        names = ", ".join(item["name"] for item in found["streams"]) or "none"
        raise IngestError(f"there is no stream '{declaration.stream}'; there are: {names}")
    return _readable(Stream.from_json(own))


def _readable(stream: Stream) -> Stream:
    """Return a stream all of whose columns a contract can have; raises `IngestError` for another one."""
    if refused := next((column for column in stream.columns if column.problem), None):
        raise IngestError(f"'{refused.name}' {refused.problem}")
    return stream


@contextmanager
def _set(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _import(kind: str) -> str:
    return f"from kit.ingest.connectors import {kind}\n\n\n"


def _function(source: str, kind: str, declaration: Declaration, stream: Stream | None) -> str:
    arguments = ", ".join(f"{name}={_literal(value)}" for name, value in declaration.arguments.items())
    lines = [f"def {source}():", f'    """{declaration.stream or source}, read by {kind}."""']
    if stream and stream.cursors:
        lines.append(
            f"    # To read only what is new, add cursor={_literal(stream.cursors[0])}; it must grow with each change."
        )
        if mark := next((column.name for column in stream.columns if _MARK.fullmatch(column.name)), None):
            lines.append(f"    # To remove rows that are marked there, also add deleted={_literal(mark)}.")
    return "\n".join([*lines, f"    return {kind}({arguments})"]) + "\n"


def _literal(value: object) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_literal(name)}: {_literal(item)}' for name, item in value.items())}}}"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else repr(value)


def _names(stream: Stream) -> dict[str, StreamColumn]:
    """The columns of a stream by their names in the contract; raises `KitError` for two that would have the same one."""
    names: dict[str, StreamColumn] = {}
    for column in stream.columns:
        name = column.name if IDENTIFIER.fullmatch(column.name) else identifier(column.name)
        if name in names:
            raise KitError(f"'{names[name].name}' and '{column.name}' would both be the column {name}; rename one of them")
        names[name] = column
    return names


def _contract(id: str, stream: Stream, names: Mapping[str, StreamColumn], places: Sequence[str] = ()) -> str:  # noqa: A002
    """The contract of a source with the columns of a stream, which reads `places`."""
    grain = stream.description or f"{TODO}One row per …"
    if not stream.key:
        grain = f"{TODO}One row per …; which columns identify it? Write primaryKey: true at them"
    properties = [_property(name, column, stream) for name, column in names.items()]
    table = {"name": id.rpartition(".")[2], "physicalType": "table", "description": grain, "properties": properties}
    head = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": id, "version": "1.0.0", "status": "draft"}
    tail = {"customProperties": [reads_property(*places)]} if places else {}
    return "\n".join(yaml_writer.block({**head, "schema": [table], **tail})) + "\n"


def _property(name: str, column: StreamColumn, stream: Stream) -> dict[str, Any]:
    kind = column.type
    number = "number" if kind.startswith("decimal") else "string"
    entry: dict[str, Any] = {
        "name": name,
        **({"physicalName": column.name} if column.name != name else {}),
        "logicalType": "array" if kind.endswith("[]") else _LOGICAL.get(kind, number),
        "physicalType": kind,
        "description": column.description or f"The column {column.name} of {stream.name}.",
        "required": column.required,
        "classification": f"{TODO}public, internal, confidential or personal?",
    }
    if column.name in stream.key:
        entry |= {"primaryKey": True, "primaryKeyPosition": stream.key.index(column.name) + 1}
    return entry
