"""Documents of the standards: YAML files read strictly and validated, with a cache of valid ones by content."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kit.contracts.schema_words import describe
from kit.core import ContentCache, Document, KitError, parse_yaml, read_text

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Standard = Literal["odcs", "odps"]
"""Data contracts follow the Open Data Contract Standard (https://bitol-io.github.io/open-data-contract-standard/), data
products the Open Data Product Standard 1.0 (https://github.com/bitol-io/open-data-product-standard)."""


def check_schema(document: Document, standard: Standard) -> None:
    """Raise `InvalidFile` for the most specific violation of a standard by a document."""
    error = violation(document.data, standard)
    if error is not None:
        raise document.error(*describe(error, _schema(standard)))


def violation(data: Mapping[str, Any], standard: Standard) -> "ValidationError | None":
    """Return the most specific violation of a standard, None for valid data."""
    from jsonschema.exceptions import relevance

    errors = list(_validator(standard).iter_errors(data))
    # A wrong value leaves the other fields of its object unevaluated too, and an unknown field the objects around it.
    specific = [error for error in errors if error.validator != "unevaluatedProperties"]
    return max(specific, key=relevance) if specific else max(errors, key=lambda error: len(error.absolute_path), default=None)


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
        declared = _declared(schema, whole) if isinstance(instance, dict) else set()
        if not isinstance(instance, dict) or instance.keys() <= declared or not any(search(validator, value, instance, schema)):
            return
        for name in [name for name in instance if name not in declared]:
            others = {**schema, "properties": {**schema.get("properties", {}), **dict.fromkeys(instance.keys() - {name}, True)}}
            if any(search(validator, value, instance, others)):
                yield jsonschema.ValidationError("unknown field", path=[name])

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
    """Reads the documents of a product. The folder `cache` saves time and never changes the result.

    The cache has valid files only, by content: an invalid file is validated each time.
    """

    def __init__(self, cache: Path | None = None, product: str = "") -> None:
        self._cache = ContentCache(cache / f"documents-{product}" if cache else None)

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
