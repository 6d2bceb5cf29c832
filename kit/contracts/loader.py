"""Documents of the standards: YAML files read strictly and validated, with a cache of valid ones by content."""

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
    """Raise `InvalidFile` for the most specific violation of a standard by a document."""
    from jsonschema.exceptions import best_match

    errors = list(_validator(standard).iter_errors(document.data))
    # A wrong value leaves the other fields of its object unevaluated too, which is the least specific error.
    error = best_match([error for error in errors if error.validator != "unevaluatedProperties"] or errors)
    if error is not None:
        message = error.message if len(error.message) < 300 else f"{error.message[:150]} … {error.message[-120:]}"
        if error.validator == "additionalProperties":
            message += f"; there are: {', '.join(error.schema['properties'])}"
        raise document.error([*error.absolute_path], message)


def contract_schema() -> Path:
    """Return the JSON schema file of contracts; raises `KitError` when its package is not installed."""
    spec = find_spec("open_data_contract_standard")
    if spec is None or spec.origin is None:
        raise KitError("the package 'open-data-contract-standard' is not installed; run `make install`")
    return Path(spec.origin).with_name("schema.json")


@cache
def _schema_digest(standard: Standard) -> str:
    """Return a digest of the JSON schema of a standard: with another schema every file is validated again."""
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
        # The search validates the object by every part of the schema again, and rarely reports anything.
        if not isinstance(instance, dict) or not instance.keys() <= _declared(schema, whole):
            yield from search(validator, value, instance, schema)

    extend: Any = jsonschema.validators.extend
    return extend(jsonschema.Draft201909Validator, {"unevaluatedProperties": unevaluated})(whole)


def _declared(schema: dict[str, Any], whole: dict[str, Any]) -> set[str]:
    """Return the properties that every object valid by a schema may have."""
    names = set(schema.get("properties", ()))
    parts = list(schema.get("allOf", ()))
    if "$ref" in schema:
        parts.append(whole["$defs"].get(schema["$ref"].removeprefix("#/$defs/"), {}))
    return names.union(*(_declared(part, whole) for part in parts))


class DocumentReader:
    """Reads the documents of a mesh. The folder `cache` saves time and never changes the result.

    The cache has valid files only, by content: an invalid file is validated each time.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = ContentCache(cache / "documents" if cache else None)

    def read(self, path: Path, standard: Standard, before: Callable[[Document], None] = lambda document: None) -> Document:
        """Return a file that is valid by the standard; raises `InvalidFile` with file, line and field.

        `before` runs before the validation, to raise errors in clearer words.
        """
        text = read_text(path)
        key = ContentCache.key(_schema_digest(standard), text)
        cached = self._cache.lookup(key)
        if cached is not None:
            return Document(path, text, json.loads(cached))
        document = parse_yaml(path, text)
        before(document)
        check_schema(document, standard)
        self._cache.put(key, json.dumps(document.data))
        return document

    def save(self) -> None:
        """Write the cache of the files that were read; entries of other files are dropped."""
        self._cache.save()
