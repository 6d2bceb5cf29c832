"""The files that a new port adds to the folder of a data product."""

import ast
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.contracts import NOT_OFFERED
from kit.core import IDENTIFIER, KitError, Where, appended, mappings, parse_yaml, read_text, read_yaml, with_value, yaml_writer
from kit.mesh import DESCRIPTOR, RAW, Mesh, OutputPort
from kit.scaffold import templates


@dataclass(frozen=True)
class PortFiles:
    """One new port, or a new source, for which `output` is empty.

    `output` and `inputs` are entries of the descriptor, `files` its new files by their path in the folder. A file is a text
    or a path that is copied. `ingest` is a function for `ingest.py`, `imports` the line that it needs there; `reads` a table
    that dbt must know as a source: schema, table and description. `questions` are those that a person decides about columns,
    by their names.
    """

    output: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[dict[str, str], ...] = ()
    files: Mapping[str, str | Path] = field(default_factory=dict)
    ingest: str = ""
    imports: str = ""
    reads: tuple[str, str, str] | None = None
    has_dbt: bool = True
    questions: Mapping[str, str] = field(default_factory=dict)


def output_entry(product: str, port: str, kind: str, reads: list[OutputPort] | None = None) -> dict[str, Any]:
    """The entry of a new port in the descriptor; `reads` are the ports that a notebook reads."""
    entry: dict[str, Any] = {"name": port, "type": kind, "version": "1.0.0", "contractId": f"{product}.{port}"}
    if reads is not None:
        entry["inputContracts"] = [{"id": item.id, "version": str(item.contract.version)} for item in reads]
    return entry


def input_entries(product: str, reads: list[OutputPort]) -> tuple[dict[str, str], ...]:
    """The entries in the descriptor for the ports of other products that a new port reads."""
    return tuple(
        {"name": port.id, "version": str(port.contract.version), "contractId": port.id}
        for port in reads
        if port.id.partition(".")[0] != product
    )


def check_port_name(name: str) -> None:
    """Raise `KitError` for a text that cannot name a port."""
    if not IDENTIFIER.fullmatch(name) or name == RAW:
        raise KitError(f"'{name}' cannot name a port; use a-z, 0-9 and _, a letter first, at most 63, not '{RAW}'")


def check_input(mesh: Mesh, product: str, provider: OutputPort) -> None:
    """Raise `KitError` for a port that is not offered to the product, or is itself made from it."""
    provider_product = provider.id.partition(".")[0]
    if provider_product != product and not provider.contract.is_offered:
        status, owner = provider.contract.status, mesh.product(provider_product)
        raise KitError(
            f"'{provider.id}' is {status}, {NOT_OFFERED[status]}; ask {owner.owner} ({owner.owner_contact}) to finish its "
            "contract and write 'status: active' there"
        )
    if provider_product != product and product in (item.name for item in mesh.select([provider_product], upstream=True)):
        raise KitError(f"'{provider.id}' is itself made from '{product}'; products cannot read each other in a circle")


def add_files(folder: Path, files: PortFiles) -> None:
    """Add a port to the folder of a product; raises `KitError` for a file that is there already."""
    for path, content in files.files.items():
        refuse_existing(folder / path)
        if isinstance(content, Path):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(content, folder / path)
        else:
            write(folder / path, content)
    add_to_descriptor(folder / DESCRIPTOR, files)
    if files.ingest:
        _add_function(folder / "ingest.py", files.ingest, files.imports)
    if files.has_dbt and not (folder / "dbt_project.yml").is_file():
        write(folder / "dbt_project.yml", templates.dbt_project({"tearoom": folder.name}))
    if files.reads:
        _add_dbt_source(folder / "models", *files.reads)


def refuse_existing(path: Path) -> None:
    """Raise `KitError` for a path that exists."""
    if path.exists() or path.is_symlink():
        raise KitError("exists already; nothing was written", path)


def write(path: Path, text: str) -> None:
    """Write a text file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def add_to_descriptor(path: Path, files: PortFiles) -> None:
    """Add the entry of a port, or replace what it says of the inputs of its notebook, and add new inputs."""
    text = read_text(path)
    data = parse_yaml(path, text).data
    known = {item["name"]: item["version"] for item in mappings(data.get("inputPorts"))}
    output = files.output
    if reads := output.get("inputContracts"):  # in the version in which the product declares them already
        output = {**output, "inputContracts": [{**item, "version": known.get(item["id"], item["version"])} for item in reads]}
    names = [item.get("name") for item in mappings(data.get("outputPorts"))]
    if output and output["name"] in names:
        position = names.index(output["name"])
        read = output.get("inputContracts")
        if read is not None and mappings(data["outputPorts"])[position].get("inputContracts") != read:
            text = with_value(path, text, ["outputPorts", position, "inputContracts"], read)
    elif output:
        text = appended(path, text, ["outputPorts"], output, before="team")
    for entry in files.inputs:
        if entry["name"] not in known:
            text = appended(path, text, ["inputPorts"], entry, before="outputPorts")
    path.write_text(text, encoding="utf-8", newline="")


def _add_function(path: Path, code: str, imports: str) -> None:
    text = read_text(path) if path.is_file() else read_text(templates.SAMPLE / "ingest.py").partition("\n")[0] + "\n"
    (name,) = (node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef))
    if re.search(rf"^(def )?{name}\b", text, re.MULTILINE):
        raise KitError(f"{path.name} has a '{name}' already; rename the file it would be read from")
    if imports and imports not in text.splitlines():
        text = _with_import(text, imports)
    path.write_text(f"{text.rstrip()}\n\n\n{code}", encoding="utf-8")


def _with_import(text: str, line: str) -> str:
    """Python code with an import behind its last one, else behind its docstring."""
    body = ast.parse(text).body
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    docstring = [node for node in body[:1] if isinstance(node, ast.Expr)]
    after = max((node.end_lineno or 0 for node in imports or docstring), default=0)
    lines = text.splitlines()
    return "\n".join([*lines[:after], *([] if imports or not after else [""]), line, *lines[after:]])


def _add_dbt_source(models: Path, schema: str, table: str, description: str) -> None:
    """Declare a table as a source of dbt, in the file that declares its schema already, else in `sources.yml`."""
    item = {"name": table, **({"description": description} if description else {})}
    for path in sorted((*models.rglob("*.yml"), *models.rglob("*.yaml"))):
        for number, source in enumerate(mappings(read_yaml(path).data.get("sources"))):
            if source.get("name") == schema:
                if table not in (known.get("name") for known in mappings(source.get("tables"))):
                    where: Where = ["sources", number, "tables"]
                    path.write_text(appended(path, read_text(path), where, item), encoding="utf-8")
                return
    path = models / "sources.yml"
    text = read_text(path) if path.is_file() else ""
    entry = {"name": schema, "tables": [item]}
    new_text = "\n".join(yaml_writer.block({"sources": [entry]})) + "\n"
    write(path, appended(path, text, ["sources"], entry) if text else new_text)
