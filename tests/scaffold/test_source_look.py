import pytest

from kit.core.errors import KitError
from kit.scaffold.source_look import check_source, discover_source
from tests.support.events import TYPES, Events
from tests.support.small_mesh import SmallMesh, write


def test_a_check_finds_what_a_build_refuses_and_code_that_is_not_safe_is_not_called(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = Events(small, monkeypatch)
    events.rows(types=TYPES)
    assert check_source(small.context, "feed.events").differences == ()
    assert [stream.name for stream in discover_source(small.context, "feed.events")] == ["events", "other"]
    events.rows((1, 10, "a"), types=TYPES)
    events.build()
    events.rows((1, 10, "a"), types={**TYPES, "seen": "integer"})  # a type that the contract can hold
    changed = "'seen' is integer, was bigint, and the contract says bigint"
    assert check_source(small.context, "feed.events").differences == (changed,)
    assert changed in events.problem()
    write(events.folder / "ingest.py", "import subprocess\n\n\ndef events():\n    return 'x.csv'\n")
    with pytest.raises(KitError, match=r"the sources of 'feed' are not read: .*subprocess"):
        check_source(small.context, "feed.events")
