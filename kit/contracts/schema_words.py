"""Violations of a JSON schema in plain words: the place, the value, what is allowed and what to write."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from kit.core import Where

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_TYPES = {
    "string": "a text", "number": "a number", "integer": "a whole number", "boolean": "a boolean (true or false)",
    "array": "a list", "object": "a mapping of fields", "null": "nothing",
}  # fmt: skip
_SHOWN = 100
_LISTED = 40


def describe(error: "ValidationError", whole: Mapping[str, Any]) -> tuple[Where, str]:
    """Return the place of a violation of the schema `whole` and a sentence about it."""
    error = _decisive(error)
    where: list[str | int] = [*error.absolute_path]
    value: Any = error.instance
    schema: Any = error.schema
    limit: Any = error.validator_value
    if error.validator == "unevaluatedProperties":  # its path ends with the unknown field
        return where, _unknown(str(where[-1]), value, schema, whole)
    if error.validator == "additionalProperties":
        name = next(name for name in value if name not in schema["properties"])
        return [*where, name], _unknown(name, value, schema, whole)
    if error.validator in ("oneOf", "anyOf"):
        limit = [each | whole["$defs"].get(each.get("$ref", "").removeprefix("#/$defs/"), {}) for each in limit]
    return where, WORDS.get(str(error.validator), _other)(value, limit, schema)


def _decisive(error: "ValidationError") -> "ValidationError":
    """Return the violation of the alternative that a value was meant as, where only one has its type."""
    from jsonschema.exceptions import best_match

    alternatives: dict[Any, list[ValidationError]] = {}
    for each in error.context or ():
        alternatives.setdefault(each.relative_schema_path[0], []).append(each)
    meant = [errors for errors in alternatives.values() if all(e.validator != "type" or e.relative_path for e in errors)]
    if len(meant) != 1:
        return error
    best = best_match(meant[0])
    return _decisive(best) if best is not None else error


def _type(value: Any, expected: str | list[str], schema: Mapping[str, Any]) -> str:
    names = [expected] if isinstance(expected, str) else expected
    if value is None:
        return f"has no value; write {_either(names)}, or delete the field"
    if "integer" in names and isinstance(value, float):
        return f"{value} is no whole number"
    advice = ""
    if names == ["string"]:
        advice = "; put it in quotes" if isinstance(value, int | float) else ""
    elif names == ["array"]:
        advice = f"; write {_written([value])}" if not isinstance(value, dict) else "; begin each of its entries with '- '"
    elif names == ["object"] and (needed := schema.get("required")):
        single = len(needed) == 1 and not isinstance(value, list | dict)
        advice = f"; write `- {_written({needed[0]: value})}`" if single else f"; its fields are {_listed(needed)}"
    return f"{_shown(value)} is {_kind(value)}, not {_either(names)}{advice}"


def _required(value: Mapping[str, Any], names: Sequence[str], schema: Mapping[str, Any]) -> str:
    missing = next(name for name in names if name not in value)
    near = get_close_matches(missing, [name for name in value if name not in schema.get("properties", {})], 1)
    return f"the field '{missing}' is missing" + (f"; '{near[0]}' is no field" if near else "")


def _one_of(value: Any, allowed: Sequence[Any], schema: Mapping[str, Any]) -> str:
    if len(allowed) == 1:
        return f"{_shown(value)} is not {_shown(allowed[0])}, the only allowed value"
    near = get_close_matches(str(value), list(map(str, allowed)), 1)
    return f"{_shown(value)} is not one of {_listed(allowed)}" + (f"; did you mean '{near[0]}'?" if near else "")


def _alternatives(value: Any, alternatives: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> str:
    if isinstance(value, dict) and all("required" in each for each in alternatives):
        return f"must have exactly one of {_listed([name for each in alternatives for name in each['required']])}"
    types = [each["type"] for each in alternatives if "type" in each]
    if len(types) == len(alternatives) and _json_type(value) not in types:
        return f"{_shown(value)} is {_kind(value)}, not {_either(types)}"
    patterns = [each["pattern"] for each in alternatives if "pattern" in each]
    return f"{_shown(value)} has none of the forms that the standard allows here" + "".join(
        f"; one is {each}" for each in patterns
    )


def _not(value: Any, forbidden: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if names := forbidden.get("required"):
        return f"the field {_listed(names)} does not belong here; delete it"
    return _other(value, forbidden, schema)


def _other(value: Any, limit: Any, schema: Mapping[str, Any]) -> str:
    return f"{_shown(value)} is not what the standard allows here"


WORDS: Mapping[str, Callable[[Any, Any, Mapping[str, Any]], str]] = {
    "type": _type,
    "required": _required,
    "enum": _one_of,
    "oneOf": _alternatives,
    "anyOf": _alternatives,
    "not": _not,
    "const": lambda value, only, schema: f"{_shown(value)} is not {_shown(only)}",
    "minItems": lambda value, least, schema: f"has {len(value)} values, at least {least} must be listed",
    "maxItems": lambda value, most, schema: f"has {len(value)} values, at most {most} may be listed",
    "uniqueItems": lambda value, unique, schema: f"{_shown(_twice(value))} is listed twice; keep one",
    "minLength": lambda value, least, schema: "is empty; write a text" if least == 1 else f"has less than {least} characters",
    "minimum": lambda value, least, schema: f"{_shown(value)} is less than {least}, the least allowed value",
    "exclusiveMinimum": lambda value, bound, schema: f"{_shown(value)} is not greater than {bound}",
    "pattern": lambda value, pattern, schema: f"{_shown(value)} does not have the form {pattern}",
}
"""The sentence for a violation of each keyword; `describe` words the two keywords about unknown fields itself."""


def _unknown(name: str, value: Mapping[str, Any], schema: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """Return the sentence about a field that an object cannot have."""
    places = list(_places(schema, whole))
    belongs = [f"{field}: {condition}" for known, field, condition in places if known == name and field]
    if belongs:
        return f"'{name}' only belongs to {' or '.join(belongs)}"
    names = [known for known, field, _ in places if not field or known in value]
    near = get_close_matches(name, names, 1, cutoff=0.6)
    return f"there is no field '{name}'" + (
        f"; did you mean '{near[0]}'?" if near else f"; there are: {_listed(sorted(set(names)))}"
    )


def _places(
    schema: Mapping[str, Any], whole: Mapping[str, Any], field: str = "", value: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Yield the fields of an object, each with the field and its value that it depends on; both empty without any."""
    for name in schema.get("properties", ()):
        yield name, field, value
    parts = [(part, field, value) for part in schema.get("allOf", ())]
    if "$ref" in schema:
        parts.append((whole["$defs"].get(schema["$ref"].removeprefix("#/$defs/"), {}), field, value))
    if "then" in schema:
        conditions = [schema["if"], *schema["if"].get("anyOf", ())]
        known = [
            (name, str(item["const"]))
            for part in conditions
            for name, item in part.get("properties", {}).items()
            if "const" in item
        ]
        parts += [(schema["then"], *each) for each in known]
    for part, *place in parts:
        yield from _places(part, whole, *place)


def _twice(values: list[Any]) -> Any:
    return next(value for number, value in enumerate(values) if value in values[:number])


def _json_type(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "null" if value is None else "boolean"
    names = {str: "string", int: "integer", float: "number", list: "array"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "object")


def _kind(value: Any) -> str:
    name = _json_type(value)
    return _TYPES["number" if name == "integer" else name]


def _either(names: Sequence[str]) -> str:
    return " or ".join(_TYPES[name] for name in names if name != "integer" or "number" not in names)


def _listed(values: Sequence[Any]) -> str:
    more = len(values) - _LISTED
    return ", ".join(map(str, values[:_LISTED])) + (f" and {more} more" if more > 0 else "")


def _written(value: Any) -> str:
    """Return a value as one writes it in YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_written(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    plain = isinstance(value, str) and value.replace("_", "").isalnum() and not value[0].isdigit()
    return value if plain else json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"
