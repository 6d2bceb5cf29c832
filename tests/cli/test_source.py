import json

import pytest

from kit.sync.sync import sync
from tests.support.events import COLUMNS, TYPES, Events
from tests.support.small_mesh import SmallMesh


@pytest.fixture
def events(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> Events:
    events = Events(small, monkeypatch)
    events.rows((1, 10, "a"), (2, 20, "b"), types=TYPES)
    return events


def test_a_check_compares_the_stream_with_the_contract(events: Events) -> None:
    done = events.small.kit("source", "check", "feed.events")
    assert (done.returncode, done.stdout) == (
        0, "feed.raw.events (tap): can be read, and its columns are those of the contract\n",
    )  # fmt: skip
    events.rows((1, 10, "a"), types={**TYPES, "phone": "varchar"})
    done = events.small.kit("source", "check", "feed.events", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "source": "feed.raw.events", "kind": "tap", "differences": ["'phone' (varchar) is not in the contract"],
    }  # fmt: skip
    events.file.unlink()
    done = events.small.kit("source", "check", "feed.events")
    assert (done.returncode, done.stderr) == (1, "error: feed.raw.events (tap events): there is no such tap\n")
    assert not (events.small.config.storage / "raw").exists()


def test_streams_are_listed_with_keys_and_cursors(events: Events) -> None:
    text = events.small.kit("source", "discover", "feed.events", check=True).stdout
    assert [line.split() for line in text.splitlines()[:5]] == [
        ["events"], ["column", "type", "required", "key", "cursor", "description"], ["id", "bigint", "1"],
        ["seen", "bigint", "yes"], ["name", "varchar"],
    ]  # fmt: skip
    found = json.loads(events.small.kit("source", "discover", "feed.raw.events", "--json", check=True).stdout)
    assert [(item["name"], item["key"], item["cursors"]) for item in found] == [
        ("events", ["id"], ["seen"]), ("other", [], []),
    ]  # fmt: skip


def test_a_preview_shows_the_first_rows_without_hidden_values(events: Events) -> None:
    events.declare([*COLUMNS[:2], ("name", "varchar", {"classification": "personal"})])
    rows = json.loads(events.small.kit("source", "preview", "feed.events", "--rows", "1", "--json", check=True).stdout)
    assert rows == [{"id": "1", "seen": "10", "name": "masked"}]


def test_a_file_is_a_source_too(small: SmallMesh) -> None:
    assert "can be read" in small.kit("source", "check", "shop.sales", check=True).stdout
    (stream,) = json.loads(small.kit("source", "discover", "shop.sales", "--json", check=True).stdout)
    assert [(column["name"], column["type"]) for column in stream["columns"]] == [
        ("sale_id", "bigint"), ("item", "varchar"), ("amount", "decimal(18,2)"), ("sold_on", "date"),
    ]  # fmt: skip
    (row,) = json.loads(small.kit("source", "preview", "shop.sales", "--rows", "1", "--json", check=True).stdout)
    assert row == {"sale_id": "1", "item": "tea", "amount": "1.50", "sold_on": "2024-01-02"}
    small.feed_rows(["sale_id,item,amount,sold_on", "x,tea,1,2024-01-01"])
    done = small.kit("source", "check", "shop.sales")
    assert (done.returncode, "sale_id is 'x', the contract says bigint" in done.stdout) == (1, True)


@pytest.mark.parametrize("name", ["shop.none", "shop"])
def test_an_unknown_source_is_refused_with_those_that_there_are(small: SmallMesh, name: str) -> None:
    done = small.kit("source", "check", name)
    assert (done.returncode, done.stderr) == (
        1, f"error: '{name}' is no source PRODUCT.SOURCE; 'shop' has: shop.sales\n",
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_reads_all_rows_again_and_a_contract_is_drafted_from_a_connector(events: Events) -> None:
    sync(events.small.context)
    for options in ([], ["--full-refresh"]):
        done = events.small.kit("run", "feed", *options)
        assert done.returncode == 0, done.stdout + done.stderr
    assert events.states == [None, None]
    drafted = events.small.kit("contract", "draft", "feed.raw.events", check=True).stdout
    assert "id: feed.raw.events" in drafted
