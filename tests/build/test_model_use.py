"""Builds whose notebooks ask language models, from the kernel to the endpoint and back."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from kit.build.model_use import asked_models, model_code, model_questions
from kit.storage import Runs
from tests.support.advice import ASK, allow, write_advice
from tests.support.model_server import ModelServer, dead_url, model_server
from tests.support.small_mesh import SmallMesh


@pytest.fixture
def servers() -> Iterator[dict[str, ModelServer]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(model_server()) for name in ("tea", "cake")}


def prepare(small: SmallMesh, servers: dict[str, ModelServer], cells: list[str] = ASK, **tables: str) -> None:
    """The mesh with `advice`, whose partition `tea` may be sent to the model `tea`, and `cake` to `cake`."""
    write_advice(small.domains / "advice", cells)
    settings = "".join(tables.get(name, server.settings(name, key_env="MODEL_KEY")) for name, server in servers.items())
    with (small.root / "pyproject.toml").open("a") as file:
        file.write(settings)
    path = small.domains / "shop/contracts/totals.odcs.yaml"
    allow(path, {name: [server.url] for name, server in servers.items()})


def rows(small: SmallMesh) -> dict[str, dict[str, Any]]:
    import polars as pl

    snapshot = small.store.current("advice")
    assert snapshot
    frame = pl.concat(pl.read_parquet(path) for path in snapshot.paths("advice"))
    return {row["item"]: row for row in frame.iter_rows(named=True)}


@pytest.mark.slow
def test_a_build_asks_for_its_notebooks_and_asks_nothing_twice(
    small: SmallMesh, servers: dict[str, ModelServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_KEY", "sk-model-key-1")
    see = "import os\nassert os.environ.get('MODEL_KEY') is None, 'the kernel has the key'"
    prepare(small, servers, [ASK[0], see, *ASK[1:]])
    small.publish("shop")
    outcome = small.build("advice")
    assert outcome.status == "published", outcome.message
    made = rows(small)
    assert {name: (row["answered_by"], row["tokens"], row["problem"]) for name, row in made.items()} == {
        "tea": ("small-0613", 100, None), "cake": ("small-0613", 100, None),
    }  # fmt: skip
    for name, other in (("tea", "cake"), ("cake", "tea")):
        (asked,) = servers[name].requests
        assert (asked.key, name in asked.texts, other in asked.texts) == ("sk-model-key-1", True, False)
    record = Runs(small.config.storage).last("advice")
    assert record and record.models["tea"] == {
        "answered": 1, "cached": 0, "failed": 0, "input_tokens": 100, "output_tokens": 20, "cost": None,
    }  # fmt: skip
    again = small.build("advice", force=True)
    assert again.status == "published"
    assert [len(server.requests) for server in servers.values()] == [1, 1]
    assert rows(small) == made
    record = Runs(small.config.storage).last("advice")
    assert record and (record.models["tea"]["answered"], record.models["tea"]["cached"]) == (0, 1)
    assert small.build("advice").status == "up to date"
    small.replace("pyproject.toml", 'model = "small"', 'model = "large"')  # of `tea`, the first of both
    assert small.build("advice").status == "published"
    assert rows(small)["tea"]["answered_by"] == "large-0613"


@pytest.mark.slow
def test_each_failure_is_a_row_of_its_partition(small: SmallMesh, servers: dict[str, ModelServer]) -> None:
    small.replace("pyproject.toml", "cell_timeout_seconds = 20", "cell_timeout_seconds = 300")  # of waits between attempts
    gone = f'\n[tool.kit.models.cake]\nbase_url = "{dead_url()}"\nmodel = "m"\n'
    prepare(small, servers, tea=servers["tea"].settings("tea"), cake=gone)
    allow(small.domains / "shop/contracts/totals.odcs.yaml", [servers["tea"].url, small.config.models["cake"].base_url])
    small.publish("shop")
    outcome = small.build("advice")
    assert outcome.status == "published", outcome.message
    made = rows(small)
    assert made["tea"]["text"] and made["tea"]["problem"] is None
    assert made["cake"]["text"] is None
    assert "the model 'cake' at http://127.0.0.1:" in made["cake"]["problem"]
    assert "gave no answer in 4 attempts" in made["cake"]["problem"]


@pytest.mark.slow
def test_rows_go_only_where_the_contract_of_their_port_lets_them(small: SmallMesh, servers: dict[str, ModelServer]) -> None:
    """Each notebook asks the model of the other partition, and `cake` may go nowhere."""
    other = ASK[1].replace("kit.model(partition)", "kit.model({'tea': 'cake', 'cake': 'tea'}[partition])")
    prepare(small, servers, [ASK[0], other, ASK[2]], **{name: server.settings(name) for name, server in servers.items()})
    small.publish("shop")
    outcome = small.build("advice")
    assert outcome.status == "published", outcome.message
    for name, asked in (("tea", "cake"), ("cake", "tea")):
        assert rows(small)[name]["problem"] == (
            f"nothing was sent to the model '{asked}': the contract of 'shop.totals' does not allow {servers[asked].url} for "
            f"'{name}'; its owner decides on that with the custom property modelEndpoints"
        )
    assert [server.requests for server in servers.values()] == [[], []]


@pytest.mark.slow
def test_no_secret_and_no_hidden_value_leaves(
    small: SmallMesh, servers: dict[str, ModelServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notebook takes a secret from its environment, and a personal value of its port is in the prompt."""
    monkeypatch.setenv("SHOP_TOKEN", "tok-abcdef-123")
    tell = ASK[1].replace('f"Advise on', "f\"{os.environ['SHOP_TOKEN']} Advise on")
    prepare(small, servers, ["import os", ASK[0], tell, ASK[2]], **{n: s.settings(n) for n, s in servers.items()})
    path = small.domains / "advice/contracts/advice.odcs.yaml"
    data = json.loads(path.read_text())
    data["schema"][0]["properties"][0]["classification"] = "personal"
    path.write_text(json.dumps(data))
    small.publish("shop")
    assert small.build("advice").status == "published"
    for server in servers.values():
        (asked,) = server.requests
        assert b"tok-abcdef-123" not in asked.raw
        assert asked.texts.startswith("[SHOP_TOKEN] Advise on ")


def test_the_models_that_a_notebook_may_ask_are_known_from_its_text(small: SmallMesh, servers: dict[str, ModelServer]) -> None:
    prepare(small, servers)
    product = small.product("advice")
    port = product.port("advice")
    assert port
    (question,) = model_questions(product, port)
    assert (question.is_exact, question.place.cell) == (False, 3)
    assert [model.name for model in asked_models(small.config, product, port)] == ["cake", "tea"]
    before = model_code(small.config, product)
    assert list(before) == ["advice"]
    small.replace("pyproject.toml", 'model = "small"', 'model = "large"')
    assert model_code(small.config, product) != before
    plan = small.product("plan")
    assert model_code(small.config, plan) == {}
