"""The files of new products and ports: those of the sample domain under other names and with other columns.

The sample (`sample/tearoom`) is a whole domain, which tests build unchanged.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from kit.core import database, read_text, read_yaml, to_json, yaml_writer
from kit.mesh import DESCRIPTOR, OutputPort, Source
from kit.scaffold.asset_notebook import variable

SAMPLE = Path(__file__).parent / "sample" / "tearoom"
OWNER, MAIL, DOMAIN = "Sample Owner", "owner@example.com", "hospitality"
PORT = "tea_sales"

_SOURCE, _STAGING, _ASSET = "tea_receipts", "stg_tea_receipts", "tea_per_day"
_KEPT_FIELDS = (
    "name", "logicalType", "physicalType", "description", "primaryKey", "primaryKeyPosition", "required", "unique",
    "classification", "tags", "logicalTypeOptions",
)  # fmt: skip
_TAKEN = ("kit", "pl", "inputs", "frame")


def sample_files(names: Mapping[str, str]) -> dict[str, str]:
    """Every file of the sample by its path, with names replaced in paths and texts."""
    paths = (path for path in sorted(SAMPLE.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {renamed(str(path.relative_to(SAMPLE)), names): renamed(read_text(path), names) for path in paths}


def empty_product(names: Mapping[str, str]) -> dict[str, str]:
    """The files of a product without inputs and ports."""
    descriptor = re.sub(r"(?ms)^inputPorts:.*?^(?=team:)", "", read_text(SAMPLE / DESCRIPTOR))
    return {DESCRIPTOR: renamed(descriptor, names), "README.md": renamed(read_text(SAMPLE / "README.md"), names)}


def dbt_project(names: Mapping[str, str]) -> str:
    """The `dbt_project.yml` of a product."""
    return renamed(read_text(SAMPLE / "dbt_project.yml"), names)


def renamed(text: str, names: Mapping[str, str]) -> str:
    """A text with whole names replaced, all at once."""
    longest_first = sorted(names, key=len, reverse=True)
    pattern = "|".join(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])" for name in longest_first)
    return re.sub(pattern, lambda match: names[match[0]], text) if names else text


def ingest_function(source: str, place: str, file_name: str) -> str:
    """The function of `ingest.py` that returns the raw file of a source."""
    docstring = f'"""{file_name} as delivered: a path, here from this folder, or a polars frame."""'
    return f"def {source}():\n    {docstring}\n    return {yaml_writer.scalar(place)}\n"


def staging(source: str, columns: Iterable[str]) -> str:
    """The staging model of a raw source: its columns, one to a line."""
    lines = ",\n        ".join(map(sql_name, columns))
    text = renamed(read_text(SAMPLE / f"models/staging/{_STAGING}.sql"), {_SOURCE: source})
    return re.sub(r"(?s)(    select\n        ).*?(\n    from)", lambda match: f"{match[1]}{lines}{match[2]}", text)


def mart(columns: Mapping[str, str], key: Iterable[str], reads: str) -> str:
    """The mart of a port: each column in the type of its contract, the rows in the order of the key.

    `reads` is the relation it selects from, as dbt writes it: `ref('a')` or `source('a', 'b')`.
    """
    types = {name: kind.replace(",", ", ") for name, kind in columns.items()}
    lines = ",\n".join(f"    cast({sql_name(name)} as {kind}) as {sql_name(name)}" for name, kind in types.items())
    order = ", ".join(map(sql_name, key)) or "all"
    text = read_text(SAMPLE / f"models/marts/{PORT}.sql").replace(f"ref('{_STAGING}')", reads)
    text = re.sub(r"(?s)(select\n).*?(\nfrom)", lambda match: f"{match[1]}{lines}{match[2]}", text)
    return re.sub(r"order by .*", f"order by {order}", text)


def notebook(port: str, reads: Iterable[OutputPort]) -> str:
    """An asset notebook that reads ports and outputs the columns of the first of them."""
    data = json.loads(renamed(read_text(SAMPLE / f"notebooks/{_ASSET}.ipynb"), {_ASSET: port}))
    tables: dict[str, str] = {}
    for item in reads:
        tables[item.id] = variable(item.id, (*_TAKEN, *tables.values()))
    first = next(iter(reads))
    columns = ",\n".join(f'    "{column.name}"' for column in first.contract.columns)
    lines = "\n".join(f'{name} = inputs.read("{item}")' for item, name in tables.items())
    sources = {
        "inputs": f"import kit\n\ninputs = kit.inputs()\n{lines}",
        "make": f"frame = {tables[first.id]}.select(\n{columns},\n)",
    }
    for cell in data["cells"]:
        if cell["id"] in sources:
            cell["source"] = sources[cell["id"]].splitlines(keepends=True)
    data["cells"] = [cell for cell in data["cells"] if cell["id"] != "parameters"]
    return to_json(data)


def contract_of(port: OutputPort | Source, identifier: str) -> str:
    """A contract with the columns of a port or source; quality rules, which may name inputs of it, are left out."""
    source = read_yaml(port.contract.path).data
    table = source["schema"][0]
    contract: dict[str, Any] = {
        "apiVersion": source["apiVersion"], "kind": "DataContract", "id": identifier, "version": "1.0.0", "status": "draft",
    }  # fmt: skip
    properties = [{name: item[name] for name in _KEPT_FIELDS if name in item} for item in table["properties"]]
    contract["schema"] = [
        {
            "name": identifier.partition(".")[2], "physicalType": "table", "description": table["description"],
            "properties": properties,
        }
    ]  # fmt: skip
    levels = [item for item in source.get("slaProperties") or [] if item["property"] in ("frequency", "retention")]
    contract |= {"slaProperties": levels} if levels else {}
    return "\n".join(yaml_writer.block(contract)) + "\n"


def sql_name(name: str) -> str:
    """A column's name in SQL, in quotes where SQL reserves it."""
    return f'"{name}"' if name in _keywords() else name


@cache
def _keywords() -> frozenset[str]:
    """The names that SQL reserves."""
    with database.connect() as connection:
        query = "select keyword_name from duckdb_keywords() where keyword_category <> 'unreserved'"
        return frozenset(name for (name,) in connection.execute(query).fetchall())
