import json

import pytest

from kit.exchange import openlineage_facets
from kit.exchange.openlineage_facets import facets
from tests.support.lineage_events import FOLDER


@pytest.mark.parametrize("kind", sorted(openlineage_facets._VERSIONS))
def test_every_facet_has_the_name_and_the_version_of_its_schema(kind: str) -> None:
    document = json.loads((FOLDER / "facets" / f"{kind}.json").read_text())
    ((name, value),) = facets(**{kind: {}}).items()
    assert list(document["properties"]) == [name]
    assert value["_schemaURL"] == f"{document['$id']}#/$defs/{kind}"
    assert kind in document["$defs"]


def test_a_facet_without_fields_is_left_out() -> None:
    assert facets(SQLJobFacet=None) == {}
