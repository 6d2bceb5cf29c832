"""Which column is made from which, and which columns of a port its consumers use."""

import ast
import csv
import json
import re
from collections.abc import Iterable
from pathlib import Path

from kit.contracts import foreign_key_checks
from kit.core import Config, ContentCache, KitError
from kit.dbt.compiler import statements
from kit.dbt.project import Project
from kit.lineage.sql_columns import Query, understand
from kit.mesh import RAW, DataProduct, Mesh
from kit.notebooks import code_cells


def lineage(config: Config, mesh: Mesh, products: Iterable[DataProduct] | None = None) -> dict[str, tuple[str, ...]]:
    """The columns each column of a dbt model is directly made from; none for a constant or a count of rows.

    Ids are `PRODUCT.TABLE.COLUMN`, where the table of raw data is `raw.SOURCE`. What a notebook makes, and a model that
    cannot be understood, is left out. `products` are those whose models are looked at, by default all.
    """
    found: dict[str, tuple[str, ...]] = {}
    for product in mesh.products if products is None else products:
        served = {item.name: item.port for item in product.inputs}
        for (kind, table), query in _queries(config, mesh, product).items():
            if kind == "model" and query is not None:
                for column, origins in query.made.items():
                    ids = [f"{served.get(name) or f'{product.name}.{name}'}.{origin}" for name, origin in origins]
                    found[f"{product.name}.{table}.{column}"] = tuple(ids)
    return found


def uses(config: Config, mesh: Mesh) -> dict[str, dict[str, frozenset[str] | None]]:
    """For each port the columns that every product reading it uses, by consumer; None where that cannot be told: all.

    A column counts as used where a model, test, foreign key or notebook names it, and where `select *` passes it on to a model.
    """
    found: dict[str, dict[str, frozenset[str] | None]] = {port.id: {} for port in mesh.ports}
    for product in mesh.products:
        queries = _queries(config, mesh, product)
        contracts = [source.contract for source in product.sources] + [port.contract for port in product.ports]
        for item in product.inputs:
            if item.port in found:
                columns = [column.name for column in mesh.port(item.port).contract.columns]
                parts = [
                    {column for table, column in query.used if table == item.name} if query else None
                    for query in queries.values()
                ]
                parts.append(foreign_key_checks.used(contracts, item.name))
                for port in product.ports:
                    if port.notebook is not None and item.port in (read.port for read in port.reads):
                        parts.append(named(port.notebook, columns))
                known = [part for part in parts if part is not None]
                found[item.port][product.name] = frozenset().union(*known) if len(known) == len(parts) else None
    return found


def _queries(config: Config, mesh: Mesh, product: DataProduct) -> dict[tuple[str, str], Query | None]:
    """Every model and SQL test of a product by kind and name, remembered by its SQL; None for what cannot be understood."""
    try:
        texts = {(item.kind, item.name): item.sql for item in statements(config, product) if item.kind != "hook"}
    except KitError:
        return {("model", ""): None}
    tables = {f"{RAW}.{source.name}": [column.name for column in source.contract.columns] for source in product.sources}
    for item in product.inputs:
        try:
            tables[item.name] = [column.name for column in mesh.port(item.port).contract.columns]
        except KitError:  # a broken product's last snapshot still serves, with columns nobody can tell
            return dict.fromkeys(texts)
    tables |= {model.name: _header(model.path) for model in Project.read(product.folder).models if model.path.suffix == ".csv"}
    remembered = ContentCache(config.cache / "columns" / product.name)
    names = {name if kind == "model" else f"{kind} {name}": (kind, name) for kind, name in texts}
    sql = {name: texts[key] for name, key in names.items()}
    key = ContentCache.key(json.dumps([sql, tables], sort_keys=True))
    known = remembered.lookup(key)
    if known is None:
        known = json.dumps({name: query and query.data() for name, query in understand(sql, tables).items()})
        remembered.put(key, known)
    remembered.save()
    return {names[name]: data and Query.of(data) for name, data in json.loads(known).items()}


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file), [])


def named(path: Path, columns: Iterable[str]) -> set[str] | None:
    """The columns a notebook names; None when it names none, or cannot be understood.

    Names it puts together from data are not seen; those of an f-string are, by the parts that are fixed.
    """
    words: set[str] = set()
    patterns = []
    try:
        cells = code_cells(path)
    except KitError:
        return None
    for query in (query for cell in cells for query in cell.queries):
        words |= set(re.findall(r"\w+", query.query.lower()))
    nodes = [node for cell in cells for node in ast.walk(cell.tree)]
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words |= set(re.findall(r"\w+", node.value))
        elif isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            words.add(node.arg)
        elif isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else None for part in node.values]
            if any(parts) and all(re.fullmatch(r"\w*", part or "") for part in parts):
                patterns.append("".join(r"\w*" if part is None else re.escape(part) for part in parts))
    found = {name for name in columns if name in words or any(re.fullmatch(pattern, name) for pattern in patterns)}
    return found or None
