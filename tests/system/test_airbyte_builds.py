"""A product that is read by a connector of Airbyte, with an index of packages and without."""

import json

import pytest

from tests.support.cars import COLUMNS, add_cars
from tests.support.contracts import contract
from tests.support.files import write
from tests.support.small_mesh import SmallMesh


@pytest.mark.slow
def test_without_an_index_the_product_fails_with_one_sentence_and_the_others_are_built(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    add_cars(small)
    done = small.kit("run", "--json")
    assert done.returncode == 1, done.stderr
    outcomes = {outcome["product"]: outcome for outcome in json.loads(done.stdout)}
    assert {name: outcome["status"] for name, outcome in outcomes.items()} == {
        "shop": "published", "plan": "published", "cars": "failed",
    }  # fmt: skip
    assert outcomes["cars"]["message"].startswith(
        "the environment of the connector airbyte-source-faker-7.2.1 cannot be made with airbyte-source-faker==7.2.1: "
    )
    assert "\n" not in outcomes["cars"]["message"]
    assert not (small.config.storage / "connectors/airbyte-source-faker-7.2.1").exists()
    status = json.loads(small.kit("status", "--json").stdout)
    assert [row["product"] for row in status if row["rows"] is None] == ["cars"]


@pytest.mark.heavy
def test_the_faker_of_airbyte_is_read_in_increments(small: SmallMesh) -> None:
    add_cars(small)
    outcome = small.build("cars")
    if "cannot be made" in outcome.message:
        pytest.skip(outcome.message)
    assert (outcome.status, outcome.message) == ("published", "")
    source = small.store.current("cars").manifest["sources"]["products"]
    assert source["increment"]["state"]["airbyte"]["stream"]["stream_descriptor"] == {"name": "products"}
    assert source["increment"]["types"]["created_at"] == "timestamp with time zone"
    assert small.build("cars").status == "up to date"
    folder = add_cars(small, cursor="'price'")
    assert (
        "raw.products (airbyte products): 'price' cannot be the cursor of the stream; use updated_at"
        in small.build("cars").message
    )
    add_cars(small, cursor="None")
    write(folder / "sources/products.odcs.yaml", contract("cars.raw.products", "products", COLUMNS[:-1]))
    assert "'updated_at' (timestamp with time zone) is not in the contract" in small.build("cars").message
