import pytest

from kit.notebooks import ports_read


def test_what_was_read_is_remembered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports_read, "_read", set())
    for port in ("shop.totals", "shop.sales", "shop.totals"):
        ports_read.note_read(port)
    assert ports_read.ports_read() == ["shop.sales", "shop.totals"]
