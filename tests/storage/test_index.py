import json
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.core.config import Config
from kit.mesh.context import Context
from kit.storage import index
from kit.storage.summary import ProductSummary
from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh


def stored(small: SmallMesh) -> dict[str, Any]:
    data = json.loads((small.config.storage / "index.json").read_text())
    return {card["name"]: card for card in data["products"]}


def test_a_card_says_all_there_is_to_say(small: SmallMesh) -> None:
    version = small.publish("shop")
    card = stored(small)["shop"]
    assert card.pop("confirmed_at")
    assert list(card.pop("delivered")) == ["sales"]
    totals = card.pop("ports")[1]
    assert card == {
        "name": "shop",
        "domain": "shop",
        "description": "what shop is for",
        "tags": [],
        "owner": "shop owner",
        "contact": "o@example.com",
        "version": version,
        "note": "",
        "broken": "",
        "damaged": "",
        "set_aside": {},
        "raw_checks": {"passed": 11},
        "rolled_back": "",
        "partitions": 0,
        "lookback": None,
        "inputs": {},
        "unconfirmed": [],
        "delivered_at": None,
        "outdated_inputs": [],
    }
    assert totals == {
        "name": "totals",
        "description": "One row per totals.",
        "columns": [
            ["item", "varchar", "the item", True, "", ""],
            ["amount", "decimal(18,2)", "the amount", False, "", ""],
        ],
        "status": "active",
        "sla": {"frequency_hours": 24.0},
        "contract_version": "1.0.0",
        "rows": 2,
        "newest": None,
        "passed": totals["passed"],
        "failed": 0,
        "warned": 0,
        "taken_over": "",
        "end_of_life": None,
        "quarantined": None,
        "parameters": [],
        "content": totals["content"],
    }
    assert totals["passed"] > 0
    assert len(totals["content"]) == 64


def test_cards_survive_the_file(small: SmallMesh) -> None:
    small.publish("shop")
    cards = index.write(small.context)
    assert index.load(Context(small.config)) == cards
    assert cards == tuple(ProductSummary.from_json(json.loads(json.dumps(card.to_json(), default=str))) for card in cards)


def test_each_build_and_rollback_puts_its_product_right(small: SmallMesh) -> None:
    first = small.publish("shop")
    second = small.publish("shop", force=True)
    assert stored(small)["shop"]["version"] == second
    before = stored(small)["shop"]["confirmed_at"]
    assert small.build("shop").status == "up to date"
    assert stored(small)["shop"]["confirmed_at"] > before
    small.feed_rows(["sale_id,item,amount,sold_on", "1,tea,1.00,2024-01-09"])
    assert small.build("shop").status == "failed"
    assert stored(small)["shop"]["note"].startswith("last build failed: 'shop': ")
    assert small.kit("rollback", "shop", first).returncode == 0
    assert stored(small)["shop"]["version"] == first
    assert sorted(stored(small)) == ["plan", "shop"]


def test_a_run_of_the_whole_mesh_leaves_every_product_in_it(small: SmallMesh) -> None:
    (small.domains / "bad").mkdir()
    small.replace("domains/plan/notebooks/forecast.ipynb", "kit.output(", "kit.out(")
    small.kit("run")
    cards = stored(small)
    assert {name: (card["version"] is not None, card["broken"] != "", card["note"] != "") for name, card in cards.items()} == {
        "bad": (False, True, False),
        "plan": (False, False, True),
        "shop": (True, False, False),
    }


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"form": 1}', '{"form": 1, "products": [{"name": "shop"}]}', '{"form": 0, "products": []}', "\0"]
)
def test_a_damaged_index_is_made_anew_from_the_files(small: SmallMesh, damage: str) -> None:
    version = small.publish("shop")
    cards = index.write(small.context)
    path = small.config.storage / "index.json"
    path.write_text(damage)
    assert index.load(Context(small.config)) == cards
    assert stored(small)["shop"]["version"] == version
    path.unlink()
    assert index.load(Context(small.config)) == cards


def test_a_domain_that_comes_or_goes_is_noticed(small: SmallMesh) -> None:
    index.write(small.context)
    (small.domains / "bad").mkdir()
    assert [(card.name, bool(card.broken)) for card in index.load(Context(small.config))] == [
        ("bad", True),
        ("plan", False),
        ("shop", False),
    ]
    (small.domains / "bad").rmdir()
    assert [card.name for card in index.load(Context(small.config))] == ["plan", "shop"]


def test_a_broken_product_keeps_the_facts_of_the_snapshot_it_serves(small: SmallMesh) -> None:
    small.publish("shop")
    (before,) = (card for card in index.derive(small.context) if card.name == "shop")
    (small.domains / "shop/product.odps.yaml").write_text("kind: [")
    (after,) = (card for card in index.derive(small.context) if card.name == "shop")
    assert after.broken
    assert replace(after, broken="") == before


def test_a_storage_that_cannot_be_written_is_still_read(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(context: Context) -> None:
        raise PermissionError

    monkeypatch.setattr(index, "write", refuse)
    assert [card.name for card in index.load(Context(small.config))] == ["plan", "shop"]
    assert not (small.config.storage / "index.json").exists()


UPDATE = """
    import sys
    from kit.storage import index
    from kit.core.config import Config
    from kit.mesh import Mesh

    config = Config.load()
    product = Mesh.load(config.domains).product(sys.argv[1])
    for _ in range(40):
        index.update(config, product)
"""


def test_updates_at_the_same_time_lose_nothing_and_are_never_seen_half(small: SmallMesh) -> None:
    index.write(small.context)
    command = [sys.executable, "-c", textwrap.dedent(UPDATE)]
    writers = [subprocess.Popen([*command, name], cwd=small.root) for name in ("shop", "plan", "shop")]
    while any(writer.poll() is None for writer in writers):
        assert sorted(stored(small)) == ["plan", "shop"]
    assert [writer.returncode for writer in writers] == [0, 0, 0]


def thousand(small: SmallMesh) -> Config:
    """An index of a thousand products; their folders are empty, so that nothing could be made from them."""
    small.publish("shop")
    (card,) = (card for card in index.load(Context(small.config)) if card.name == "shop")
    cards = []
    for number in range(1000):
        (small.domains / f"p{number:03}").mkdir()
        cards.append(replace(card, name=f"p{number:03}", description=f"the product number {number}"))
    for name in ("shop", "plan"):
        cards.append(replace(card, name=name))
    index._replace(small.config, index._sorted(cards))
    return small.config


LOOK = """
    import json, sys
    import kit
    kit.open
    opened = []
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
    cat = kit.open()
    names, found, shown = list(cat), list(cat.search("number 77")), repr(cat) + cat._repr_html_()
    print(json.dumps([opened, len(names), found]))
"""


def test_finding_one_of_a_thousand_products_opens_one_file(small: SmallMesh) -> None:
    config = thousand(small)
    command = [sys.executable, "-c", textwrap.dedent(LOOK)]
    done = subprocess.run(command, cwd=small.root, capture_output=True, text=True, check=True, timeout=HANG)
    opened, count, found = json.loads(done.stdout)
    assert set(opened) == {str(config.storage / "index.json"), str(small.root / "pyproject.toml")}
    assert count == 2004
    assert {Path(name).stem for name in found} == {f"p{number:03}" for number in range(1000) if "77" in f"{number}"}
