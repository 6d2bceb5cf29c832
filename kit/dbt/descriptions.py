"""YAML of dbt without the descriptions of its resources, which change no row and no test."""

from collections.abc import Collection
from typing import Any

_VALUES = ("config", "meta", "given", "expect", "overrides", "column_types", "vars")
"""Fields whose content is no resource of dbt: what is named `description` there is a column or a setting."""


def without_descriptions(value: Any, also: Collection[str] = ()) -> Any:
    """Return a value of dbt's YAML without the descriptions of resources, and without the fields `also` of them."""
    if isinstance(value, dict):
        return {
            str(key): item if key in _VALUES or _is_call(key, item) else without_descriptions(item, also)
            for key, item in value.items()
            if key not in also and not (key == "description" and isinstance(item, str))
        }
    return [without_descriptions(item, also) for item in value] if isinstance(value, list) else value


def _is_call(key: Any, value: Any) -> bool:
    """Return whether a field has the arguments of a test, by name; those of a macro are a list of resources."""
    return key == "arguments" and isinstance(value, dict)
