"""What can be asked of a build in Dagster's launchpad, with the types, defaults and meanings its notebooks declare."""

from typing import Any

import dagster as dg

from kit.build import declared_parameters
from kit.core import NotebookError
from kit.mesh import DataProduct, Parameter

_TYPES: dict[str, Any] = {"int": dg.Int, "float": dg.Float, "str": dg.String, "bool": dg.Bool, "list": dg.Array(dg.Any)}


def schema(product: DataProduct) -> dict[str, dg.Field]:
    """The config of a product's step; a notebook that cannot be read is left for the build to tell."""
    force = dg.Field(dg.Bool, default_value=False, description="Build even when nothing has changed.")
    try:
        declared = declared_parameters(product)
    except NotebookError:
        return {"force": force, "parameters": dg.Field(dict, is_required=False)}
    by_name: dict[str, dict[str, Parameter]] = {}
    for port, parameters in declared.items():
        for name, parameter in parameters.items():
            by_name.setdefault(name, {})[port] = parameter
    if not by_name:
        return {"force": force}
    fields = {name: _field(found) for name, found in by_name.items()}
    description = "Values for the product's notebooks; each that declares one is given it."
    return {"force": force, "parameters": dg.Field(fields, is_required=False, description=description)}


def _field(declared: dict[str, Parameter]) -> dg.Field:
    """One parameter, by the ports whose notebooks declare it; where they disagree on its type, any will do."""
    meanings = [f"{port}: {item.help or 'no comment'}; by default {item.default!r}" for port, item in declared.items()]
    kinds = {item.type for item in declared.values()}
    kind = _TYPES.get(kinds.pop(), dg.Any) if len(kinds) == 1 else dg.Any
    return dg.Field(kind, is_required=False, description="\n".join(meanings))
