"""Counts of violating rows that DuckDB finds without reading the whole table, in place of queries of Great Expectations.

Great Expectations counts nulls, values out of range and unknown values with a `case` for each row, and finds duplicates by
grouping and joining the whole table. DuckDB skips what the statistics and dictionaries of Parquet files exclude from a `where`,
and sees in one pass, without memory, that keys ascend. Counts are the same; what cannot be counted so is left to Great
Expectations. `tests/quality/test_quick_counts.py` checks what this module relies on against the installed version.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

LARGE = 500_000
"""The number of rows from which a query for one rule costs less than its share in one for all."""

_FIRST = 20_000  # rows: those of an unsorted table are out of order long before
_BY_COLUMN = {f"column_values.{kind}.unexpected_count" for kind in ("nonnull", "between", "in_set")}
_UNIQUE = ("column_values.unique.unexpected_count", "compound_columns.unique.unexpected_count")


def count_quickly() -> None:
    """Let all validations of this process count so."""
    from great_expectations.execution_engine import SqlAlchemyExecutionEngine as Engine
    from great_expectations.expectations import registry

    Engine.resolve_metric_bundle = _with_conditions(Engine.resolve_metric_bundle)
    for name in _UNIQUE:
        definition = registry._registered_metrics[name]
        kind, count = definition["providers"][Engine.__name__]
        definition["providers"][Engine.__name__] = kind, _with_keys(count)


def _with_conditions(resolve: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(resolve)
    def wrapper(engine: Any, metric_fn_bundle: Iterable[Any]) -> Any:
        bundle, found = list(metric_fn_bundle), {}
        eligible = [item for item in bundle if item.metric_configuration.metric_name in _BY_COLUMN]
        if eligible and _value(engine, _count(), _rows(engine, eligible[0].compute_domain_kwargs)) >= LARGE:
            fractional = _fractional(engine, eligible)
            for item in eligible:
                if item.metric_configuration.metric_domain_kwargs["column"] not in fractional:
                    (condition, _), *_ = item.metric_fn.clauses.clauses[0].whens
                    rows = _rows(engine, item.compute_domain_kwargs)
                    found[item.metric_configuration.id] = _value(engine, _count(), rows, condition)
        rest = [item for item in bundle if item.metric_configuration.id not in found]
        return {**found, **(resolve(engine, rest) if rest else {})}

    return wrapper


def _with_keys(count: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(count)
    def wrapper(cls: Any, execution_engine: Any, metric_domain_kwargs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        names = metric_domain_kwargs.get("column_list") or [metric_domain_kwargs["column"]]
        rows = _rows(execution_engine, metric_domain_kwargs)
        if _ascends(execution_engine, rows, names) or _has_no_group_of_two(execution_engine, rows, names):
            return 0
        return count(cls, execution_engine, metric_domain_kwargs, *arguments, **options)

    return wrapper


def _ascends(engine: Any, rows: Any, names: Sequence[str]) -> bool:
    """Whether each row has a greater key than the one before it, in whatever order they are read."""
    import sqlalchemy as sa

    # A comparison with a null is null, which is not true.
    is_greater: Any = sa.false()
    for name in reversed(names):
        column: Any = sa.column(name)
        before = sa.func.lag(column).over()
        is_greater = sa.or_(column > before, sa.and_(column == before, is_greater))
    is_behind: Any = sa.and_(sa.column("is greater").isnot(True), sa.column("row") > 1)
    for part in (rows.limit(_FIRST), rows):
        number = sa.func.row_number().over()
        pairs = sa.select(is_greater.label("is greater"), number.label("row")).select_from(part.subquery())
        if _value(engine, _count(), pairs, is_behind):
            return False
    return True


def _has_no_group_of_two(engine: Any, rows: Any, names: Sequence[str]) -> bool:
    """Whether no two rows have equal keys, nulls being equal, which they are not for a rule."""
    import sqlalchemy as sa

    columns: list[Any] = [sa.column(name) for name in names]
    groups = sa.select(*columns).select_from(rows.subquery()).group_by(*columns).having(sa.func.count() > 1)
    return not _value(engine, _count(), groups)


def _count() -> Any:
    import sqlalchemy as sa

    return sa.func.count()


def _rows(engine: Any, domain: dict[str, Any]) -> Any:
    """The rows of the table that a metric is about."""
    import sqlalchemy as sa

    records = engine.get_domain_records(domain_kwargs=domain)
    return records if isinstance(records, sa.Select) else sa.select("*").select_from(records)


def _fractional(engine: Any, items: Iterable[Any]) -> set[str]:
    """The columns of floating point numbers: writers of Parquet leave NaN out of statistics."""
    import sqlalchemy as sa

    rows = {str(item.metric_configuration.metric_domain_kwargs["column"]): item.compute_domain_kwargs for item in items}
    types = sa.select(*(sa.func.typeof(sa.column(name)) for name in rows))
    query = types.select_from(_rows(engine, next(iter(rows.values()))).subquery()).limit(1)
    kinds = engine.execute_query(query).fetchone()
    return {name for name, kind in zip(rows, kinds, strict=True) if kind in ("FLOAT", "DOUBLE")}


def _value(engine: Any, value: Any, rows: Any, condition: Any = None) -> int:
    import sqlalchemy as sa

    query = sa.select(value).select_from(rows.subquery())
    return int(engine.execute_query(query if condition is None else query.where(condition)).scalar() or 0)
