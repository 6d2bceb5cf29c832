from pathlib import Path

import pytest

from kit.core.errors import KitError
from kit.sync.readme import placed, table
from tests.support.small_mesh import SmallMesh

TABLE = """\
<!-- kit sync: begin. Written from the contracts: edit those, not this. -->
| port | one row per | key | published | version |
|---|---|---|---|---|
| `sales` | sales | `sale_id` | every 1 d, data at most 2 d old | 1.0.0 |
| `totals` | totals | `item` | every 1 d | 1.0.0 |
<!-- kit sync: end -->
"""


@pytest.fixture
def path(small: SmallMesh) -> Path:
    return small.domains / "shop/README.md"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# Shop\n", f"# Shop\n\n{TABLE}\n"),
        ("# Shop\n\nOurs.\n", f"# Shop\n\n{TABLE}\nOurs.\n"),
        ("Ours.\n", f"{TABLE}\nOurs.\n"),
        (f"a\n{TABLE}b\n", f"a\n{TABLE}b\n"),
        ("a\n<!-- kit sync: begin -->\nold\n<!-- kit sync: end -->\nb", f"a\n{TABLE}b\n"),
    ],
)
def test_the_table_has_its_place(small: SmallMesh, path: Path, before: str, after: str) -> None:
    path.write_text(before)
    assert placed(small.product("shop"), path) == after


def test_a_new_readme_has_the_purpose(small: SmallMesh, path: Path) -> None:
    path.unlink()
    assert placed(small.product("shop"), path) == f"# shop\n\n{TABLE}\nwhat shop is for\n"


def test_an_older_version_shows_its_last_day(small: SmallMesh) -> None:
    small.two_majors()
    (line,) = (line for line in table(small.product("shop")) if "totals_v1" in line)
    assert line.endswith("| 1.0.0, last day 2024-03-31 |")


def test_a_conflict_is_named_with_its_line(small: SmallMesh, path: Path) -> None:
    path.write_text(f"# Shop\n<<<<<<< a\n{TABLE}")
    with pytest.raises(KitError) as caught:
        placed(small.product("shop"), path)
    assert (caught.value.path, caught.value.line) == (path, 2)
