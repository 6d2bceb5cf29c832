"""Audits of tables by the rules of contracts, suites and consumers, with Great Expectations over DuckDB."""

import contextlib
import io
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from kit.contracts import SAMPLES, Check, ConsumerContract, Rule
from kit.core import InvalidFile, database, sandbox
from kit.quality.audit_target import AuditTarget, consumer_rules, provider_rules, schema_rule
from kit.quality.suite import to_expectation


def audit(targets: Sequence[AuditTarget], tables: database.Tables, clock: datetime) -> tuple[Check, ...]:
    """Check every rule of the targets' contracts, suites and consumers on their data.

    `tables` are the Parquet files of every table that a rule may read, the targets included. Columns and types are
    checked first: where they differ from a contract no other rule of that contract is checked. The age of the data is
    measured at `clock`. Raises `InvalidFile` for a committed suite that is not the one of its contract, and for an
    expectation that Great Expectations cannot run.
    """
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
        with _source(tables) as source:
            for target, _ in sound:
                checks += _validate(source, target, rules[target.table])
        for target, needs in sound:
            if needs:
                # A consumer may read the port, but not the inputs of its provider.
                with _source({target.table: tables[target.table]}) as source:
                    asked = [("need", rule) for need in needs for rule in consumer_rules(need, clock)]
                    checks += _validate(source, target, asked)
    return tuple(checks)


@cache
def _context() -> Any:
    """Return Great Expectations' in-memory context; imported once per process, since that takes seconds."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from sqlalchemy.dialects import registry

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    registry.register("duckdb.kit", "kit.quality.dialect", "PlainDialect")
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context


@contextlib.contextmanager
def _source(tables: database.Tables) -> Iterator[Any]:
    """Yield a data source with views of `tables`, over a DuckDB file of its own.

    Great Expectations may keep connections open; in a file that nobody else opens they do no harm.
    """
    from sqlalchemy import URL

    context = _context()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kit_audit.duckdb"
        with database.connect(file) as connection:
            database.add_views(connection, {**tables, **{_flat(name): files for name, files in tables.items()}})
        sandbox.declare(file, {path for files in tables.values() for path in files})
        url = URL.create("duckdb+kit", database=str(file)).render_as_string()
        source = context.data_sources.add_or_update_sql("work", connection_string=url, create_temp_table=False)
        try:
            yield source
        finally:
            source.get_engine().dispose()
            context.data_sources.delete("work")


def _flat(table: str) -> str:
    """Return a name without schema, which some metrics of Great Expectations leave out, and that is no SQL keyword."""
    return "t_" + table.replace(".", "__")


def _validate(source: Any, target: AuditTarget, rules: list[tuple[str, Rule]]) -> list[Check]:
    table = target.table
    asset = source.add_table_asset(table, table_name=_flat(table))
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    expectations = [to_expectation(rule, database.quoted(table)) for _, rule in rules]
    results = _run(batch, table, expectations, "BASIC")
    failed = [i for i, result in enumerate(results) if not result["success"]]
    detailed = dict(zip(failed, _run_detailed(batch, target, [expectations[i] for i in failed]), strict=True))
    return [
        _to_check(table, origin, rule, result, detailed.get(i))
        for i, ((origin, rule), result) in enumerate(zip(rules, results, strict=True))
    ]


def _run(batch: Any, table: str, expectations: list[dict[str, Any]], result_format: Any) -> list[dict[str, Any]]:
    """Return the results in the order of the expectations; raises `InvalidFile` for one that cannot be run."""
    from great_expectations import ExpectationSuite
    from great_expectations.exceptions import GreatExpectationsError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    objects = []
    for position, item in enumerate(expectations):
        # Each carries its position, since results come back in another order. They are built one by one: from data the
        # suite would log an expectation that cannot be built, and leave it out.
        try:
            objects.append(ExpectationConfiguration(**item, meta={"position": position}).to_domain_obj())
        except (GreatExpectationsError, TypeError, ValueError) as error:
            raise InvalidFile(f"{table}: {item['type']} cannot be run: {' '.join(str(error).split())[:400]}") from None
    suite = ExpectationSuite(name=table, expectations=objects)
    results = [result.to_json_dict() for result in batch.validate(suite, result_format=result_format).results]
    by_position = {result["expectation_config"]["meta"]["position"]: result for result in results}
    if len(by_position) != len(expectations):
        raise InvalidFile(f"{table}: {len(expectations) - len(by_position)} expectations were not run")
    return [by_position[position] for position in range(len(expectations))]


def _run_detailed(batch: Any, target: AuditTarget, failed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run failed expectations again, one by one, for the rows that violate them."""
    results = []
    for item in failed:
        complete = item["type"] == "unexpected_rows_expectation"
        result_format: dict[str, Any] = {"result_format": "COMPLETE" if complete else "SUMMARY"}
        if not complete and target.contract.key:
            result_format["unexpected_index_column_names"] = list(target.contract.key)
        result_format["partial_unexpected_count"] = SAMPLES
        results += _run(batch, target.table, [item], result_format)
    return results


def _to_check(table: str, origin: str, rule: Rule, result: dict[str, Any], detailed: dict[str, Any] | None) -> Check:
    observed, failing = _observed(result["result"])
    samples: tuple[dict[str, Any], ...] = ()
    severity = rule.severity
    if detailed is not None:
        samples = _samples(detailed["result"], rule)
        exceptions = result.get("exception_info") or {}
        if not observed and exceptions:
            error = _error(exceptions)
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


def _error(info: dict[str, Any]) -> str:
    entries = info.values() if "raised_exception" not in info else [info]
    texts = [str(entry.get("exception_message") or "") for entry in entries if isinstance(entry, dict)]
    message = " ".join(" ".join(texts).split())
    return f"could not be evaluated: {sandbox.explain(message)[:300]}" if message else ""
