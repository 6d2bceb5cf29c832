"""Validation by counts alone: Great Expectations then runs no query for the values and rows that violate a rule.

They are asked for in a second validation, of the rules that failed. `tests/quality/test_counting.py` checks what this module
relies on against the installed version.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

_VALUES = ".unexpected_values"
_ROWS = "unexpected_rows_query.table"


def counts_only() -> dict[str, Any]:
    """Return the result format of a validation whose results have counts, and neither values nor rows."""
    return {"result_format": "BASIC", "partial_unexpected_count": 0}


def leave_out_values() -> None:
    """Leave out the queries for values and rows in every validation of this process with that result format.

    Great Expectations runs them for each rule, though their result would be cut to nothing: more than half of its queries.
    """
    from great_expectations.expectations.core import UnexpectedRowsExpectation
    from great_expectations.expectations.expectation import (
        ColumnMapExpectation,
        ColumnPairMapExpectation,
        MulticolumnMapExpectation,
    )

    for kind in (ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation, UnexpectedRowsExpectation):
        kind.get_validation_dependencies = _without_values(kind.get_validation_dependencies)
    UnexpectedRowsExpectation._validate = _without_rows(UnexpectedRowsExpectation._validate)


def _without_values(dependencies: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(dependencies)
    def wrapper(*arguments: Any, **options: Any) -> Any:
        needed = dependencies(*arguments, **options)
        if {**needed.result_format, **counts_only()} == needed.result_format:
            for name in needed.get_metric_names():
                if name.endswith(_VALUES) or name == _ROWS:
                    needed.remove_metric_configuration(name)
        return needed

    return wrapper


def _without_rows(validate: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(validate)
    def wrapper(expectation: Any, metrics: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        return validate(expectation, {_ROWS: [], **metrics}, *arguments, **options)

    return wrapper
