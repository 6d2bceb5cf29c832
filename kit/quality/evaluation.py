"""Great Expectations over DuckDB: data sources over Parquet files, and the evaluation of expectations on them."""

import contextlib
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from kit.core import InvalidFile, database, sandbox, without_collection
from kit.quality.configurations import remember_configurations
from kit.quality.counting import leave_out_values
from kit.quality.late_imports import imported_when_used
from kit.quality.quick_counts import count_quickly


@cache
def _context() -> Any:
    """Return Great Expectations' in-memory context; imported once per process, since that takes seconds."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # an interrupt while a connection is closed is no error
    # A third of its import is for the charts and the distributions of two or three kinds of expectations.
    with without_collection(), imported_when_used("altair", "scipy.stats"):
        import great_expectations as gx
    from great_expectations.data_context.types import base
    from sqlalchemy.dialects import registry

    base.logger.setLevel(logging.ERROR)  # it sets a level of its own
    leave_out_values()
    count_quickly()
    remember_configurations()
    registry.register("duckdb.kit", "kit.quality.dialect", "PlainDialect")
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    # It writes its configuration as YAML at each change, which nobody reads: it is in memory.
    context.variables.save = lambda: None
    return context


def load_judge() -> None:
    """Import all that an audit needs, without opening a database."""
    _context()
    import great_expectations.expectations.core  # noqa: F401

    from kit.quality import dialect  # noqa: F401


@contextlib.contextmanager
def source_of(tables: database.Tables) -> Iterator[Any]:
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


def batch_of(source: Any, table: str) -> Any:
    """Return the whole table of a data source, to validate it."""
    asset = source.add_table_asset(table, table_name=_flat(table))
    return asset.add_batch_definition_whole_table("all").get_batch()


def run(batch: Any, table: str, expectations: list[dict[str, Any]], result_format: Any) -> list[dict[str, Any]]:
    """Return the results in the order of the expectations; raises `InvalidFile` for one that cannot be run."""
    with warnings.catch_warnings():
        # Forms of expectations that Great Expectations will drop one day are right until then.
        warnings.simplefilter("ignore", DeprecationWarning)
        return _results(batch, table, expectations, result_format)


def _results(batch: Any, table: str, expectations: list[dict[str, Any]], result_format: Any) -> list[dict[str, Any]]:
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
            raise InvalidFile(f"{table}: {item['type']} {_unknown(item['type'], error)}") from None
    suite = ExpectationSuite(name=table, expectations=objects)
    try:
        results = [result.to_json_dict() for result in batch.validate(suite, result_format=result_format).results]
    except GreatExpectationsError as error:
        raise InvalidFile(f"{table}: cannot be run: {' '.join(str(error).split())[:400]}") from None
    by_position = {result["expectation_config"]["meta"]["position"]: result for result in results}
    if len(by_position) != len(expectations):
        raise InvalidFile(f"{table}: {len(expectations) - len(by_position)} expectations were not run")
    return [by_position[position] for position in range(len(expectations))]


def error_of(result: dict[str, Any]) -> str:
    """Return why an expectation could not be evaluated, from its result; empty if it could."""
    info = result.get("exception_info") or {}
    entries = info.values() if "raised_exception" not in info else [info]
    texts = [str(entry.get("exception_message") or "") for entry in entries if isinstance(entry, dict)]
    message = " ".join(" ".join(dict.fromkeys(texts)).split())
    return f"could not be evaluated: {sandbox.explain(message)[:300]}" if message else ""


def _unknown(kind: str, error: Exception) -> str:
    """Return why Great Expectations has no such expectation, or not with these arguments."""
    from great_expectations.expectations import registry

    known = registry.list_registered_expectation_implementations()
    if kind not in known:
        near = get_close_matches(kind, known, 1, cutoff=0.85)
        return "is no expectation that is installed" + (f"; there is: {near[0]}" if near else "")
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return f"cannot be run: {' '.join(str(error).split())[:400]}"
    first = errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "value_error.extra":
        fields = sorted(registry.get_expectation_impl(kind).__fields__.keys() - _OWN_FIELDS)
        return f"has no argument '{name}'; there are: {', '.join(fields)}"
    return f"cannot be run: {name}: {first['msg']}"


_OWN_FIELDS = {
    "id", "meta", "notes", "result_format", "description", "catch_exceptions", "rendered_content", "severity", "batch_id",
    "windows", "library_metadata",
}  # fmt: skip
