import os
from datetime import timedelta
from pathlib import Path

import pytest

from kit.contracts.service_levels import Sla
from kit.core import cache
from kit.core.cache import ContentCache, ValueCache


def test_what_was_kept_is_known_to_the_next_who_asks(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "answers"
    first = ContentCache(file)
    key = ContentCache.key("question", "version 1")
    assert first.lookup(key) is None
    first.put(key, "42")
    first.save()
    assert ContentCache(file).lookup(key) == "42"
    assert ContentCache(file).lookup(ContentCache.key("question", "version 2")) is None


def test_what_nobody_asks_for_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "answers"
    first = ContentCache(file)
    first.put("a", "1")
    first.put("b", "2")
    first.save()
    second = ContentCache(file)
    assert second.lookup("b") == "2"
    second.save()
    assert [ContentCache(file).lookup(key) for key in ("a", "b")] == [None, "2"]


def test_what_another_kit_or_hand_wrote_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "answers"
    first = ContentCache(file)
    first.put("a", "1")
    first.save()
    text = file.read_text()
    file.write_text(text.replace("a 1", "a 2"))
    assert ContentCache(file).lookup("a") is None
    file.write_text(text)
    monkeypatch.setattr(cache, "_code_digest", lambda: "another")
    assert ContentCache(file).lookup("a") is None


SIZES = Sla(latency=timedelta(days=3))


def test_a_value_is_found_by_its_name_and_key(tmp_path: Path) -> None:
    ValueCache(tmp_path / "values").put("shop", "key 1", [SIZES, Path("/a"), {"b": (1, None, "ä")}])
    assert ValueCache(tmp_path / "values").lookup("shop", "key 1") == [SIZES, Path("/a"), {"b": (1, None, "ä")}]
    assert ValueCache(tmp_path / "values").lookup("shop", "key 2") is None
    assert ValueCache(tmp_path / "values").lookup("plan", "key 1") is None
    assert ValueCache(None).lookup("shop", "key 1") is None


def test_a_damaged_value_or_one_of_another_kit_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = ValueCache(tmp_path)
    values.put("shop", "key", SIZES)
    whole = (tmp_path / "shop").read_bytes()
    for damaged in (b"", whole[:-3], whole.replace(b"\x03", b"\x04"), whole.partition(b"\n")[2]):
        (tmp_path / "shop").write_bytes(damaged)
        assert values.lookup("shop", "key") is None
    (tmp_path / "shop").write_bytes(whole)
    monkeypatch.setattr(cache, "_code_digest", lambda: "another")
    assert values.lookup("shop", "key") is None


class _Command:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch ran",)


@pytest.mark.parametrize("value", [_Command(), cache.ContentCache, os.path.realpath])
def test_nothing_but_values_is_made_from_a_file(tmp_path: Path, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ValueCache(tmp_path).put("shop", "key", value)
    assert ValueCache(tmp_path).lookup("shop", "key") is None
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_a_value_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "values").write_text("a file in the place of the folder")
    ValueCache(tmp_path / "values").put("shop", "key", SIZES)
    assert ValueCache(tmp_path / "values").lookup("shop", "key") is None
