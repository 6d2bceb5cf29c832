import json
from pathlib import Path

import pytest

from kit.core import KitError, parse_yaml
from kit.scaffold.redraft import draft_of, redraft
from kit.scaffold.source_look import discover_source
from tests.support.contracts import contract
from tests.support.events import TYPES, Events
from tests.support.files import write
from tests.support.small_mesh import SmallMesh

WRITTEN = """\
id: shop.items
schema:
  - name: items
    properties:
      - name: item
        physicalType: string # as people say it
        description: What it is.
        # Seen: a and b.
      - name: price
        physicalType: bigint
"""
DRAFTED = """\
id: shop.items
schema:
  - name: items
    properties:
      - {name: item, physicalType: varchar, description: "TODO: "}
      - {name: sold, physicalType: date}
"""


def test_new_columns_are_added_and_other_differences_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("items.odcs.yaml")
    assert redraft(path, DRAFTED).text == DRAFTED
    write(path, WRITTEN)
    made = redraft(path, DRAFTED)
    assert made.text == WRITTEN + "      - {name: sold, physicalType: date}\n"
    assert made.added == ("sold",)
    assert [str(item) for item in made.differences] == [
        "items.odcs.yaml:9: schema.0.properties.1: the data has no column price; delete it here, or correct the model"
    ]
    other = redraft(path, DRAFTED.replace("varchar", "double"))
    assert str(other.differences[0]) == (
        "items.odcs.yaml:5: schema.0.properties.0: item is double in the data; change the type here, or cast it in the model"
    )


def test_a_column_that_people_renamed_is_known_by_its_name_in_the_data(tmp_path: Path) -> None:
    path = tmp_path / "items.odcs.yaml"
    write(path, WRITTEN.replace("name: price", "name: price\n        physicalName: Unit Price"))
    drafted = DRAFTED.replace(
        "{name: sold,", "{name: unit_price, physicalName: Unit Price, physicalType: bigint}\n      - {name: sold,"
    )
    made = redraft(path, drafted)
    assert (made.added, made.differences) == (("sold",), ())


def test_the_draft_of_a_source_reads_its_file_as_the_contract_says(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    feed, folder = small.domains / "shop/data.csv", small.domains / "shop"
    write(folder / "ingest.py", f"def sales():\n    return {str(feed)!r}\n")
    feed.write_bytes("Überblick\nItem;Price;Rest\nä;1,50;-\nb;;x\n".encode("latin-1"))
    data = json.loads(contract("shop.raw.sales", "sales", [("item", "varchar", {"physicalName": "Item"})]))
    csv = {"delimiter": ";", "encoding": "latin-1", "headerLine": 2, "nullMarkers": ["-"], "decimalComma": True}
    data["customProperties"] = [{"property": "csv", "value": csv}]
    path = folder / "sources/sales.odcs.yaml"
    write(path, json.dumps(data))
    drafted = draft_of(small.context, "shop.raw.sales")
    columns = {item["name"]: item["physicalType"] for item in parse_yaml(path, drafted).data["schema"][0]["properties"]}
    assert columns == {"item": "varchar", "price": "decimal(18,2)", "rest": "varchar"}
    assert parse_yaml(path, drafted).data["customProperties"] == data["customProperties"]
    assert redraft(path, drafted).added == ("price", "rest")
    (stream,) = discover_source(small.context, "shop.sales")
    assert stream.types == {"Item": "varchar", "Price": "decimal(18,2)", "Rest": "varchar"}
    with pytest.raises(KitError, match="given"):
        draft_of(small.context, "shop.raw.sales", csv=["delimiter=,", "delimiter=;"])


def test_a_source_with_a_connector_is_drafted_from_its_stream_without_a_row(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = Events(small, monkeypatch)
    events.rows((1, 10, "a"), types={**TYPES, "phone": "varchar"})
    made = redraft(events.folder / "sources/events.odcs.yaml", draft_of(small.context, "feed.raw.events"))
    assert (made.added, made.differences) == (("phone",), ())
    phone = parse_yaml(Path("events.odcs.yaml"), made.text).data["schema"][0]["properties"][-1]
    assert (phone["name"], phone["required"], phone["description"]) == ("phone", False, "The column phone of events.")
    assert not events.file.with_suffix(".reads").exists()
    (events.folder / "sources/events.odcs.yaml").unlink()
    drafted = draft_of(small.context, "feed.raw.events", reads=["/srv/certificates"])
    assert "name: phone" in drafted
    assert "/srv/certificates" in drafted
    events.rows((1, 10, "a"))
    assert "The column name of the source events." in draft_of(small.context, "feed.raw.events")
