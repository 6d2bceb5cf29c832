import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from kit.core.errors import InvalidFile
from kit.quality.evaluation import batch_of, error_of, run, source_of
from tests.support.limits import HANG


def test_expectations_are_evaluated_on_the_files_of_a_table_in_their_order(tmp_path: Path) -> None:
    pl.DataFrame({"id": [1, 1]}).write_parquet(tmp_path / "a.parquet")
    same = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}}
    items = [same, {"type": "expect_column_to_exist", "kwargs": {"column": "id"}}, same, {**same, "kwargs": {"column": "no"}}]
    with source_of({"shop.things": [tmp_path / "a.parquet"]}) as source:
        results = run(batch_of(source, "shop.things"), "shop.things", items, "BASIC")
    assert [result["success"] for result in results] == [False, True, False, False]
    assert [error_of(result) for result in results] == [
        "", "", "", 'could not be evaluated: Error: The column "no" in BatchData does not exist.',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ({"type": "expect_x", "kwargs": {}}, "things: expect_x is no expectation that is installed"),
        (
            {"type": "expect_table_row_count_to_equal", "kwargs": {"value": {"$PARAMETER": "n"}}},
            "things: cannot be run: No value found for $PARAMETER n",
        ),
    ],
)
def test_an_expectation_that_cannot_be_run_is_refused_by_name(tmp_path: Path, item: dict[str, object], problem: str) -> None:
    pl.DataFrame({"id": [1]}).write_parquet(tmp_path / "a.parquet")
    with source_of({"things": [tmp_path / "a.parquet"]}) as source, pytest.raises(InvalidFile) as caught:
        run(batch_of(source, "things"), "things", [item], "BASIC")
    assert caught.value.problem == problem


def test_great_expectations_writes_nothing_into_the_output_of_a_command(tmp_path: Path) -> None:
    """Another library may have given the root logger a handler; a module of Great Expectations sets its own level."""
    pl.DataFrame({"id": [1]}).write_parquet(tmp_path / "a.parquet")
    code = (
        "import logging, pathlib; logging.basicConfig(level=logging.INFO)\n"
        "from kit.quality.evaluation import source_of\n"
        f"with source_of({{'a': [pathlib.Path({str(tmp_path / 'a.parquet')!r})]}}): pass"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=HANG)
    assert "great_expectations" not in done.stderr


def test_a_validation_writes_no_configuration_of_its_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = list[object]()
    monkeypatch.setattr("great_expectations.data_context.types.base.BaseYamlConfig.to_yaml_str", written.append)
    path = tmp_path / "things.parquet"
    pl.DataFrame({"id": [1]}).write_parquet(path)
    with source_of({"things": [path]}) as source:
        run(
            batch_of(source, "things"), "things", [{"type": "expect_table_row_count_to_equal", "kwargs": {"value": 1}}], "BASIC"
        )
    assert written == []


def test_the_judge_comes_without_what_few_expectations_use(tmp_path: Path) -> None:
    path = tmp_path / "things.parquet"
    pl.DataFrame({"kind": ["a", "b", "b", "b"]}).write_parquet(path)
    code = f"""
import sys
from pathlib import Path
from kit.quality.evaluation import batch_of, load_judge, run, source_of
load_judge()
print([name for name in sys.modules if name in ("altair", "scipy.stats")])
shares = {{"values": ["a", "b"], "weights": [0.25, 0.75]}}
item = {{"column": "kind", "partition_object": shares, "threshold": 0.01}}
with source_of({{"things": [Path({str(path)!r})]}}) as source:
    items = [{{"type": "expect_column_kl_divergence_to_be_less_than", "kwargs": item}}]
    (result,) = run(batch_of(source, "things"), "things", items, "BASIC")
print(result["success"], result["result"]["observed_value"])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ["[]", "True 0.0"]
