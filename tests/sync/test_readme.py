import json
from pathlib import Path

import pytest

from kit.core.errors import KitError
from kit.mesh.product import DataProduct
from kit.sync import readme
from tests.support.small_mesh import SmallMesh, write

TABLE = """\
<!-- kit sync: begin. Written from the contracts: edit those, not this. -->
| port | one row per | key | published | version |
|---|---|---|---|---|
| `sales` | sales | `sale_id` | every 1 d, data at most 2 d old | 1.0.0 |
| `totals` | totals | `item` | every 1 d | 1.0.0 |
<!-- kit sync: end -->
"""


def shop(small: SmallMesh) -> DataProduct:
    return small.mesh.product("shop")


def placed(small: SmallMesh, text: str | None) -> str:
    path = small.domains / "shop/README.md"
    path.unlink()
    if text is not None:
        write(path, text)
    return readme.placed(shop(small), path)


def test_a_readme_that_is_missing_is_written(small: SmallMesh) -> None:
    assert placed(small, None) == f"# shop\n\n{TABLE}\nwhat shop is for\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"# Shop\n\nours\n{TABLE}theirs", f"# Shop\n\nours\n{TABLE}theirs\n"),
        (f"# Shop\n{TABLE.replace('sale_id', 'old')}", f"# Shop\n{TABLE}"),
        ("intro\n# Shop\n## More\n", f"intro\n# Shop\n\n{TABLE}\n## More\n"),
        ("no heading\n", f"{TABLE}\nno heading\n"),
    ],
)
def test_the_table_is_put_in_its_place_or_under_the_first_heading(small: SmallMesh, before: str, after: str) -> None:
    assert placed(small, before) == after
    assert placed(small, after) == after


def test_a_cell_is_one_line_of_plain_text(small: SmallMesh) -> None:
    path = small.domains / "shop/contracts/totals.odcs.yaml"
    data = json.loads(path.read_text())
    table = data["schema"][0]
    table["description"] = "One row per item | day.\nIt has sums. More of it."
    for column in table["properties"]:
        column.pop("primaryKey", None)
    data["status"] = "deprecated"
    data["slaProperties"] = [{"property": "endOfLife", "value": "2030-12-31"}]
    write(path, json.dumps(data))
    cells = "| `totals` | item \\| day | none | no promise | 1.0.0, until 2030-12-31 |"
    assert readme.table(shop(small))[4] == cells


@pytest.mark.parametrize(
    ("value", "unit", "said"), [(36, "h", "36 h"), (48, "h", "2 d"), (0.1, "h", "0.1 h"), (1, "y", "8766 h")]
)
def test_a_frequency_is_told_in_days_or_hours(small: SmallMesh, value: float, unit: str, said: str) -> None:
    path = small.domains / "shop/contracts/totals.odcs.yaml"
    frequency = {"property": "frequency", "value": value, "unit": unit}
    write(path, json.dumps(json.loads(path.read_text()) | {"slaProperties": [frequency]}))
    assert f"| every {said} |" in readme.table(shop(small))[4]


def test_what_cannot_be_written_is_said_with_its_file(small: SmallMesh, tmp_path: Path) -> None:
    path = small.domains / "shop/README.md"
    write(path, "# Shop\n<!-- kit sync: begin -->\n")
    found, error = readme.file(shop(small))
    assert found == path
    assert isinstance(error, KitError)
    assert (error.path, error.problem.partition(";")[0]) == (
        path,
        "holds 1 times 'kit sync: begin' and 0 times 'kit sync: end'",
    )
    path.unlink()
    path.symlink_to(small.root / "pyproject.toml")
    _, error = readme.file(shop(small))
    assert isinstance(error, KitError)
    assert (error.path, error.problem) == (path, "is a link; put a file in its place")
