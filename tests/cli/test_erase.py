import json
import shutil
import subprocess
import sys

import polars as pl
import pytest

from kit.sync.sync import sync
from tests.build.test_snapshots import Prices
from tests.support.days import write_days
from tests.support.small_mesh import SALES, SmallMesh


def test_a_look_prints_places_without_the_value_and_nothing_goes_without_consent(small: SmallMesh) -> None:
    raw = small.config.storage / "raw/shop/sales/1.parquet"
    raw.parent.mkdir(parents=True)
    pl.DataFrame({"sale_id": [4711001], "item": ["tea"]}).write_parquet(raw)
    look = small.kit("erase", "sale_id=4711001", "--dry-run")
    line = "  raw data of shop sales: state/raw/shop/sales/1.parquet (sale_id), 1 row\n"
    assert (look.returncode, look.stdout, look.stderr) == (0, line, "")
    (place,) = json.loads(small.kit("erase", "sale_id=4711001", "--dry-run", "--json").stdout)["found"]
    assert (place["product"], place["path"], place["rows"]) == ("shop", "state/raw/shop/sales/1.parquet", 1)
    refused = small.kit("erase", "sale_id=4711001", "--json")
    assert (refused.returncode, raw.exists()) == (1, True)
    assert refused.stderr == "error: nothing was erased; add --yes to erase without a question, or --dry-run to look only\n"
    nobody = small.kit("erase", "sale_id=4711002", "--yes")
    assert (nobody.returncode, nobody.stdout) == (0, "no row with this sale_id was found\n")
    assert not (small.config.storage / "erased.json").exists()


def test_wrong_arguments_are_one_sentence(small: SmallMesh) -> None:
    assert "write a column and a value, such as" in small.kit("erase", "sale_id").stderr
    unknown = small.kit("erase", "sale=1", "--product", "shop")
    assert (unknown.returncode, unknown.stderr) == (
        1, "error: no contract of these products has a column 'sale'; there are: amount, item, sale_id, sold_on\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    "value", ["\udcff\udcfe tea", "te\0a", "(tea|[", "'; drop", "tea\\", "\t tea #&~", "a" * 70_000, "%_*"]
)
def test_whatever_the_value_is_there_is_no_traceback(small: SmallMesh, value: str) -> None:
    (small.config.storage / "report.html").parent.mkdir(parents=True, exist_ok=True)
    (small.config.storage / "report.html").write_text("<td>tea</td>")
    raw = small.config.storage / "raw/shop/sales/1.parquet"
    raw.parent.mkdir(parents=True)
    pl.DataFrame({"sale_id": [1], "item": ["tea"]}).write_parquet(raw)
    done = small.kit("erase", f"item={value}", "--dry-run")
    if "\udcff" not in value:
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("no row with this item was found\n")
    else:
        assert (done.returncode, "the value is no text in UTF-8" in done.stderr) == (2, True)


def erase_from_input(small: SmallMesh, value: str, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "kit", "erase", "item=-", *options]
    return subprocess.run(
        command, cwd=small.root, input=value, capture_output=True, encoding="utf-8", errors="surrogateescape", check=False
    )


@pytest.mark.slow
def test_a_value_from_standard_input_is_erased_from_a_history_whose_other_rows_stay(small: SmallMesh) -> None:
    prices = Prices(small, strategy="timestamp", updated_at="changed_at", hard_deletes="invalidate")
    prices.offer({"tea": ("1.00", "2024-01-01"), "cake-of-mary": ("2.00", "2024-01-01")})
    small.publish("shop")
    prices.offer({"tea": ("1.10", "2024-01-02")})  # the source has neither of the old rows
    assert small.build("shop").status == "published"
    assert [row[0] for row in prices.history()] == ["cake-of-mary", "tea", "tea"]
    empty = erase_from_input(small, "\n", "--dry-run")
    assert (empty.returncode, "write a column and a value" in empty.stderr) == (2, True)
    assert "no text in UTF-8" in erase_from_input(small, "\udcff\n", "--dry-run").stderr
    done = erase_from_input(small, "cake-of-mary\r\n", "--yes")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "a search of the whole storage finds nothing any more" in done.stdout
    assert prices.history() == [("tea", "1.00", False), ("tea", "1.10", True)]
    files = [path for path in small.config.storage.rglob("*") if path.is_file()]
    assert [path for path in files if b"cake-of-mary" in path.read_bytes()] == []


@pytest.mark.heavy
def test_days_that_no_source_has_any_more_stay_without_the_erased_rows(small: SmallMesh) -> None:
    shutil.rmtree(small.domains / "plan")
    small.replace("domains/shop/contracts/totals.odcs.yaml", '"name": "totals add up"', '"severity": "warning", "name": "sum"')
    write_days(small.domains / "days", start="2024-01-02", lookback=2)
    sync(small.context)
    small.publish("shop")
    small.publish("days")

    def days() -> list[str]:
        snapshot = small.store.current("days")
        assert snapshot
        return sorted(pl.read_parquet(snapshot.paths("takings"))["sold_on"].cast(str).to_list())

    before = days()
    small.feed_rows([row for row in SALES if not row.endswith("2024-01-05")])
    done = small.kit("erase", "sold_on=2024-01-04", "--yes")
    left = done.stdout.partition("still found:\n")[2].partition("not reached:")[0].splitlines()
    assert len(left) == 2, done.stdout + done.stderr
    assert all(line.startswith("  manifest of days") for line in left)  # a day names a partition; a person does not
    assert {"2024-01-04", "2024-01-05"} <= set(before)
    assert days() == [day for day in before if day != "2024-01-04"]
