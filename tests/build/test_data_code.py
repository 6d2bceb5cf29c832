"""Texts for people are no code: their edits build nothing, and readers see them all the same."""

import json
from importlib import import_module
from typing import Any

import duckdb
import pytest

from kit.build.data_code import data_code
from kit.core.yaml import read_yaml
from kit.storage import index
from kit.storage.summary import ProductSummary
from kit.sync.sync import sync
from tests.support.small_mesh import SmallMesh, write

SHOP = "domains/shop"
PRODUCT, CONTRACT = "product.odps.yaml", "contracts/totals.odcs.yaml"


def edit(small: SmallMesh, path: str, **fields: Any) -> None:
    """Change fields of a file, of its table (`table__…`) and of its first column (`column__…`)."""
    file = small.root / SHOP / path
    data = json.loads(file.read_text())
    table = data.get("schema", [{}])[0]
    for name, value in fields.items():
        kind, _, field = name.rpartition("__")
        ({"": data, "table": table, "column": table.get("properties", [{}])[0]}[kind])[field] = value
    file.write_text(json.dumps(data, indent=1))


def owner(name: str) -> list[dict[str, str]]:
    return [{"username": f"{name.lower()}@example.com", "name": name, "role": "owner"}]


def new_texts(small: SmallMesh) -> None:
    """New texts wherever there can be some, with the versions that `kit diff` asks for."""
    edit(
        small,
        PRODUCT,
        team=owner("Ada"),
        description={"purpose": "new purpose"},
        tags=["new"],
        domain="retail",
        version="1.0.1",
    )
    edit(
        small, CONTRACT, version="1.0.1", name="New title", tags=["new"], team={"name": "new", "members": owner("Ada")},
        description={"usage": "new usage"}, table__description="One new row.", table__businessName="New name",
        column__description="new item", column__examples=["new"],
    )  # fmt: skip
    edit(small, "sources/sales.odcs.yaml", column__description="new id", table__description="One new sale.")
    data = json.loads((small.root / SHOP / PRODUCT).read_text())
    data["outputPorts"][1] |= {"version": "1.0.1", "description": "new port"}
    (small.root / SHOP / PRODUCT).write_text(json.dumps(data))
    small.replace(f"{SHOP}/models/marts/sales.yml", "- name: adds\n", "- name: adds\n  description: new\n")
    write(small.root / SHOP / "models/words.md", "{% docs words %}new{% enddocs %}\n")
    sync(small.context)


def test_new_texts_build_nothing_and_readers_see_them(small: SmallMesh) -> None:
    small.publish("shop")
    small.publish("plan")
    before = small.store.read_pointer("shop")
    new_texts(small)
    outcome = small.build("shop")
    message = "no data was built; readers see the new texts of descriptor and contracts"
    assert (outcome.status, outcome.message) == ("up to date", message)
    assert small.store.read_pointer("shop") == before  # the version, and when it became current
    # The manifest that is shown, the index and the catalogs of Intake have the new texts, the rows are as they were.
    current = small.store.current("shop")
    assert current is not None
    manifest, port = current.manifest, current.port("totals")
    assert (manifest["about"]["owner"], manifest["about"]["contact"]) == ("Ada", "ada@example.com")
    assert (manifest["product_version"], port["contract_version"]) == ("1.0.1", "1.0.1")
    assert (port["about"]["description"], port["about"]["columns"][0]) == ("new port", ["item", "varchar", "new item"])
    assert manifest["sources"]["sales"]["about"]["description"] == "One new sale."
    (own, *_) = (item for item in index.load(small.context) if item.name == "shop")
    assert (own.owner, own.description, own.tags, own.domain) == ("Ada", "new purpose", ("new",), "retail")
    assert [item.contract_version for item in own.ports] == ["1.0.0", "1.0.1"]
    entry = read_yaml(small.config.storage / "products/shop/catalog.yaml").data["entries"]["totals"]["metadata"]
    assert (entry["owner"], entry["description"], entry["contract_version"]) == ("Ada", "new port", "1.0.1")
    assert read_yaml(small.config.storage / "catalog.yaml").data["entries"]["shop"]["metadata"]["owner"] == "Ada"
    with duckdb.connect(small.config.storage / "mesh.duckdb", read_only=True) as connection:
        query = "select comment from duckdb_columns() where table_name = 'totals' and column_name = 'item'"
        assert connection.execute(query).fetchall() == [("new item",)]
    # The product that reads it has nothing to do, and once more nothing is new.
    assert small.build("plan").status == "up to date"
    assert (small.build("shop").status, small.build("shop").message) == ("up to date", "")


def test_a_product_that_breaks_keeps_the_newest_texts(small: SmallMesh) -> None:
    small.publish("shop")
    new_texts(small)
    small.build("shop")
    write(small.root / SHOP / PRODUCT, "{")
    (broken,) = small.context.mesh.broken
    summary = ProductSummary.from_product(small.config, broken)
    assert (summary.owner, summary.ports[1].description) == ("Ada", "new port")


def test_texts_return_and_a_rollback_shows_those_of_its_snapshot(small: SmallMesh) -> None:
    first = small.publish("shop")
    small.replace(f"{SHOP}/models/marts/totals.sql", "order by item", "order by item desc")
    small.build("shop")
    edit(small, PRODUCT, team=owner("Ada"))
    small.build("shop")
    edit(small, PRODUCT, team=owner("Bo"))
    assert "new texts" in small.build("shop").message
    current = small.store.current("shop")
    assert current is not None
    assert current.manifest["about"]["owner"] == "Bo"
    small.store.rollback("shop", first)
    current = small.store.current("shop")
    assert current is not None
    assert current.manifest["about"]["owner"] == "shop owner"


def test_texts_that_cannot_be_written_fail_no_build(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.publish("shop")
    edit(small, PRODUCT, team=owner("Ada"))

    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kit.storage.store.Store.describe", full)
    outcome = small.build("shop")
    assert outcome.status == "up to date"
    assert outcome.message.startswith("readers see older texts of its contracts: ")


def test_an_older_clone_does_not_bring_its_texts_back(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.publish("shop")
    program = import_module("kit.build.build")
    monkeypatch.setattr(program, "current_commit", lambda root: "bbb")
    edit(small, PRODUCT, team=owner("Ada"))
    small.build("shop")
    monkeypatch.setattr(program, "current_commit", lambda root: "aaa")
    monkeypatch.setattr(program, "relation_of_commits", lambda root, here, other: "older" if here < other else "newer")
    edit(small, PRODUCT, team=owner("Old"))
    assert small.build("shop").message == ""
    current = small.store.current("shop")
    assert current is not None
    assert current.manifest["about"]["owner"] == "Ada"


def test_a_need_with_another_text_makes_nothing_due(small: SmallMesh) -> None:
    path = small.need([("item", "varchar", {"required": True})])
    small.publish("shop")
    path.write_text(path.read_text().replace("the item", "the item that is sold"))
    assert small.build("shop").status == "up to date"
    path.write_text(path.read_text().replace('"required": true', '"required": true, "unique": true'))
    assert small.build("shop").status == "published"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (CONTRACT, {"version": "1.1.0"}),
        (CONTRACT, {"column__classification": "personal"}),
        (CONTRACT, {"table__quality": []}),
        (CONTRACT, {"slaProperties": [{"property": "frequency", "value": 2, "unit": "d"}]}),
        (CONTRACT, {"roles": [{"role": "reader"}]}),
        (PRODUCT, {"customProperties": [{"property": "schedule", "value": "0 6 * * *"}]}),
    ],
)
def test_what_is_no_text_is_code(small: SmallMesh, path: str, fields: dict[str, Any]) -> None:
    product = small.product("shop")
    before = data_code(small.config, product)
    edit(small, path, **fields)
    assert data_code(small.config, product) != before


def test_a_column_that_is_named_description_is_code(small: SmallMesh) -> None:
    path = f"{SHOP}/models/marts/sales.yml"
    product = small.product("shop")
    small.replace(path, "rows: [{item: tea, amount: 3}]", "rows: [{item: tea, description: 3}]")
    before = data_code(small.config, product)
    small.replace(path, "description: 3", "description: 4")
    assert data_code(small.config, product) != before


def test_a_notebook_that_may_open_the_files_makes_texts_code(small: SmallMesh) -> None:
    product = small.product("plan")
    before = data_code(small.config, product)
    small.replace("domains/plan/product.odps.yaml", "what plan is for", "what it is for")
    assert data_code(small.config, product) == before
    small.notebook("plan", "forecast", ["open('contracts/forecast.odcs.yaml')"])
    opened = data_code(small.config, product)
    small.replace("domains/plan/product.odps.yaml", "what it is for", "what plan is for")
    assert data_code(small.config, product) != opened


def test_a_file_that_cannot_be_read_counts_as_it_is(small: SmallMesh) -> None:
    product = small.product("shop")
    write(small.root / SHOP / "models/sources.yml", "sources: [")
    before = data_code(small.config, product)
    write(small.root / SHOP / "models/sources.yml", "sources: [{")
    assert data_code(small.config, product) != before
