"""Audits of tables by the rules of contracts, suites and consumers, with Great Expectations over DuckDB."""

import contextlib
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from kit.contracts import SAMPLES, Check, ConsumerContract, Rule
from kit.core import database
from kit.quality.audit_target import AuditTarget, consumer_rules, provider_rules, schema_rule
from kit.quality.counting import counts_only
from kit.quality.evaluation import batch_of, error_of, run, source_of
from kit.quality.suite import to_expectation
from kit.quality.verdicts import Verdicts


def audit(
    targets: Sequence[AuditTarget], tables: database.Tables, clock: datetime, verdicts: Verdicts | None = None
) -> tuple[Check, ...]:
    """Check every rule of the targets' contracts, suites and consumers on their data.

    `tables` are the Parquet files of every table that a rule may read, the targets included. Columns and types are
    checked first: where they differ from a contract no other rule of that contract is checked. The age of the data is
    measured at `clock`. A rule with a result in `verdicts` that still holds is not judged again. Raises `InvalidFile` for a
    committed suite that is not the one of its contract, and for an expectation that Great Expectations cannot run.
    """
    verdicts = verdicts or Verdicts()
    rules = {target.table: provider_rules(target, clock, target.suite) for target in targets}
    checks: list[Check] = []
    sound: list[tuple[AuditTarget, list[ConsumerContract]]] = []
    with database.connect() as connection:
        database.add_views(connection, tables)
        for target in targets:
            columns = database.column_types(connection, target.table)
            problems = target.contract.schema_problems(columns)
            rule = schema_rule(target.contract)
            checks.append(Check(target.table, rule, "contract", not problems, observed="; ".join(problems)))
            needs = []
            for need in target.needs:
                observed = "; ".join(need.column_problems(columns))
                checks.append(Check(target.table, need.columns_rule, "need", not observed, observed=observed, note=need.note))
                needs += [] if observed else [need]
            sound += [] if problems else [(target, needs)]
    # Great Expectations prints remarks about queries to standard output, which belongs to the caller.
    with contextlib.redirect_stdout(io.StringIO()):
        with _LateSource(tables) as source:
            for target, _ in sound:
                checks += _judge(source, target, rules[target.table], verdicts)
        for target, needs in sound:
            # A consumer may read the port, but not the inputs of its provider.
            with _LateSource({target.table: tables[target.table]}) as source:
                asked = [("need", rule) for need in needs for rule in consumer_rules(need, clock)]
                checks += _judge(source, target, asked, verdicts)
    return tuple(checks)


class _LateSource(contextlib.ExitStack):
    """A data source over tables that is made when the first rule is judged: Great Expectations takes seconds to import."""

    def __init__(self, tables: database.Tables) -> None:
        super().__init__()
        self._tables = tables

    @cached_property
    def source(self) -> Any:
        """The data source, until the end of the block."""
        return self.enter_context(source_of(self._tables))


def _judge(late: _LateSource, target: AuditTarget, rules: list[tuple[str, Rule]], verdicts: Verdicts) -> list[Check]:
    """Return the result of each rule: an earlier one that still holds, else that of a validation now."""
    known = [verdicts.find(target, origin, rule) for origin, rule in rules]
    open_rules = [rule for rule, check in zip(rules, known, strict=True) if check is None]
    judged = iter(_validate(late.source, target, open_rules) if open_rules else ())
    return [check or next(judged) for check in known]


def _validate(source: Any, target: AuditTarget, rules: list[tuple[str, Rule]]) -> list[Check]:
    table = target.table
    batch = batch_of(source, table)
    runnable = [replace(rule, assertion=rule.assertion.runnable) for _, rule in rules]
    expectations = [to_expectation(rule, database.quoted(table)) for rule in runnable]
    results = run(batch, table, expectations, counts_only())
    failed = [i for i, result in enumerate(results) if not result["success"]]
    detailed = dict(zip(failed, _run_detailed(batch, target, [expectations[i] for i in failed]), strict=True))
    return [
        _to_check(table, origin, rule, result, detailed.get(i))
        for i, ((origin, rule), result) in enumerate(zip(rules, results, strict=True))
    ]


def _run_detailed(batch: Any, target: AuditTarget, failed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run failed expectations again, one by one, for the rows that violate them."""
    results = []
    for item in failed:
        complete = item["type"] == "unexpected_rows_expectation"
        result_format: dict[str, Any] = {"result_format": "COMPLETE" if complete else "SUMMARY"}
        if not complete and target.contract.key:
            result_format["unexpected_index_column_names"] = list(target.contract.key)
        result_format["partial_unexpected_count"] = SAMPLES
        results += run(batch, target.table, [item], result_format)
    return results


def _to_check(table: str, origin: str, rule: Rule, result: dict[str, Any], detailed: dict[str, Any] | None) -> Check:
    observed, failing = _observed(result["result"])
    samples: tuple[dict[str, Any], ...] = ()
    severity = rule.severity
    if detailed is not None:
        samples = _samples(detailed["result"], rule)
        if not observed and result.get("exception_info"):
            error = error_of(result)
            observed = error or "no value"
            # A rule of a consumer that cannot be evaluated says nothing about the provider's data.
            severity = "warning" if error and origin == "need" else severity
    # Some expectations return a numpy boolean, which is no JSON value.
    return Check(table, rule.name, origin, bool(result["success"]), severity, observed, failing, samples, rule.description)


def _samples(result: dict[str, Any], rule: Rule) -> tuple[dict[str, Any], ...]:
    """Return rows that violate a rule; each kind of expectation has them under another key."""
    rows = result.get("partial_unexpected_index_list") or (result.get("details") or {}).get("unexpected_rows")
    values = rows or result.get("partial_unexpected_list") or []
    columns = ", ".join(rule.assertion.columns)
    return tuple(dict(row) if isinstance(row, dict) else {columns: row} for row in values[:SAMPLES])


def _observed(result: dict[str, Any]) -> tuple[str, int | None]:
    if "unexpected_count" in result:
        count, total = result["unexpected_count"] or 0, result.get("element_count") or 0
        return f"{count:,} of {total:,} rows break it", count
    value = result.get("observed_value")
    if isinstance(value, str):
        return value.removesuffix("T00:00:00"), None
    return ("" if value is None else json.dumps(value, default=str, ensure_ascii=False)), None
