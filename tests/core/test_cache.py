from pathlib import Path

import pytest

from kit.core import cache
from kit.core.cache import ContentCache


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
