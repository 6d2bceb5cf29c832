from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from kit.cli.main import app
from kit.core.errors import KitError
from kit.core.files import read_text
from kit.governance.check import check_mesh
from kit.lineage.graph import lineage
from tests.scaffold.test_new import tree
from tests.support.dbt_kiosk import write_kiosk
from tests.support.files import replace, write
from tests.support.small_mesh import SmallMesh


@pytest.fixture
def kiosk(small: SmallMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(small.root)
    return write_kiosk(tmp_path / "theirs")


def take_over(*arguments: object) -> str:
    """The output of `kit new kiosk --from-dbt …`."""
    done = CliRunner().invoke(app, ["new", "kiosk", "--owner", "Ann Lee <ann@example.com>", "--from-dbt", *map(str, arguments)])
    assert done.exception is None, done.exception
    return done.stdout


def refused(*arguments: object) -> list[str]:
    """The lines of the error."""
    done = CliRunner().invoke(app, ["new", "kiosk", "--owner", "Ann Lee <ann@example.com>", "--from-dbt", *map(str, arguments)])
    assert isinstance(done.exception, KitError)
    return str(done.exception).splitlines()


@pytest.mark.slow
def test_a_project_becomes_a_product_that_is_built_and_checked(small: SmallMesh, kiosk: Path) -> None:
    small.publish("shop")
    theirs = tree(kiosk)
    said = take_over(kiosk)
    assert tree(kiosk) == theirs
    outcome = small.build("kiosk")
    assert outcome.status == "published", outcome.message
    product = small.product("kiosk")
    folder = product.folder
    assert [port.name for port in product.ports] == ["drinks", "guests"]
    assert [item.name for item in product.inputs] == ["shop.totals"]
    assert [source.name for source in product.sources] == ["raw_menu"]
    # Every finding is a text or a classification to be written, or a proposal for a name.
    assert [str(finding) for finding in check_mesh(small.context) if "still to be written" not in finding.message] == []

    # What was seen stays, in place of it where a contract has it now.
    for name in ("macros/to_euros.sql", "seeds/raw_guests.csv", "transform/staging/stg_orders.sql", "transform/docs.md"):
        assert (folder / name).read_bytes() == (kiosk / name).read_bytes(), name
    assert not any((folder / name).exists() for name in ("target", "seeds/demo", "transform/guests.yaml"))
    assert "Written by `kit sync`" in (folder / "profiles.yml").read_text()
    settings = yaml.safe_load(read_text(folder / "dbt_project.yml"))
    assert settings["profile"] == "kit"
    assert settings["macro-paths"][0] == "macros"
    assert settings["models"]["kiosk_analytics"]["guests"] == {"+materialized": "published"}
    sources = read_text(folder / "transform/staging/_sources.yml")
    assert "  # The till writes it once a night.\n  - name: till\n    schema: raw\n    tables:" in sources
    assert "        identifier: raw_menu\n" in sources
    assert "select\n    * replace (\n        cast(teas as bigint) as teas\n    )\nfrom final\norder by guest_id\n" in read_text(
        folder / "transform/guests.sql"
    )
    nodes = lineage(small.mesh)
    assert nodes["kiosk.stg_menu"].reads == ("kiosk.raw.raw_menu",)

    # Descriptions and tests are in the contracts, what no contract can promise below the generated block.
    guests = product.port("guests")
    assert guests is not None
    assert guests.contract.description == "Everybody who ever ordered. One row per guest."
    assert guests.contract.key == ("guest_id",)
    assert {column.name: column.type for column in guests.contract.columns}["teas"] == "bigint"
    written = read_text(folder / "transform/guests.yml")
    assert written.partition("other keys of the model.\n")[2] == "    meta: {owner: kiosk}\n"
    drinks = product.port("drinks")
    assert drinks is not None
    assert drinks.contract.key == ("drink", "ordered_on")
    rest = read_text(folder / "transform/finance/drinks.yml").partition("other keys of the model.\n")[2]
    assert (
        "      - relationships:\n          arguments: {column_name: drink, to: \"source('till', 'menu')\", field: drink}\n"
        in rest
    )
    assert "unit_tests:\n  - name: counts\n" in rest
    schema = read_text(folder / "transform/schema.yml")
    assert "name: guests" not in schema
    assert "  # What they buy.\n  - name: orders\n" in schema
    assert "theirs/transform/schema.yml:15: describes the column nickname, which guests does not have" in said
    assert "theirs/transform/schema.yml:9: meta of the column guest_id is not in the contract; add it there by hand" in said
    assert "theirs/transform/schema.yml:44: exposures stay in this file; only dbt reads them" in said


@pytest.mark.slow
def test_models_are_chosen_and_their_tests_become_promises(small: SmallMesh, kiosk: Path) -> None:
    small.publish("shop")
    take_over(kiosk, "--port", "orders", "--port", "guests")
    product = small.product("kiosk")
    orders = product.port("orders")
    assert orders is not None
    assert [port.name for port in product.ports] == ["orders", "guests"]
    assert orders.contract.description == "One row per order,\nas the till has it."
    rules = [rule.name for rule in orders.contract.rules]
    assert "drink is one of 2 values" in rules
    (warned,) = (rule for rule in orders.contract.rules if rule.severity == "warning")
    assert warned.name.endswith("price is required")
    rest = read_text(product.folder / "transform/orders.yml").partition("other keys of the model.\n")[2]
    assert yaml.safe_load(rest) == [
        {"dbt_utils.expression_is_true": {"expression": "amount >= 0"}},
        {"relationships": {"arguments": {"column_name": "guest_id", "to": "ref('stg_guests')", "field": "guest_id"}}},
        {"not_null": {"config": {"where": "order_id > 5"}, "arguments": {"column_name": "drink"}}},
    ]
    settings = yaml.safe_load(read_text(product.folder / "dbt_project.yml"))["models"]["kiosk_analytics"]
    assert settings["orders"] == {"+tags": ["nightly"], "+materialized": "published"}
    assert "materialized='published'" in read_text(product.folder / "transform/orders.sql")
    assert not (product.folder / "transform/schema.yml").is_file() or "models:" not in read_text(
        product.folder / "transform/schema.yml"
    )


def test_all_that_cannot_be_taken_over_is_one_list(small: SmallMesh, kiosk: Path) -> None:
    write(kiosk / "snapshots/history.sql", "{% snapshot history %}select 1 as a{% endsnapshot %}\n")
    write(kiosk / "transform/daily.sql", "{{ config(\n    materialized='incremental') }}\nselect 1 as a\n")
    write(kiosk / "transform/model.py", "def model(dbt, session):\n    return None\n")
    write(kiosk / "packages.yml", "packages:\n  - package: dbt-labs/dbt_utils\n  - package: acme/dates\n")
    (kiosk / "seeds/linked.csv").symlink_to(kiosk / "profiles.yml")
    before = tree(small.domains)
    first, *lines = refused(kiosk)
    assert first == "theirs cannot be taken over as it is; nothing was written:"
    places = {line.strip().removeprefix("theirs/").partition(": ")[0] for line in lines}
    assert places == {
        "snapshots/history.sql:1",
        "transform/daily.sql:2",
        "transform/model.py:1",
        "packages.yml:3",
        "seeds/linked.csv:1",
    }
    missing = "the package acme/dates is not installed in dbt_packages"
    assert f"  theirs/packages.yml:3: {missing}; run `dbt deps` in theirs, or remove the package and what uses it" in lines
    assert tree(small.domains) == before


def test_sources_without_data_types_without_contract_and_broken_models_are_refused(small: SmallMesh, kiosk: Path) -> None:
    small.publish("shop")
    before = tree(small.domains)
    (kiosk / "seeds/demo/RAW_MENU.csv").unlink()
    assert refused(kiosk)[1:] == [
        "  theirs/transform/staging/_sources.yml:8: the source till.menu has no data here; "
        "add --source till.menu=FILE, or =PRODUCT.PORT"
    ]
    write(small.root / "menu.csv", "drink,price\ntea,2.40\n")
    given = ["--source", "till.menu=menu.csv"]
    assert refused(kiosk, "--source", "till.meals=menu.csv") == [
        "--source till.meals: the project reads no such source; it reads: shop.totals, till.menu"
    ]
    replace(kiosk / "transform/guests.sql", "max(orders.ordered_on) as newest", "{'a': 1} as newest")
    (problem,) = refused(kiosk, *given)[1:]
    assert problem.startswith("  theirs/transform/guests.sql:1: the column 'newest' is struct(a integer), which no contract")
    replace(kiosk / "transform/guests.sql", "{'a': 1} as newest", "nothing as newest")
    (said,) = refused(kiosk, *given)
    assert said.startswith("'kiosk': dbt failed at 1 of 8 nodes: transform/guests.sql: ")
    assert refused(kiosk, "--port", "gone") == [
        "theirs has no model 'gone'; there are: drinks, guests, orders, stg_guests, stg_menu, stg_orders"
    ]
    assert tree(small.domains) == before
