"""The judge of OpenLineage events: the JSON schemas of the specification itself."""

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

FOLDER = Path(__file__).with_name("openlineage")
_formats = FormatChecker()
_GROUPS = ("facets", "inputFacets", "outputFacets")


@_formats.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    """jsonschema checks URIs only with another package."""
    scheme, colon, rest = str(value).partition(":")
    return bool(colon) and scheme.isalpha() and bool(rest) and " " not in str(value)


@_formats.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return "T" in str(value) and datetime.fromisoformat(str(value)).tzinfo is not None


@cache
def _registry() -> Any:
    documents = [json.loads(path.read_text()) for path in FOLDER.rglob("*.json")]
    return Registry().with_resources((document["$id"], Resource.from_contents(document)) for document in documents)


@cache
def _validator(url: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": url}, registry=_registry(), format_checker=_formats)


def faults(event: dict[str, Any]) -> list[str]:
    """What is wrong with an event, by the schema it names, and with each of its facets, by that of the facet."""
    found = [error.message for error in _validator(event["schemaURL"]).iter_errors(event)]
    for place, name, facet in all_facets(event):
        found += [f"{place} {name}: {error.message}" for error in _validator(facet["_schemaURL"]).iter_errors(facet)]
        # The schema of a facet says under which name an event has it.
        document = json.loads((FOLDER / "facets" / f"{facet['_schemaURL'].rpartition('/')[2]}.json").read_text())
        if list(document["properties"]) != [name]:
            found.append(f"{place} {name}: is called {list(document['properties'])}")
    return found


def all_facets(event: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """The facets of an event with their places."""
    groups = [("run", event["run"]["facets"]), ("job", event["job"]["facets"])]
    for kind in ("inputs", "outputs"):
        for dataset in event[kind]:
            groups += [(f"{kind} {dataset['name']} {key}", dataset.get(key, {})) for key in _GROUPS]
    return [(place, name, facet) for place, facets in groups for name, facet in facets.items()]
