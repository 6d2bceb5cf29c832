import json
import shlex
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
from tests.support.small_mesh import SmallMesh, write


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
    again = CliRunner().invoke(app, [*call, "--write"])
    assert again.stdout == "domains/shop/contracts/items.odcs.yaml: has every column of the data; nothing was written\n"
    assert path.read_text() == drafted


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
        ("../x.y", "'../x.y' is no port; write PRODUCT.PORT, or PRODUCT.raw.SOURCE for raw data"),
    ],
)
def test_without_rows_to_look_at_there_is_no_draft(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, port: str, problem: str
) -> None:
    monkeypatch.chdir(small.root)
    assert str(CliRunner().invoke(app, ["draft", port]).exception) == problem


def test_a_port_that_was_never_built_needs_no_contract(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    monkeypatch.setenv("KIT_STORAGE", str(small.config.storage))
    path = small.domains / "shop/contracts/totals.odcs.yaml"
    path.unlink()
    assert [item.name for item in small.mesh.broken] == ["shop"]
    done = CliRunner().invoke(app, ["draft", "shop.totals", "--write"])
    assert done.exception is None, done.exception
    assert [(column.name, column.type) for column in Contract.load(path).columns] == [
        ("item", "varchar"), ("amount", "decimal(18,2)"),
    ]  # fmt: skip
    assert small.mesh.broken == ()


def test_a_changed_model_adds_its_columns_to_the_contract_and_takes_nothing_away(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small.root)
    small.publish("shop")
    path = small.domains / "shop/contracts/totals.odcs.yaml"
    before = json.loads(path.read_text())
    small.replace(
        "domains/shop/models/marts/totals.sql", "sum(amount)::decimal(18,2) as amount", "count(*) as lines, 1.5 as amount"
    )
    done = CliRunner().invoke(app, ["draft", "shop.totals", "--write"])
    assert done.exception is None, done.exception
    assert done.stdout == "written: domains/shop/contracts/totals.odcs.yaml, with lines\n"
    problem = "totals.odcs.yaml:22: schema.0.properties.1: amount is decimal(2,1) in the data"
    assert f"{problem}; change the type here, or cast it in the model" in " ".join(done.stderr.split())
    after = json.loads(path.read_text())
    *others, added = after["schema"][0]["properties"]
    assert others == before["schema"][0]["properties"]
    assert (added["name"], added["physicalType"], added["required"]) == ("lines", "bigint", True)


def test_a_source_is_drafted_from_what_its_function_returns(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    path = small.domains / "shop/sources/sales.odcs.yaml"
    path.unlink()
    assert CliRunner().invoke(app, ["draft", "shop.raw.sales", "--write"]).exception is None
    contract = Contract.load(path)
    assert (contract.id, contract.key) == ("shop.raw.sales", ("sale_id",))
    assert [column.type for column in contract.columns] == ["bigint", "varchar", "decimal(18,2)", "date"]
    assert small.mesh.broken == ()
    write(
        small.domains / "shop/ingest.py",
        "import kit.ingest\nimport polars as pl\n\ndef sales():\n"
        "    return kit.ingest.Delivery(pl.DataFrame({'sale_id': [1], 'Shop': ['a']}), '2024-01-01')\n",
    )
    done = CliRunner().invoke(app, ["draft", "shop.raw.sales"])
    assert "        physicalName: Shop\n" in done.stdout
    assert str(CliRunner().invoke(app, ["draft", "shop.raw.none"]).exception).endswith(
        "domains/shop/ingest.py: has no function 'none'; write one that returns a path, a frame, an iterator or a connector"
    )
    assert str(CliRunner().invoke(app, ["draft", "shop.totals", "--csv", "delimiter=;"]).exception) == (
        "--csv is for the CSV file of a source; 'shop.totals' is made from none"
    )


def test_the_first_contract_of_a_source_says_which_places_it_reads(
    small: SmallMesh, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function cannot run without, and a contract with nothing else would not load."""
    monkeypatch.chdir(small.root)
    inbox = tmp_path_factory.mktemp("a") / "in box"  # polars shortens a long path
    write(inbox / "visits.csv", "visit_id,store\n1,a\n")
    write(
        small.domains / "shop/ingest.py",
        (small.domains / "shop/ingest.py").read_text()
        + f"\nimport polars as pl\n\ndef visits(): return pl.read_csv({str(inbox / 'visits.csv')!r})\n",
    )
    descriptor = small.domains / "shop/product.odps.yaml"
    data = json.loads(descriptor.read_text())
    data["inputPorts"].append({"name": "raw.visits", "version": "1.0.0", "contractId": "shop.raw.visits"})
    descriptor.write_text(json.dumps(data))
    error = str(CliRunner().invoke(app, ["draft", "shop.raw.visits"]).exception)
    command = error.partition("write its contract with `kit contract ")[2].rstrip("`")
    assert command == f"draft shop.raw.visits --reads '{inbox}' --write"
    done = CliRunner().invoke(app, shlex.split(command))
    assert done.exception is None, done.exception
    assert Contract.load(small.domains / "shop/sources/visits.odcs.yaml").reads == (str(inbox),)
    assert small.mesh.broken == ()
    path = small.domains / "shop/sources/sales.odcs.yaml"
    path.unlink()  # the product does not load, and yet what its other contracts declare holds
    assert f'value: ["{inbox}"]' in CliRunner().invoke(app, ["draft", "shop.raw.visits"]).stdout
    assert str(CliRunner().invoke(app, ["draft", "shop.totals", "--reads", "x"]).exception) == (
        "--reads is for the function of a source; 'shop.totals' is made from none"
    )


def test_a_notebook_port_is_drafted_from_one_run(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    small.publish("shop")
    path = small.domains / "plan/contracts/forecast.odcs.yaml"
    columns = [column.name for column in Contract.load(path).columns]
    path.unlink()
    done = CliRunner().invoke(app, ["draft", "plan.forecast", "--write"])
    assert done.exception is None, done.exception
    assert [column.name for column in Contract.load(path).columns] == columns


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
