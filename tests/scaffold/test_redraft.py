from pathlib import Path

import pytest

from kit.scaffold.redraft import redraft
from tests.support.files import write

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
