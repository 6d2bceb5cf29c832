"""Expectation suites of Great Expectations: written from contracts, read for audits."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kit.contracts import Assertion, BadArgument, Contract, Query, Rule, columns_of
from kit.core import InvalidFile, read_json, read_text, short
from kit.mesh import DataProduct

_SEVERITIES = {"error": "critical", "warning": "warning"}


def files(product: DataProduct) -> dict[Path, str]:
    """Return the text of the committed suite of each port, by its path."""
    return {port.suite: to_text(from_contract(port.contract)) for port in product.ports}


def from_contract(contract: Contract) -> dict[str, Any]:
    """Return the suite of a contract, for `great_expectations.ExpectationSuite(**suite)`.

    It leaves out the latency, which depends on the clock. `meta` of an expectation holds the name of its rule, and its
    columns where the arguments do not name them.
    """
    return {
        "name": contract.id,
        "meta": {"contract": contract.id, "version": str(contract.version), "written_by": "kit sync"},
        "expectations": [_from_rule(rule) for rule in contract.rules],
    }


def to_text(suite: Mapping[str, Any]) -> str:
    """Return a suite as JSON, one expectation a line."""
    fields = [f" {_json(name)}: {_json(value)}" for name, value in suite.items() if name != "expectations"]
    lines = ",\n".join(f"  {_json(item)}" for item in suite["expectations"])
    return "{\n" + ",\n".join([*fields, f' "expectations": [\n{lines}\n ]']) + "\n}\n"


def contract_rules(contract: Contract, committed: Path | None = None) -> tuple[Rule, ...]:
    """Return the rules of a contract as its suite holds them: the committed one, if it has one.

    Raises `InvalidFile` if the committed suite is not the one that `kit sync` writes.
    """
    suite = from_contract(contract)
    if committed is not None:
        if not committed.is_file():
            raise InvalidFile("is missing; run `kit sync`", committed)
        if read_text(committed) != to_text(suite):
            raise InvalidFile(f"differs from {short(contract.path)}; run `kit sync`", committed)
        suite = read_json(committed)
    return tuple(_to_rule(item) for item in suite["expectations"])


def check_committed(product: DataProduct) -> None:
    """Raise `InvalidFile` for a committed suite that is not the one that `kit sync` writes."""
    for port in product.ports:
        contract_rules(port.contract, port.suite)


def extra_rules(path: Path) -> tuple[Rule, ...]:
    """Return the rules of a suite that people write; raises `InvalidFile`."""
    suite = read_json(path)
    if not isinstance(suite, dict) or not isinstance(suite.get("expectations"), list) or not suite["expectations"]:
        raise InvalidFile("must hold a suite with a non-empty list 'expectations'", path)
    return tuple(_extra_rule(item, path, f"expectations.{i}") for i, item in enumerate(suite["expectations"]))


def to_expectation(rule: Rule, table: str = "{batch}") -> dict[str, Any]:
    """Return a rule as an expectation in JSON values; a query in it is one on `table`, given as SQL."""
    kwargs = {
        name: value.suite_text(table) if isinstance(value, Query) else value
        for name, value in rule.assertion.kwargs.items() if value is not None
    }  # fmt: skip
    return {"type": rule.assertion.expectation, "kwargs": kwargs, "severity": _SEVERITIES[rule.severity]}


def _from_rule(rule: Rule) -> dict[str, Any]:
    assertion = rule.assertion
    columns = {} if assertion.columns == columns_of(assertion.kwargs) else {"columns": list(assertion.columns)}
    notes = {"notes": rule.description} if rule.description else {}
    return {**to_expectation(rule), "meta": {"rule": rule.name, **columns, **notes}}


def _to_rule(item: dict[str, Any]) -> Rule:
    """Return the rule that `_from_rule` wrote."""
    assertion, meta = Assertion.from_expectation(item["type"], item["kwargs"]), item["meta"]
    severity = "warning" if item["severity"] == "warning" else "error"
    columns = tuple(meta.get("columns", assertion.columns))
    return Rule(meta["rule"], replace(assertion, columns=columns), severity, meta.get("notes", ""))


def _extra_rule(item: Any, path: Path, field: str) -> Rule:
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        raise InvalidFile("must hold a 'type' such as expect_…", path, field=field)
    severity = item.get("severity", "critical")
    if severity not in ("critical", "warning", "info"):
        raise InvalidFile(f"'{severity}' is not one of critical, warning, info", path, field=f"{field}.severity")
    kwargs, meta = item.get("kwargs") or {}, item.get("meta") or {}
    if not isinstance(kwargs, dict) or not isinstance(meta, dict):
        raise InvalidFile("'kwargs' and 'meta' must be mappings", path, field=field)
    try:
        assertion = Assertion.from_expectation(item["type"], kwargs)
    except BadArgument as error:
        raise InvalidFile(str(error), path, field=f"{field}.kwargs.{error.argument}") from None
    return Rule(
        name=_name(item["type"], kwargs),
        assertion=assertion,
        severity="error" if severity == "critical" else "warning",
        description=str(item.get("description") or meta.get("notes") or ""),
    )


def _name(expectation: str, kwargs: Mapping[str, Any]) -> str:
    """Return the name of an expectation that people wrote: its type and arguments, or its query."""
    words = expectation.removeprefix("expect_").replace("_", " ")
    details = ", ".join(f"{k}={v}" for k, v in kwargs.items() if k != "unexpected_rows_query" and v is not None)
    query = " ".join(str(kwargs.get("unexpected_rows_query", "")).split())
    return f"{words}: {details or query[:120]}".rstrip(": ")


def _json(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)
