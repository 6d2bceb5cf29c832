"""YAML files read strictly and held against a standard; what was found valid is remembered by its content."""

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from kit.core import ContentCache, Document, KitError, parse_yaml, read_text

Standard = Literal["odcs", "odps"]
"""Data contracts follow the Open Data Contract Standard (https://bitol-io.github.io/open-data-contract-standard/), data
products the Open Data Product Standard 1.0 (https://github.com/bitol-io/open-data-product-standard)."""


def check_schema(document: Document, standard: Standard) -> None:
    """Raise `InvalidFile` for the first and most specific way in which a document breaks a standard."""
    from jsonschema.exceptions import best_match

    errors = list(_validator(standard).iter_errors(document.data))
    # Where a field has a wrong value, its neighbours count as unevaluated too: that error says the least.
    error = best_match([error for error in errors if error.validator != "unevaluatedProperties"] or errors)
    if error is not None:
        message = error.message if len(error.message) < 300 else f"{error.message[:150]} … {error.message[-120:]}"
        if error.validator == "additionalProperties":
            message += f"; there are: {', '.join(error.schema['properties'])}"
        raise document.error([*error.absolute_path], message)


def contract_schema() -> Path:
    """The file of the JSON schema of contracts; raises `KitError` when the package it comes in is missing."""
    spec = find_spec("open_data_contract_standard")
    if spec is None or spec.origin is None:
        raise KitError("the package 'open-data-contract-standard' is not installed; run `make install`")
    return Path(spec.origin).with_name("schema.json")


@cache
def _schema_digest(standard: Standard) -> str:
    """A digest of the JSON schema of a standard: a file judged by another schema is judged anew."""
    return hashlib.sha256(json.dumps(_schema(standard), sort_keys=True).encode()).hexdigest()


@cache
def _schema(standard: Standard) -> dict[str, Any]:
    file = contract_schema() if standard == "odcs" else Path(__file__).with_name("odps.schema.json")
    schema: dict[str, Any] = json.loads(file.read_bytes())
    return schema


@cache
def _validator(standard: Standard) -> Any:
    import jsonschema

    whole = _schema(standard)
    search = jsonschema.Draft201909Validator.VALIDATORS["unevaluatedProperties"]

    def unevaluated(validator: Any, value: Any, instance: Any, schema: dict[str, Any]) -> Iterator[Any]:
        # The search judges the object by every part of the schema once more, and hardly ever finds anything.
        if not isinstance(instance, dict) or not instance.keys() <= _declared(schema, whole):
            yield from search(validator, value, instance, schema)

    extend: Any = jsonschema.validators.extend
    return extend(jsonschema.Draft201909Validator, {"unevaluatedProperties": unevaluated})(whole)


def _declared(schema: dict[str, Any], whole: dict[str, Any]) -> set[str]:
    """The properties that an object valid by a schema may have in any case."""
    names = set(schema.get("properties", ()))
    parts = list(schema.get("allOf", ()))
    if "$ref" in schema:
        parts.append(whole["$defs"].get(schema["$ref"].removeprefix("#/$defs/"), {}))
    return names.union(*(_declared(part, whole) for part in parts))


class DocumentReader:
    """Reads the files of a mesh. What lies in the folder `cache` only saves time, never changes what is read.

    A file is known by its content alone, and only when it was valid: whatever is wrong with a file is found and told
    anew each time.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._remembered = ContentCache(cache / "documents" if cache else None)

    def read(self, path: Path, standard: Standard, before: Callable[[Document], None] = lambda document: None) -> Document:
        """The file's data, valid by the standard; raises `InvalidFile` with file, line and field.

        `before` may refuse in better words what the standard would refuse.
        """
        text = read_text(path)
        key = ContentCache.key(_schema_digest(standard), text)
        known = self._remembered.lookup(key)
        if known is not None:
            return Document(path, text, json.loads(known))
        document = parse_yaml(path, text)
        before(document)
        check_schema(document, standard)
        self._remembered.put(key, json.dumps(document.data))
        return document

    def save(self) -> None:
        """Remember what was read, and only that: what belongs to no file any more is forgotten."""
        self._remembered.save()
