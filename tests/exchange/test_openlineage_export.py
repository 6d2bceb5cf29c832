import os
from types import SimpleNamespace

import pytest

from kit.core.errors import KitError
from kit.exchange.openlineage_export import export_openlineage
from kit.exchange.openlineage_spool import EventFile
from tests.support.receiver import receiving
from tests.support.small_mesh import SmallMesh


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE_")]:
        monkeypatch.delenv(name)


def test_the_runs_of_the_current_snapshots_or_all(small: SmallMesh) -> None:
    lines: list[str] = []
    small.publish("shop")
    small.publish("plan")
    small.publish("shop", force=True)
    first, plan, second = EventFile.all(small.config)
    with receiving() as server:
        said = export_openlineage(small.context, server.url, "marquez", every_run=False, warn=lines.append)
        assert said == f"16 events of 2 runs sent to {server.url}/api/v1/lineage"
        assert server.values == plan.read() + second.read()
        server.requests.clear()
        export_openlineage(small.context, server.url, None, every_run=True, warn=lines.append)
        assert server.values == first.read() + plan.read() + second.read()
        server.requests.clear()
        export_openlineage(small.context, server.url, "openmetadata", every_run=False, warn=lines.append)
        assert {value["eventType"] for value in server.values} == {"COMPLETE"}
        assert {request.path for request in server.requests} == {"/api/v1/openlineage/lineage"}
    assert lines == []


def test_a_snapshot_without_events_is_named(small: SmallMesh) -> None:
    lines: list[str] = []
    small.publish("shop")
    for file in EventFile.all(small.config):
        file.path.unlink()
    with receiving() as server:
        assert export_openlineage(small.context, server.url, None, every_run=False, warn=lines.append).startswith("0 events")
    assert lines == ["shop: the run that made its snapshot has no events; build it with `kit run shop --force`"]


def test_no_server(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KitError, match="write --to URL, or set OPENLINEAGE_URL"):
        export_openlineage(small.context, None, None, every_run=False, warn=print)
    waits: list[float] = []
    monkeypatch.setattr("kit.exchange.web.time", SimpleNamespace(sleep=waits.append))
    small.publish("shop")
    with receiving() as gone:
        pass
    with pytest.raises(KitError, match="connection refused; 0 events sent, run the command again for the others"):
        export_openlineage(small.context, gone.url, None, every_run=False, warn=print)
    assert len(waits) == 4


def test_refused_events_are_counted_at_the_end(small: SmallMesh) -> None:
    small.publish("shop")
    with receiving() as server:
        server.answers = [200, 422]
        with pytest.raises(KitError, match=r"1 event refused, 9 sent; the first: START of shop\.raw\.sales: it answers 422"):
            export_openlineage(small.context, server.url, None, every_run=False, warn=print)
