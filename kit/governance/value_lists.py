"""Lists of values of personal columns: what drafts and people wrote into contracts, suites and YAML of dbt."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kit.contracts import Contract, Finding
from kit.core import Document, KitError, Where, mappings, read_json, read_yaml
from kit.dbt.project import is_contract_test, test_arguments, test_fields, yaml_documents
from kit.mesh import RAW, Context, DataProduct
from kit.storage import Store, hidden_since

_SEEN = re.compile(r"\s*# Seen: ")
_NAME = re.compile(r"\s*(?:- )?name: ['\"]?(\w+)")
_AT = ("schema", 0, "properties")
_FIX = "delete it, and run `kit sync`; if its values say nothing of a person, say so in a description of the rule"


@dataclass(frozen=True)
class _Table:
    """A contract with its hidden columns; those hidden `late` had been published in clear before, or still are."""

    name: str
    path: Path
    hidden: frozenset[str]
    late: frozenset[str]

    def holds(self, column: str, rule: Mapping[str, Any]) -> bool:
        """Return whether a list may be one of values found in the data: nobody has described it, or named it before."""
        is_named = bool(rule.get("name")) and column not in self.late
        return column in self.hidden and not rule.get("description") and not is_named


def check_value_lists(context: Context) -> Iterator[Finding]:
    """Find lists of values of personal columns; `kit prune --personal` does not edit these files.

    Codes that a person has named before the column was classified, or has described, are no values of persons.
    """
    for product in context.mesh.products:
        late, dbt = _late(context, product), dict[str, _Table]()
        for kind, contract in _contracts(product):
            table = _Table(kind, contract.path, frozenset(column.name for column in contract.hidden_columns), late)
            if table.hidden:
                dbt[kind] = table
                yield from _of_contract(product, table)
        for port in product.ports:
            if port.extra_suite and port.id in dbt:
                yield from _of_suite(product, dbt[port.id], port.extra_suite)
        for need in product.needs:
            with suppress(KitError):  # the provider is broken
                provider, contract = context.mesh.product(need.port.partition(".")[0]), context.mesh.port(need.port).contract
                hidden = frozenset(column.name for column in contract.hidden_columns)
                table = _Table(need.port, need.contract.path, hidden, _late(context, provider))
                yield from _of_contract(product, table) if hidden else ()
        if product.has_dbt:
            yield from _of_dbt(product, {name.partition(".")[2]: table for name, table in dbt.items()}, late)


def _contracts(product: DataProduct) -> Iterator[tuple[str, Contract]]:
    yield from ((f"{product.name}.{RAW}.{source.name}", source.contract) for source in product.sources)
    yield from ((port.id, port.contract) for port in product.ports)


def _late(context: Context, product: DataProduct) -> frozenset[str]:
    """The columns that the product has published in clear."""
    try:
        current = Store(context.config.storage).current(product.name)
    except KitError:  # other checks say what is wrong with it
        return product.hidden_columns
    return frozenset(name for name, run in hidden_since(product, current, "now").items() if run) if current else frozenset()


def _of_contract(product: DataProduct, table: _Table) -> Iterator[Finding]:
    document = read_yaml(table.path)
    for position, item in enumerate(mappings(document.data["schema"][0].get("properties"))):
        column, at = str(item.get("name")), (*_AT, position)
        for number, rule in enumerate(mappings(item.get("quality"))):
            values = rule.get("arguments") or {}
            if "validValues" in values and table.holds(column, rule):
                yield _finding(product, table, column, document, [*at, "quality", number], "validValues")
        enum = mappings(item.get("enum"))
        if enum and table.holds(column, {"description": all(value.get("description") for value in enum)}):
            yield _finding(product, table, column, document, [*at, "enum"], "enum")
        if item.get("examples") and column in table.hidden:
            yield _finding(product, table, column, document, [*at, "examples"], "examples")
    column = ""
    for number, line in enumerate(document.text.splitlines(), 1):
        match = _NAME.match(line)
        column = match[1] if match else column
        if _SEEN.match(line) and column in table.hidden:
            message = f"{table.name}: a comment of its draft has values of '{column}', which is hidden"
            yield Finding(product.name, table.path, number, message, "delete it, with its proposal", severity="warning")


def _finding(
    product: DataProduct, table: _Table, column: str, document: Document, where: Where, what: str
) -> Finding:  # fmt: skip
    error = document.error(where, f"{table.name}: {what} lists values of '{column}', which is hidden")
    return replace(Finding.from_error(product.name, error, _FIX), severity="warning")


def _of_suite(product: DataProduct, table: _Table, path: Path) -> Iterator[Finding]:
    suite: Any = {}
    with suppress(KitError):  # the check of expectations names it
        suite = read_json(path)
    for item in mappings(suite.get("expectations") if isinstance(suite, dict) else ()):
        kwargs, meta = item.get("kwargs") or {}, item.get("meta") or {}
        texts = {"description": item.get("description") or meta.get("notes")}
        if kwargs.get("value_set") and table.holds(str(kwargs.get("column")), texts):
            message = f"{table.name}: value_set lists values of '{kwargs['column']}', which is hidden"
            yield Finding(product.name, path, None, message, _FIX, severity="warning")


def _of_dbt(product: DataProduct, tables: Mapping[str, _Table], late: Collection[str]) -> Iterator[Finding]:
    """Lists in YAML of dbt that no contract wrote; models have the columns of sources and ports by name."""
    for path, model, column, item in _column_tests(product.folder):
        table = tables.get(model) or _Table(f"{product.name}.{model}", path, product.hidden_columns, frozenset(late))
        test = test_fields(item)
        is_list = str(test.get("test_name")).rpartition(".")[2] == "accepted_values" and test_arguments(test).get("values")
        if is_list and not is_contract_test(item) and table.holds(column, test):
            message = f"{table.name}: accepted_values lists values of '{column}', which is hidden"
            yield Finding(product.name, path, None, message, _FIX, severity="warning")


def _column_tests(folder: Path) -> Iterator[tuple[Path, str, str, Any]]:
    """Yield the tests of columns in all YAML files of a dbt project, with file, table and column."""
    for name, data in yaml_documents(folder):
        tables = [item for kind in ("models", "snapshots", "seeds") for item in mappings(data.get(kind))]
        sources = [table for source in mappings(data.get("sources")) for table in mappings(source.get("tables"))]
        for entry in (*tables, *sources):
            for column in mappings(entry.get("columns")):
                items = column.get("data_tests") or column.get("tests")
                for item in items if isinstance(items, list) else ():
                    yield folder / name, str(entry.get("name")), str(column.get("name")), item
