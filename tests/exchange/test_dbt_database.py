import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support.limits import HANG
from tests.support.plain_dbt import plain_dbt, published_files
from tests.support.small_mesh import SALES, SmallMesh, write


def rows(small: SmallMesh, product: str, sql: str) -> list[tuple[Any, ...]]:
    storage = small.config.storage
    with duckdb.connect(str(storage / f"dbt/{product}.duckdb"), read_only=True) as connection:
        connection.execute(f"attach '{storage / 'mesh.duckdb'}' as mesh (read_only)")
        return connection.execute(sql).fetchall()


def dbt(small: SmallMesh, product: str, *arguments: str, **environment: str) -> str:
    """The output of dbt in a domain folder, as a person runs it, with no variable of the kit but those given."""
    done = plain_dbt(small.domains / product, *arguments, **environment)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


def same_rows(small: SmallMesh, product: str, port: str) -> bool:
    (differing,) = rows(
        small, product,
        f"select count(*) from ((from mesh.{product}.{port} except all from {port}) "
        f"union all (from {port} except all from mesh.{product}.{port}))",
    )  # fmt: skip
    (number,) = rows(small, product, f"select count(*) from {port}")
    return differing == (0,) and number[0] > 0


def quarantine_and_mask(small: SmallMesh) -> None:
    """Let the source set one row aside and mask a column."""
    path = small.domains / "shop/sources/sales.odcs.yaml"
    data = json.loads(path.read_text())
    item, amount = data["schema"][0]["properties"][1:3]
    item["quality"][0]["customProperties"] = [{"property": "onFailure", "value": "quarantine"}]
    amount["customProperties"] = [{"property": "mask", "value": {"generalise": 10}}]
    data["customProperties"] = [*data["customProperties"], {"property": "quarantineLimit", "value": 0.5}]
    path.write_text(json.dumps(data))
    small.replace("domains/shop/contracts/totals.odcs.yaml", "from raw.sales", "from sales")
    small.feed_rows([*SALES, "99,soap,9.50,2024-01-09"])


def test_a_build_leaves_sources_as_its_models_read_them(small: SmallMesh) -> None:
    assert small.build("shop").message == ""
    link = small.config.storage / "dbt/shop/sales.parquet"
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert rows(small, "shop", "select count(*), sum(amount)::int from raw.sales") == [(30, 480)]
    quarantine_and_mask(small)
    outcome = small.build("shop")
    assert outcome.status == "published", outcome.message
    assert not link.is_symlink()
    assert rows(small, "shop", "select count(*), sum(amount)::int % 10 from raw.sales") == [(30, 0)]


def test_the_database_is_opened_only_when_columns_change(small: SmallMesh) -> None:
    small.build("shop")
    code = f"import duckdb; c = duckdb.connect({str(small.config.storage / 'dbt/shop.duckdb')!r}); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as person:
        assert person.stdout is not None
        person.stdout.readline()
        small.feed_rows(SALES[:-1])
        assert small.build("shop").message == ""
        views = small.config.storage / "dbt/shop/views.sql"
        views.write_text("of other columns")
        outcome = small.build("shop", force=True)
        assert outcome.status == "published"
        assert outcome.message == (
            f"dbt_database: {small.config.storage}/dbt/shop.duckdb has older sources: another program has it open; close it, "
            "then run `kit run shop --force`"
        )
        person.communicate("\n", timeout=HANG)
    assert small.build("shop", force=True).message == ""
    assert rows(small, "shop", "select count(*) from raw.sales") == [(29,)]


@pytest.mark.slow
def test_plain_dbt_makes_the_rows_of_the_ports(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    quarantine_and_mask(small)
    small.dbt_reader("reader", "amount", "1.0.0")
    small.kit("sync", check=True)
    before = plain_dbt(small.domains / "shop", "build")
    assert (before.returncode, 'state/dbt/shop.duckdb": No such file' in before.stdout) == (2, True)
    for product in ("shop", "reader"):
        outcome = small.build(product)
        assert outcome.status == "published", outcome.message
        published = published_files(small.config.storage)
        dbt(small, product, "build")
        dbt(small, product, "docs", "generate")
    assert [same_rows(small, *port) for port in (("shop", "sales"), ("shop", "totals"), ("reader", "copy"))] == [True] * 3
    assert "cake" in dbt(small, "shop", "show", "--select", "totals")
    assert published_files(small.config.storage) == published
    assert json.loads((small.domains / "shop/target/catalog.json").read_text())["nodes"].keys() >= {"model.shop.totals"}
    assert small.build("reader").status == "up to date"  # the files of dbt are no code
    assert any(path.is_dir() for path in (small.domains / "shop/target").rglob("*.yml"))
    monkeypatch.setenv("TILL_TOKEN", "open-sesame-17")  # a build with secrets looks through the templates
    # A new snapshot of the provider is seen without another build.
    small.feed_rows([*SALES[:-1], "99,soap,9.50,2024-01-09"])
    assert small.build("shop").status == "published"
    assert rows(small, "reader", "select sum(amount) from shop.totals") == rows(
        small, "reader", "select sum(amount) from mesh.shop.totals"
    )


@pytest.mark.heavy
def test_plain_dbt_works_during_a_build_after_prune_and_in_another_storage(small: SmallMesh, tmp_path: Path) -> None:
    small.publish("shop")
    small.feed_rows(SALES[:-1])
    assert small.build("shop").status == "published"
    assert small.kit("prune", "--keep", "1").returncode == 0
    dbt(small, "shop", "build")
    assert same_rows(small, "shop", "sales")
    command = [sys.executable, "-m", "kit", "run", "shop", "--force"]
    with subprocess.Popen(command, cwd=small.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as going_on:
        dbt(small, "shop", "build")
        printed, _ = going_on.communicate(timeout=200)
        assert going_on.returncode == 0, printed
    assert same_rows(small, "shop", "sales")
    elsewhere = str(tmp_path / "elsewhere")
    done = small.kit("run", "shop", KIT_STORAGE=elsewhere)
    assert done.returncode == 0, done.stderr
    small.feed_rows(SALES)  # what is read is in that storage
    assert "29" in dbt(small, "shop", "show", "--inline", "select count(*) from mesh.shop.sales", KIT_STORAGE=elsewhere)
    dbt(small, "shop", "build", KIT_STORAGE=elsewhere)


@pytest.mark.heavy
def test_packages_that_a_team_installs_work_in_builds(small: SmallMesh) -> None:
    shop = small.domains / "shop"
    write(shop / "tools/dbt_project.yml", "name: tools\nversion: 1.0.0\nmodels: {tools: {+materialized: table}}\n")
    write(shop / "tools/macros/half.sql", "{% macro half(column) %}({{ column }} / 2)::decimal(8,2){% endmacro %}\n")
    write(shop / "tools/models/items.sql", "select item from {{ ref('known') }}\n")
    write(shop / "tools/seeds/known.csv", "item\ntea\ncake\n")
    write(shop / "packages.yml", "packages: [{local: tools}]\n")
    write(
        shop / "models/marts/sales.sql",
        "select sales.* replace ((2 * {{ tools.half('amount') }})::decimal(10,2) as amount)\n"
        "from {{ source('raw', 'sales') }} as sales join {{ ref('tools', 'items') }} using (item) order by sale_id\n",
    )
    assert "dbt deps" in small.build("shop").message
    dbt(small, "shop", "deps")
    outcome = small.build("shop")
    assert outcome.status == "published", outcome.message
    assert small.build("shop").status == "up to date"
    dbt(small, "shop", "build")
    assert same_rows(small, "shop", "sales")
    checked = small.kit("check")
    assert checked.returncode == 0, checked.stdout
    write(shop / "tools/models/items.sql", "{{ config(materialized='external') }}select 'tea' as item\n")
    assert "an external model writes files of its own" in small.build("shop").message
    write(shop / "tools/models/items.sql", "select content as item from read_text('/etc/hostname')\n")
    assert "'/etc/hostname' is not allowed" in small.build("shop").message

    # The same package from git.
    write(shop / "tools/models/items.sql", "select item from {{ ref('known') }}\n")
    origin = (shop / "tools").rename(small.root / "tools")
    for arguments in (
        "init --quiet",
        "add .",
        "-c user.name=Ann -c user.email=ann@example.com commit --quiet -m one",
        "tag v1",
    ):
        subprocess.run(["git", *arguments.split()], cwd=origin, check=True)
    shutil.rmtree(shop / "dbt_packages")
    write(shop / "packages.yml", f"packages: [{{git: 'file://{origin}', revision: v1}}]\n")
    assert "dbt deps" in small.build("shop").message
    dbt(small, "shop", "deps")
    assert (shop / "dbt_packages/tools/.git").is_dir()
    outcome = small.build("shop")
    assert outcome.status == "published", outcome.message
