from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit.build.partition_files import carry_over, partition_file, stray_rows
from kit.build.plan import BuildPlan
from kit.core.errors import KitError
from kit.ingest import erase_keys
from kit.mesh.product import DataProduct
from kit.storage.snapshot import Snapshot
from tests.support.small_mesh import SmallMesh


@pytest.fixture
def product(small: SmallMesh) -> DataProduct:
    small.partitioned_plan("tea", "cake")
    return small.product("plan")


def forecast(folder: Path, file: str, **columns: list[Any]) -> Path:
    path = folder / "forecast" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns).write_parquet(path)
    return path


def planned(folder: Path, due: tuple[str, ...] = (), kept: tuple[str, ...] = ()) -> BuildPlan:
    current = Snapshot("plan", "v1", folder, {})
    inputs: Any = None
    return BuildPlan(None, inputs, "", "", None, current, dict.fromkeys(due, "f"), dict.fromkeys(kept, "f"))


def test_files_are_named_by_partition() -> None:
    assert (partition_file(None), partition_file("tea")) == ("data.parquet", "tea.parquet")


def test_kept_partitions_are_linked(small: SmallMesh, product: DataProduct, tmp_path: Path) -> None:
    old = forecast(tmp_path / "v1", "tea.parquet", item=["tea"], amount=[1.0])
    forecast(tmp_path / "v1", "cake.parquet", item=["cake"], amount=[2.0])
    (tmp_path / "new/forecast").mkdir(parents=True)
    carry_over(small.config, product, planned(tmp_path / "v1", kept=("tea",)), tmp_path / "new")
    (linked,) = (tmp_path / "new/forecast").iterdir()
    assert (linked.name, linked.samefile(old)) == ("tea.parquet", True)


def test_a_kept_partition_loses_the_erased_rows_alone(small: SmallMesh, product: DataProduct, tmp_path: Path) -> None:
    erase_keys(small.config.storage, {"plan.forecast": {"amount": ["2.0"]}})
    forecast(tmp_path / "v1", "tea.parquet", item=["tea", "tea"], amount=[1.0, 2.0])
    cake = forecast(tmp_path / "v1", "cake.parquet", item=["cake"], amount=[3.0])
    (tmp_path / "new/forecast").mkdir(parents=True)
    carry_over(small.config, product, planned(tmp_path / "v1", kept=("tea", "cake")), tmp_path / "new")
    assert pl.read_parquet(tmp_path / "new/forecast/tea.parquet").rows() == [("tea", 1.0)]
    assert (tmp_path / "new/forecast/cake.parquet").samefile(cake)


@pytest.mark.parametrize("columns", [{"item": ["tea"], "amount": [1]}, {"item": ["tea"]}])
def test_a_kept_partition_must_have_the_columns_of_the_contract(
    small: SmallMesh, product: DataProduct, tmp_path: Path, columns: dict[str, list[Any]]
) -> None:
    forecast(tmp_path / "v1", "tea.parquet", **columns)
    with pytest.raises(KitError, match="partition tea of the port 'forecast' was built with other columns"):
        carry_over(small.config, product, planned(tmp_path / "v1", kept=("tea",)), tmp_path / "new")


def test_rows_of_another_partition_are_counted(product: DataProduct, tmp_path: Path) -> None:
    forecast(tmp_path, "tea.parquet", item=["tea", "cake", None], amount=[1.0, 2.0, 3.0])
    forecast(tmp_path, "cake.parquet", item=["cake"], amount=[2.0])
    (check,) = stray_rows(product, planned(tmp_path, due=("tea", "cake")), tmp_path)
    assert (check.table, check.rule, check.passed, check.observed) == (
        "forecast", "every row lies in the partition of its item", False, "2 rows in partition tea of others"
    )  # fmt: skip
    (check,) = stray_rows(product, planned(tmp_path, due=("cake",)), tmp_path)
    assert (check.passed, check.observed) == (True, "")
