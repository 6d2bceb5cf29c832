"""Proof that the SQL of rules asks tables of its own product only and, of a need, nothing but the port it is about."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kit.audit import read_suite
from kit.config import Config
from kit.contract import Contract
from kit.errors import KitError
from kit.files import short
from kit.product import RAW, DataProduct
from kit.reach import reaches
from kit.rule_query import TABLE, Query
from kit.rules import Rule

_SELF = "kit table"  # what ${table} goes by; nothing of a contract can be called so


@dataclass(frozen=True)
class Asked:
    """`tables` are those that rules name beside their own; `problems` say what they ask that they must not."""

    tables: frozenset[str]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _Query:
    """The SQL of one rule, the file it stands in, and the tables it may ask beside its own."""

    path: Path
    rule: str
    sql: str
    others: frozenset[str]


def asked(config: Config, product: DataProduct) -> Asked:
    """What the rules of a product's contracts and suites, and those it states as needs, ask."""
    queries = tuple(_queries(product))
    tables = {rule.foreign_key.table for contract in _contracts(product) for rule in contract.rules if rule.foreign_key}
    problems = []
    found = reaches(config.cache / "asked" / product.name, [(query.sql, False) for query in queries])
    for query, reached in zip(queries, found, strict=True):
        where = f"{short(query.path)}: '{query.rule}'"
        problems += [f"{where} {fault}" for fault in reached.faults]
        for table in reached.tables:
            if table.lower() in query.others:
                tables.add(table)
            elif table != _SELF:
                allowed = ", ".join((TABLE, *sorted(query.others)))
                problems.append(f"{where} asks '{table}'; it may ask: {allowed}")
    return Asked(frozenset(tables), tuple(problems))


def _contracts(product: DataProduct) -> list[Contract]:
    return [source.contract for source in product.sources] + [port.contract for port in product.ports]


def _queries(product: DataProduct) -> Iterator[_Query]:
    before = frozenset({f"{RAW}.{source.name}" for source in product.sources} | {item.name for item in product.inputs})
    after = before | {name for port in product.ports for name in (port.name, port.id)}
    for source in product.sources:
        yield from _of(source.contract.path, source.contract.rules, before)
    for port in product.ports:
        yield from _of(port.contract.path, port.contract.rules, after)
        if port.suite:
            with suppress(KitError):  # `kit check` tells of every suite that cannot be read
                yield from _of(port.suite, read_suite(port.suite), after)
    for need in product.needs:
        yield from _of(need.contract.path, need.contract.rules, frozenset())


def _of(path: Path, rules: Iterable[Rule], others: frozenset[str]) -> Iterator[_Query]:
    for rule in rules:
        query = rule.kwargs.get("unexpected_rows_query")
        if isinstance(query, Query) and rule.foreign_key is None:
            yield _Query(path, rule.name, query.of(f'"{_SELF}"'), others)
