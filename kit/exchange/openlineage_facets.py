"""Facets of OpenLineage 2-0-2: pieces of metadata, each with its name, its producer and its schema."""

from typing import Any

from kit.core import __version__

SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
PRODUCER = f"urn:data-mesh-kit:{__version__}"
"""The program that made an event, as every event and facet names it."""

_VERSIONS = {
    "ColumnLineageDatasetFacet": "1-2-0",
    "DataQualityAssertionsDatasetFacet": "1-1-0",
    "DataQualityMetricsDatasetFacet": "1-0-0",
    "DatasetVersionDatasetFacet": "1-0-1",
    "DocumentationDatasetFacet": "1-1-0",
    "DocumentationJobFacet": "1-1-0",
    "ErrorMessageRunFacet": "1-0-1",
    "JobTypeJobFacet": "2-0-4",
    "NominalTimeRunFacet": "1-0-1",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "OwnershipDatasetFacet": "1-0-1",
    "OwnershipJobFacet": "1-0-1",
    "ParentRunFacet": "1-2-0",
    "ProcessingEngineRunFacet": "1-1-1",
    "SQLJobFacet": "1-1-0",
    "SchemaDatasetFacet": "1-2-0",
    "SourceCodeLocationJobFacet": "1-1-0",
    "StorageDatasetFacet": "1-0-1",
    "TagsDatasetFacet": "1-0-0",
    "TagsJobFacet": "1-0-0",
}
_NAMES = {
    "SQLJobFacet": "sql",
    "DatasetVersionDatasetFacet": "version",
    "ProcessingEngineRunFacet": "processing_engine",
}
"""The names under which events hold facets, where they do not follow from the class."""

_ENDINGS = ("OutputDatasetFacet", "DatasetFacet", "JobFacet", "RunFacet")


def facets(**by_class: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return facets by their names in an event, from their fields by the class of the spec; None leaves one out."""
    return {
        _name(kind): {
            "_producer": PRODUCER,
            "_schemaURL": f"https://openlineage.io/spec/facets/{_VERSIONS[kind]}/{kind}.json#/$defs/{kind}",
            **fields,
        }
        for kind, fields in by_class.items()
        if fields is not None
    }


def _name(kind: str) -> str:
    if kind in _NAMES:
        return _NAMES[kind]
    name = next(kind.removesuffix(ending) for ending in _ENDINGS if kind.endswith(ending))
    return name[0].lower() + name[1:]
