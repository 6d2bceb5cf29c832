from datetime import datetime, timedelta

import duckdb
import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from kit.cli.contract import app
from kit.contracts.contract import Contract
from kit.core.errors import KitError
from kit.scaffold.contract_draft import draft
from tests.support.small_mesh import SmallMesh


def test_a_draft_is_printed_written_once_and_never_over_a_contract(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    rows = small.root / "rows.parquet"
    duckdb.sql(f"copy (select 1 as item_id, 'tea' as item) to '{rows}' (format parquet)")
    drafted = draft([rows], "shop.items")
    call = ["draft", "shop.items", "--file", str(rows)]
    assert CliRunner().invoke(app, call).stdout == drafted
    path = small.domains / "shop/contracts/items.odcs.yaml"
    assert not path.exists()
    assert CliRunner().invoke(app, [*call, "--write"]).stdout == "written: domains/shop/contracts/items.odcs.yaml\n"
    assert path.read_text() == drafted
    assert Contract.load(path).id == "shop.items"
    again = CliRunner().invoke(app, [*call, "--write"]).exception
    assert isinstance(again, KitError)
    assert str(again) == "domains/shop/contracts/items.odcs.yaml: exists already; a draft never replaces a contract"


@pytest.mark.parametrize(
    ("port", "problem"),
    [
        (
            "shop.gone",
            "'shop.gone' has no snapshot, and 'shop' has no model 'gone'; or name Parquet files with --file",
        ),
        (
            "nobody.totals",
            "'nobody.totals' has no snapshot, and there is no data product 'nobody'; there are: plan, shop; "
            "or name Parquet files with --file",
        ),
        ("../x.y", "'../x.y' is no port; write PRODUCT.PORT"),
    ],
)
def test_without_rows_to_look_at_there_is_no_draft(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, port: str, problem: str
) -> None:
    monkeypatch.chdir(small.root)
    assert str(CliRunner().invoke(app, ["draft", port]).exception) == problem


def test_a_port_is_declared_after_its_draft(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    (small.domains / "shop/contracts/totals.odcs.yaml").unlink()
    says = str(CliRunner().invoke(app, ["draft", "shop.totals"]).exception)
    assert says.startswith("'shop.totals' has no snapshot, and the data product 'shop' is broken: domains/shop/product")
    assert says.endswith("; declare the port after that, or name Parquet files with --file")


def test_a_draft_comes_from_the_current_snapshot(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    small.publish("shop")
    current = small.store.current("shop")
    assert current is not None
    done = CliRunner().invoke(app, ["draft", "shop.totals"])
    assert done.stdout == draft(sorted((current.folder / "totals").glob("*.parquet")), "shop.totals")


def test_a_file_is_drafted_in_the_types_in_which_a_source_lands_it(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    at = pl.Series("at", [datetime(2024, 1, 31)], dtype=pl.Datetime("ns"))
    pl.DataFrame([at, pl.Series("kind", ["a"], dtype=pl.Categorical)]).write_parquet("rows.parquet")
    text = CliRunner().invoke(app, ["draft", "shop.items", "--file", "rows.parquet"]).stdout
    columns = yaml.safe_load(text)["schema"][0]["properties"]
    assert [(column["name"], column["physicalType"]) for column in columns] == [("at", "timestamp"), ("kind", "varchar")]


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (pl.Series("took", [timedelta(seconds=1)]), "rows.parquet: 'took' is Duration, which no column can hold"),
        (pl.Series("At", [1]), "rows.parquet: the column 'At' cannot be promised; rename it"),
    ],
)
def test_a_file_that_a_source_could_not_land_has_no_draft(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, column: pl.Series, says: str
) -> None:
    monkeypatch.chdir(small.root)
    pl.DataFrame([column]).write_parquet("rows.parquet")
    error = CliRunner().invoke(app, ["draft", "shop.items", "--file", "rows.parquet"]).exception
    assert isinstance(error, KitError)
    assert str(error).startswith(says)
    no_parquet = CliRunner().invoke(app, ["draft", "shop.items", "--file", "rows.csv"]).exception
    assert str(no_parquet).startswith("rows.csv is no Parquet file; `kit new port ")
