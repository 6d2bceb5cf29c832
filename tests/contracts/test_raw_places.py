from pathlib import Path

import pytest

from kit.contracts.contract import Contract
from kit.contracts.raw_places import place_of
from kit.core.errors import IngestError, InvalidFile
from tests.support.small_mesh import contract, write

COLUMNS = [("item", "varchar", {})]


def load(tmp_path: Path, identifier: str, value: str) -> Contract:
    text = contract("shop.raw.feed", "feed", COLUMNS, reads="HERE").replace('[\n    "HERE"\n   ]', value)
    return Contract.load(
        write(tmp_path / "feed.odcs.yaml", text.replace("shop.raw.feed", identifier)) or tmp_path / "feed.odcs.yaml"
    )


def test_a_source_declares_the_places_it_reads(tmp_path: Path) -> None:
    assert load(tmp_path, "shop.raw.feed", '["/data/inbox", "../feed"]').reads == ("/data/inbox", "../feed")


@pytest.mark.parametrize("value", ['"/data"', "[]", "[1]", '[""]', "null"])
def test_what_is_no_list_of_places_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(InvalidFile, match=r"reads: .* is no list of files and folders; write \[/data/inbox\]"):
        load(tmp_path, "shop.raw.feed", value)


def test_a_port_declares_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="'reads' has no effect at a port; write it in the contract of a source"):
        load(tmp_path, "shop.feed", '["/data"]')


def test_home_and_variables_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INBOX", "/data/inbox")
    monkeypatch.setenv("HOME", "/mnt/ann")
    places = [place_of(text, Path("/mesh/domains/shop")) for text in ("$INBOX/a", "${INBOX}", "~/b", "../c", "/d")]
    assert list(map(str, places)) == ["/data/inbox/a", "/data/inbox", "/mnt/ann/b", "/mesh/domains/shop/../c", "/d"]
    with pytest.raises(IngestError, match=r"reads '\$NONE/x', but the environment variable NONE is not set; set it"):
        place_of("$NONE/x", Path("/mesh"))
