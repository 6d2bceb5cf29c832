"""The options of a build in Dagster's launchpad, with the types, defaults and comments of its notebook parameters."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from kit.build import declared_parameters
from kit.core import NotebookError
from kit.mesh import DataProduct, Parameter

_TYPES: dict[str, Any] = {"int": dg.Int, "float": dg.Float, "str": dg.String, "bool": dg.Bool, "list": dg.Array(dg.Any)}

OF_BROKEN = {
    "force": dg.Field(bool, is_required=False), "full_refresh": dg.Field(bool, is_required=False),
    "parameters": dg.Field(dict, is_required=False),
}  # fmt: skip
"""The config schema of a product in error: what a run may have been started with."""


def schema(product: DataProduct) -> dict[str, dg.Field]:
    """Return the config schema of a product's step; a build reports a notebook that cannot be read."""
    force = dg.Field(dg.Bool, default_value=False, description="Build even when nothing has changed.")
    again = dg.Field(dg.Bool, default_value=False, description="Read all rows of the sources again, not only what is new.")
    fields = {"force": force, **({"full_refresh": again} if product.sources else {})}
    try:
        declared = declared_parameters(product)
    except NotebookError:
        return {**fields, "parameters": dg.Field(dict, is_required=False)}
    by_name = _by_name(declared)
    if not by_name:
        return fields
    values = {name: _field(by_port) for name, by_port in by_name.items()}
    description = "Values for the product's notebooks; every notebook that declares a parameter gets its value."
    return {**fields, "parameters": dg.Field(values, description=description)}


def given(product: DataProduct, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a step's config that are not the defaults, which the config has for all others."""
    values: dict[str, Any] = config.get("parameters", {})
    try:
        by_name = _by_name(declared_parameters(product)) if values else {}
    except NotebookError:
        return values
    defaults = {name: _defaults(by_port) for name, by_port in by_name.items()}
    return {name: value for name, value in values.items() if [value] != defaults.get(name)}


def _by_name(declared: Mapping[str, Mapping[str, Parameter]]) -> dict[str, dict[str, Parameter]]:
    by_name: dict[str, dict[str, Parameter]] = {}
    for port, parameters in declared.items():
        for name, parameter in parameters.items():
            by_name.setdefault(name, {})[port] = parameter
    return by_name


def _field(declared: dict[str, Parameter]) -> dg.Field:
    """Return the field of one parameter, declared by the notebooks of some ports; any type when they disagree."""
    comments = [f"{port}: {item.help or 'no comment'}; by default {item.default!r}" for port, item in declared.items()]
    kinds = {item.type for item in declared.values()}
    kind = _TYPES.get(kinds.pop(), dg.Any) if len(kinds) == 1 else dg.Any
    description, defaults = "\n".join(comments), _defaults(declared)
    if len(defaults) > 1 or defaults == [None]:
        return dg.Field(kind, is_required=False, description=description)
    return dg.Field(kind, default_value=defaults[0], description=description)


def _defaults(declared: Mapping[str, Parameter]) -> list[Any]:
    """Return the different defaults of one parameter."""
    values: list[Any] = []
    for item in declared.values():
        value = float(item.default) if item.type == "float" and isinstance(item.default, int) else item.default
        values += [] if value in values else [value]
    return values
