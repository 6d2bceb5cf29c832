"""Erased keys are known by hashes, and their rows do not land."""

from pathlib import Path

import polars as pl
import pytest

from kit.core.errors import InvalidFile
from kit.ingest.erased import FILE, ErasedKeys, erase_keys


def test_rows_of_erased_keys_are_left_out_and_no_value_is_in_the_list(tmp_path: Path) -> None:
    table, rest = tmp_path / "a.parquet", tmp_path / "b.parquet"
    pl.DataFrame({"id": [4711, 2, None], "name": ["Mary", "Bob", None]}).write_parquet(table)
    nothing = ErasedKeys.load(tmp_path, "shop.people")
    assert (nothing.digest("abc"), nothing.remove_rows(table, rest), rest.exists()) == ("abc", 0, False)
    erase_keys(tmp_path, {"shop.people": {"id": ["4711"]}})
    erase_keys(tmp_path, {"shop.people": {"id": ["9"], "other": ["1"]}, "shop.orders": {"id": ["2"]}})
    erased = ErasedKeys.load(tmp_path, "shop.people")
    assert (erased.remove_rows(table, rest), pl.read_parquet(rest)["id"].to_list()) == (1, [2, None])
    assert erased.digest("abc") != "abc"
    assert "4711" not in (tmp_path / FILE).read_text()
    assert erased.salt == ErasedKeys.load(tmp_path, "shop.orders").salt


def test_nothing_lands_with_a_damaged_list(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    with pytest.raises(InvalidFile, match="the list of erased keys cannot be used, so nothing is built"):
        ErasedKeys.load(tmp_path, "shop.people")
