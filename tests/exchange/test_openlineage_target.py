import pytest

from kit.core.errors import KitError
from kit.exchange import openlineage_target, web
from kit.exchange.openlineage_target import PRESETS, Refused, Target
from tests.support.receiver import receiving

SERVER = {"OPENLINEAGE_URL": "http://marquez:5000/"}


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        (SERVER, "http://marquez:5000/api/v1/lineage"),
        (SERVER | {"OPENLINEAGE_ENDPOINT": "/events"}, "http://marquez:5000/events"),
        (SERVER | {"OPENLINEAGE_DISABLED": "false"}, "http://marquez:5000/api/v1/lineage"),
    ],
)
def test_the_server_of_the_environment(environ: dict[str, str], url: str) -> None:
    target = Target.from_environment(environ | {"OPENLINEAGE_API_KEY": "k"})
    assert target == Target(url, "k")
    assert "'k'" not in repr(target)


def test_no_server() -> None:
    assert Target.from_environment({}) is None
    assert Target.from_environment(SERVER | {"OPENLINEAGE_DISABLED": " TRUE "}) is None
    with pytest.raises(KitError, match="OPENLINEAGE_URL is 'marquez'"):
        Target.from_environment({"OPENLINEAGE_URL": "marquez"})


def test_the_namespace() -> None:
    assert openlineage_target.namespace({}) == "default"
    assert openlineage_target.namespace({"OPENLINEAGE_NAMESPACE": "our-mesh"}) == "our-mesh"


@pytest.mark.parametrize(
    ("preset", "url", "path"),
    [
        ("marquez", "http://h:5000", "http://h:5000/api/v1/lineage"),
        ("datahub", "http://h:8080", "http://h:8080/openapi/openlineage/api/v1/lineage"),
        ("openmetadata", "http://h:8585", "http://h:8585/api/v1/openlineage/lineage"),
        ("egeria", "https://h:9443/servers/daemon",
         "https://h:9443/servers/daemon/open-metadata/integration-daemon/publish-open-lineage-event"),
        (None, "http://h", "http://h/mine"),
    ],
)  # fmt: skip
def test_the_paths_of_known_servers(preset: str | None, url: str, path: str) -> None:
    assert Target.from_preset(url, preset, {"OPENLINEAGE_ENDPOINT": "mine"}).url == path


def test_openmetadata_takes_complete_events_only() -> None:
    events = [{"eventType": kind} for kind in ("START", "COMPLETE", "FAIL", "ABORT")]
    taken = {name: [event["eventType"] for event in events if Target("", "", known.kinds).takes(event)]
             for name, known in PRESETS.items()}  # fmt: skip
    assert taken["openmetadata"] == ["COMPLETE"]
    assert taken["marquez"] == taken["egeria"] == ["START", "COMPLETE", "FAIL", "ABORT"]


def test_what_is_no_preset() -> None:
    with pytest.raises(KitError, match="no preset 'atlas'; there are: marquez, datahub, openmetadata, egeria"):
        Target.from_preset("http://h", "atlas")
    with pytest.raises(KitError, match=r"write http://h:9443/servers/NAME with the name of the server that runs it"):
        Target.from_preset("http://h:9443", "egeria")


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (401, web.Unreachable, "it answers 401: set OPENLINEAGE_API_KEY"), (503, web.Unreachable, "it answers 503"),
        (404, web.Unreachable, "it answers 404"), (302, web.Unreachable, "it answers 302"), (400, Refused, "it answers 400"),
        (422, Refused, "it answers 422"),
    ],
)  # fmt: skip
def test_an_answer_says_whether_to_try_again(status: int, kind: type[Exception], message: str) -> None:
    with receiving() as server:
        server.answers = [status]
        with pytest.raises(kind, match=message):
            Target(server.url).send({}, 5)


def test_a_key_that_is_refused() -> None:
    with receiving() as server:
        server.answers = [403]
        with pytest.raises(web.Unreachable, match="it answers 403 to the key in OPENLINEAGE_API_KEY"):
            Target(server.url, "k").send({}, 5)
