"""Holding a table against its contract and expectation suites, with Great Expectations over DuckDB."""

import contextlib
import io
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from kit.contracts import SAMPLES, Check, ConsumerContract, Contract, Query, Rule, leaves_tables, taken_apart
from kit.core import InvalidFile, read_json, sandbox, short
from kit.core import database as work
from kit.mesh import RAW, DataProduct

_SEVERITY = {"error": "critical", "warning": "warning"}


@dataclass(frozen=True)
class AuditTarget:
    """One table to audit: its name in SQL, the contract it must keep, the team's own suite, what its readers need."""

    table: str
    contract: Contract
    suite: Path | None = None
    needs: tuple[ConsumerContract, ...] = ()


def audit(subjects: Sequence[AuditTarget], tables: work.Tables, clock: datetime) -> tuple[Check, ...]:
    """Every rule of the subjects' contracts, suites and needs, held against their data.

    `tables` are the Parquet files behind every name a rule may speak of, the subjects' own included. Columns and types
    come first: where they differ from the contract nothing else is asked of that table, where from a need no more of that need.
    `clock` is the moment the age of the data is measured at. Raises `InvalidFile` for a rule that cannot be run as it stands.
    """
    checks: list[Check] = []
    sound: list[AuditTarget] = []
    with work.connect() as connection:
        work.add_views(connection, tables)
        for subject in subjects:
            found = work.column_types(connection, subject.table)
            problems = subject.contract.schema_problems(found)
            rule = schema_rule(subject.contract)
            checks.append(Check(subject.table, rule, "contract", not problems, observed="; ".join(problems)))
            met = []
            for need in subject.needs:
                lacking = "; ".join(need.column_problems(found))
                checks.append(Check(subject.table, need.columns_rule, "need", not lacking, observed=lacking, note=need.note))
                met += [] if lacking else [need]
            sound += [] if problems else [replace(subject, needs=tuple(met))]
    # Great Expectations prints remarks about queries to standard output, which belongs to the caller.
    with contextlib.redirect_stdout(io.StringIO()):
        with _source(tables) as source:
            for subject in sound:
                checks += _validate(source, subject, [rule for rule in rules(subject, clock) if rule[0] != "need"])
        for subject in sound:
            if subject.needs:
                # Who states a need may read the port, not what it is made of.
                with _source({subject.table: tables[subject.table]}) as source:
                    checks += _validate(source, subject, [rule for rule in rules(subject, clock) if rule[0] == "need"])
    return tuple(checks)


def schema_rule(contract: Contract) -> str:
    """How the check of a table's columns and types is called."""
    return f"has the contract's {len(contract.columns)} columns and types"


def rules(subject: AuditTarget, clock: datetime) -> list[tuple[str, Rule]]:
    """What is asked of a table whose columns and types are right, each with its origin: `contract`, `suite` or `need`.

    Raises `InvalidFile` for a suite that cannot be read.
    """
    found = [("contract", rule) for rule in (*subject.contract.rules, *_latency(subject.contract, clock))]
    found += [("suite", rule) for rule in (read_suite(subject.suite) if subject.suite else ())]
    for need in subject.needs:
        found += [("need", need.asked(rule)) for rule in (*need.contract.rules, *_latency(need.contract, clock))]
    return found


def read_suite(path: Path) -> tuple[Rule, ...]:
    """The expectations of a Great Expectations suite file; raises `InvalidFile`."""
    data = read_json(path)
    expectations = data.get("expectations") if isinstance(data, dict) else None
    if not isinstance(expectations, list) or not expectations:
        raise InvalidFile(f"{short(path)}: must hold a suite with a non-empty list 'expectations'")
    rules = []
    for position, item in enumerate(expectations):
        if not isinstance(item, dict) or not isinstance(item.get("type"), str):
            raise InvalidFile(f"{short(path)}: expectations.{position}: must hold a 'type' such as expect_…")
        severity = item.get("severity", "critical")
        if severity not in ("critical", "warning", "info"):
            raise InvalidFile(
                f"{short(path)}: expectations.{position}.severity: '{severity}' is not one of critical, warning, info"
            )
        kwargs, meta = item.get("kwargs") or {}, item.get("meta") or {}
        if not isinstance(kwargs, dict) or not isinstance(meta, dict):
            raise InvalidFile(f"{short(path)}: expectations.{position}: 'kwargs' and 'meta' must be mappings")
        if problem := leaves_tables(kwargs.get("unexpected_rows_query", "select")):
            raise InvalidFile(f"{short(path)}: expectations.{position}.kwargs.unexpected_rows_query: {problem}")
        rules.append(
            Rule(
                name=_sentence(item["type"], kwargs),
                type=item["type"],
                kwargs=taken_apart(kwargs),
                columns=tuple(filter(None, (kwargs.get("column"),))),
                severity="error" if severity == "critical" else "warning",
                description=str(item.get("description") or meta.get("notes") or ""),
            )
        )
    return tuple(rules)


def _latency(contract: Contract, clock: datetime) -> Iterator[Rule]:
    sla = contract.sla
    if sla.latency and sla.latency_column:
        zoned = any(column.name == sla.latency_column and "time zone" in column.type for column in contract.columns)
        now = clock.replace(tzinfo=UTC) if zoned else clock
        name = f"the newest {sla.latency_column} is at most {_days(sla.latency.total_seconds())} old and not in the future"
        # A day ahead is let pass: the clock may stand for a date, and time zones differ.
        bounds = {"min_value": now - sla.latency, "max_value": now + timedelta(days=1)}
        kwargs = {"column": sla.latency_column, **{key: value.isoformat(sep=" ") for key, value in bounds.items()}}
        yield Rule(name, "expect_column_max_to_be_between", kwargs, (sla.latency_column,))


def _days(seconds: float) -> str:
    return f"{seconds / 86400:g} days" if seconds >= 172_800 else f"{seconds / 3600:g} hours"


def _sentence(kind: str, kwargs: Mapping[str, Any]) -> str:
    words = kind.removeprefix("expect_").replace("_", " ")
    details = ", ".join(f"{k}={v}" for k, v in kwargs.items() if k != "unexpected_rows_query" and v is not None)
    query = " ".join(str(kwargs.get("unexpected_rows_query", "")).split())
    return f"{words}: {details or query[:120]}".rstrip(": ")


@cache
def _context() -> Any:
    """Great Expectations' in-memory context; imported once per process, since that takes seconds."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from sqlalchemy.dialects import registry

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    registry.register("duckdb.kit", "kit.quality.dialect", "PlainDialect")
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context


@contextlib.contextmanager
def _source(tables: work.Tables) -> Iterator[Any]:
    """A data source that knows `tables`, over a DuckDB file of its own.

    Great Expectations keeps connections open at its own discretion; a file nobody else opens makes that harmless.
    """
    from sqlalchemy import URL

    context = _context()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "kit_audit.duckdb"
        with work.connect(database) as connection:
            work.add_views(connection, {**tables, **{_flat(name): files for name, files in tables.items()}})
        sandbox.declare(database, {path for files in tables.values() for path in files})
        url = URL.create("duckdb+kit", database=str(database)).render_as_string()
        source = context.data_sources.add_or_update_sql("work", connection_string=url, create_temp_table=False)
        try:
            yield source
        finally:
            source.get_engine().dispose()
            context.data_sources.delete("work")


def _flat(table: str) -> str:
    """A name without schema, which some metrics of Great Expectations leave out, and never an SQL keyword."""
    return "t_" + table.replace(".", "__")


def _validate(source: Any, subject: AuditTarget, rules: list[tuple[str, Rule]]) -> list[Check]:
    table = subject.table
    asset = source.add_table_asset(table, table_name=_flat(table))
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    expectations = [_expectation(table, rule) for _, rule in rules]
    results = _run(batch, table, expectations, "BASIC")
    failed = [i for i, result in enumerate(results) if not result["success"]]
    detailed = dict(zip(failed, _run_detailed(batch, subject, [expectations[i] for i in failed]), strict=True))
    return [
        _to_check(table, origin, rule, result, detailed.get(i))
        for i, ((origin, rule), result) in enumerate(zip(rules, results, strict=True))
    ]


def _expectation(table: str, rule: Rule) -> dict[str, Any]:
    name = work.quoted(table)
    kwargs = {k: v.of_batch(name) if isinstance(v, Query) else v for k, v in rule.kwargs.items() if v is not None}
    return {"type": rule.type, "kwargs": kwargs, "severity": _SEVERITY[rule.severity]}


def _run(batch: Any, table: str, expectations: list[dict[str, Any]], result_format: Any) -> list[dict[str, Any]]:
    """Results in the order of the expectations; raises `InvalidFile` for one that Great Expectations cannot run."""
    from great_expectations import ExpectationSuite
    from great_expectations.exceptions import GreatExpectationsError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    built = []
    for position, item in enumerate(expectations):
        # The position travels with each expectation, since results come back in another order. Built one by one: given
        # as data, an expectation that cannot be built would only be logged and left out.
        try:
            built.append(ExpectationConfiguration(**item, meta={"position": position}).to_domain_obj())
        except (GreatExpectationsError, TypeError, ValueError) as error:
            raise InvalidFile(f"{table}: {item['type']} cannot be run: {' '.join(str(error).split())[:400]}") from None
    suite = ExpectationSuite(name=table, expectations=built)
    found = [result.to_json_dict() for result in batch.validate(suite, result_format=result_format).results]
    by_position = {result["expectation_config"]["meta"]["position"]: result for result in found}
    if len(by_position) != len(expectations):
        raise InvalidFile(f"{table}: {len(expectations) - len(by_position)} expectations were not run")
    return [by_position[position] for position in range(len(expectations))]


def _run_detailed(batch: Any, subject: AuditTarget, failed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run failed expectations again, one by one, this time for the rows that break them."""
    results = []
    for item in failed:
        complete = item["type"] == "unexpected_rows_expectation"
        result_format: dict[str, Any] = {"result_format": "COMPLETE" if complete else "SUMMARY"}
        if not complete and subject.contract.key:
            result_format["unexpected_index_column_names"] = list(subject.contract.key)
        result_format["partial_unexpected_count"] = SAMPLES
        results += _run(batch, subject.table, [item], result_format)
    return results


def _to_check(table: str, origin: str, rule: Rule, result: dict[str, Any], detailed: dict[str, Any] | None) -> Check:
    observed, failing = _observed(result["result"])
    samples: tuple[dict[str, Any], ...] = ()
    severity = rule.severity
    if detailed is not None:
        samples = _samples(detailed["result"], rule)
        exceptions = result.get("exception_info") or {}
        if not observed and exceptions:
            told = _exception(exceptions)
            observed = told or "no value"
            # A rule of a consumer that nobody can judge says nothing about the provider's data.
            severity = "warning" if told and origin == "need" else severity
    # Some expectations answer with a numpy boolean, which JSON does not know.
    return Check(table, rule.name, origin, bool(result["success"]), severity, observed, failing, samples, rule.description)


def _samples(result: dict[str, Any], rule: Rule) -> tuple[dict[str, Any], ...]:
    """Rows that break a rule, from wherever its kind of expectation puts them."""
    rows = result.get("partial_unexpected_index_list") or (result.get("details") or {}).get("unexpected_rows")
    values = rows or result.get("partial_unexpected_list") or []
    return tuple(dict(row) if isinstance(row, dict) else {", ".join(rule.columns): row} for row in values[:SAMPLES])


def _observed(result: dict[str, Any]) -> tuple[str, int | None]:
    if "unexpected_count" in result:
        count, total = result["unexpected_count"] or 0, result.get("element_count") or 0
        return f"{count:,} of {total:,} rows break it", count
    value = result.get("observed_value")
    if isinstance(value, str):
        return value.removesuffix("T00:00:00"), None
    return ("" if value is None else json.dumps(value, default=str, ensure_ascii=False)), None


def _exception(info: dict[str, Any]) -> str:
    entries = info.values() if "raised_exception" not in info else [info]
    texts = [str(entry.get("exception_message") or "") for entry in entries if isinstance(entry, dict)]
    told = " ".join(" ".join(texts).split())
    return f"could not be evaluated: {sandbox.explain(told)[:300]}" if told else ""


def subjects(product: DataProduct) -> tuple[list[AuditTarget], list[AuditTarget]]:
    """All tables a build audits: raw sources before it transforms anything, ports before it publishes."""
    raw = [AuditTarget(f"{RAW}.{source.name}", source.contract) for source in product.sources]
    return raw, [AuditTarget(port.name, port.contract, port.suite, port.needs) for port in product.ports]


def quarantining(product: DataProduct) -> dict[str, Contract]:
    """The contracts that set rows aside, by the name of their table."""
    raw, ports = subjects(product)
    return {subject.table: subject.contract for subject in raw + ports if subject.contract.quarantining}
