from pathlib import Path

import pytest

from kit.catalog import profile_tab
from kit.catalog.profile_tab import Profile, profiles
from kit.core import database
from tests.support.small_mesh import SmallMesh
from tests.support.tab_page import render


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "it's [1].parquet"


def write(file: Path, query: str) -> list[Path]:
    with database.connect() as connection:
        connection.execute(f"copy ({query}) to {database.literal(str(file))} (format parquet)")
    return [file]


def test_numbers_and_days_have_bars_the_rest_its_most_frequent_values(file: Path) -> None:
    rows = (
        "select i as id, (date '2024-01-01' + i::int) as day, "
        'case when i % 4 = 0 then null else \'a\' || i % 2 end as "a ""b", '
        "i > 7 as flag, 'name ' || i as name, null::double as nothing, [i] as list, (i / 2)::decimal(4,1) as price "
        "from range(10) t(i)"
    )
    found = {item.column: item for item in profiles(write(file, rows))}
    ones = (1,) * 10
    assert found["id"] == Profile("id", "bigint", 10, 0, 10, "0", "4", "9", bars=ones)
    assert found["day"] == Profile("day", "date", 10, 0, 10, "2024-01-01", "2024-01-05", "2024-01-10", bars=ones)
    assert found['a "b'] == Profile('a "b', "varchar", 10, 3, 2, "a0", "", "a1", top=(("a1", 5), ("a0", 2)))
    assert found["flag"] == Profile("flag", "boolean", 10, 0, 2, "false", "", "true", top=(("false", 8), ("true", 2)))
    assert found["name"] == Profile("name", "varchar", 10, 0, 10, "name 0", "", "name 9")
    assert found["nothing"] == Profile("nothing", "double", 10, 10, 0, "", "", "")
    assert found["list"] == Profile("list", "bigint[]", 10, 0, 10, "[0]", "", "[9]")
    assert found["price"].bars == tuple(map(int, "101001001010010010100101"))


def test_bars_hold_equally_many_whole_values(file: Path) -> None:
    (found,) = profiles(write(file, "select i from range(1, 31) t(i)"))
    assert found.bars == (2,) * 15


def test_what_is_no_finite_number_is_counted_but_has_no_bar(file: Path) -> None:
    rows = "select unnest([1.0, 2.0, 'nan'::double, 'inf'::double, null]) as x"
    (found,) = profiles(write(file, rows))
    assert (found.nulls, found.distinct, found.low, found.high, sum(found.bars)) == (1, 4, "1.0", "2.0", 2)


def test_one_value_and_no_row(file: Path) -> None:
    (found,) = profiles(write(file, "select 7 as x from range(3)"))
    assert found == Profile("x", "integer", 3, 0, 1, "7", "7", "7", top=(("7", 3),))
    (found,) = profiles(write(file, "select 7 as x limit 0"))
    assert found == Profile("x", "integer", 0, 0, 0, "", "", "")


def test_of_a_large_table_a_sample_is_counted(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_tab, "_MAX_ROWS", 50_000)
    (found,) = profiles(write(file, "select i from range(200000) t(i)"))
    assert 0 < found.rows < 200_000
    assert sum(found.bars) == found.distinct == found.rows


def test_a_profile_has_a_picture_for_each_column(shop: SmallMesh) -> None:
    page = render(profile_tab.render_profile, shop)
    assert page.texts[0].startswith("Counted over 30 of 30 rows of snapshot ")
    assert page.rows[1] == ["sale_id; bigint", "none", "30", "; 1 … 30, median 15"]
    assert page.rows[2] == ["item; varchar", "none", "2", " tea 66.7 %;  cake 33.3 %"]
    assert page.pictures[0] == "15 bars from 1 to 30, the highest 2 rows"
