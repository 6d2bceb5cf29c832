"""Checks that an audit can run the expectations and queries that people write: in suites, and in rules of contracts."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from kit.contracts import Assertion, Contract, Finding, quality_items, written_query
from kit.core import ContentCache, KitError, read_yaml
from kit.mesh import RAW, Context, DataProduct
from kit.quality import AuditTarget, Trials, audit_targets, suite


def check_expectations(context: Context, product: DataProduct, cache: ContentCache) -> Iterator[Finding]:
    """Find all expectations and queries of a product that its build could not run on the tables that its audit has."""
    offered = {port.id: port.contract for port in context.mesh.ports}
    raw_targets, port_targets = audit_targets(product)
    raw = {item.name: offered[item.port] for item in product.inputs if item.port in offered}
    raw |= {f"{RAW}.{source.name}": source.contract for source in product.sources}
    own = {name: port.contract for port in product.ports for name in (port.name, port.id)}
    for targets, tables in ((raw_targets, raw), (port_targets, raw | own)):
        yield from _check_targets(product, targets, tables, cache)


def _check_targets(
    product: DataProduct, targets: list[AuditTarget], tables: Mapping[str, Contract], cache: ContentCache
) -> Iterator[Finding]:
    with Trials(tables, cache) as trials:
        for target in targets:
            yield from _check_rules(product.name, target.contract, target.table, trials)
            for need in target.needs:
                yield from _check_rules(need.consumer, need.contract, target.table, trials)
            if target.extra_suite is not None:
                yield from _check_suite(product, target, target.extra_suite, trials)


def _check_rules(product: str, contract: Contract, table: str, trials: Trials) -> Iterator[Finding]:
    """Check the queries and custom rules of a contract, of the product that has the table or of one that reads it."""
    document = read_yaml(contract.path)
    for where, item in quality_items(document.data["schema"][0]):
        kind, field = item.get("type"), "implementation"
        if kind == "custom":
            implementation = item[field]
            assertion = Assertion.from_expectation(implementation["type"], implementation.get("kwargs", {}))
            named, problem = _named(assertion), trials.problem(table, assertion)
        elif kind == "sql":
            named, field = "it", "query"
            problem = trials.query_problem(table, written_query(item))
        else:
            continue
        if problem:
            yield Finding.from_error(product, document.error([*where, field], f"{named} {problem}"))


def _check_suite(product: DataProduct, target: AuditTarget, path: Path, trials: Trials) -> Iterator[Finding]:
    """Check every expectation of a suite that the team writes."""
    try:
        rules = suite.extra_rules(path)
    except KitError as error:
        yield Finding.from_error(product.name, error)
        return
    columns = {column.name for column in target.contract.columns}
    for position, rule in enumerate(rules):
        if unknown := [column for column in rule.assertion.columns if column not in columns]:
            known = ", ".join(sorted(columns))
            message = f"'{rule.name}' names the column '{unknown[0]}'; the columns are: {known}"
            yield Finding(product.name, path, None, message)
        elif problem := trials.problem(target.table, rule.assertion):
            yield Finding(product.name, path, None, f"expectations.{position}: {_named(rule.assertion)} {problem}")


def _named(assertion: Assertion) -> str:
    return "unexpected_rows_query" if assertion.query else assertion.expectation
