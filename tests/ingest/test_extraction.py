import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import polars as pl
import pytest

from kit.core.errors import IngestError, KitError
from kit.ingest.connector import Connector, Environment, State
from kit.ingest.extraction import Extraction, Failure, missing_extra


@dataclass
class Pipe(Connector):
    fails: tuple[Exception, ...] = ()
    kind: ClassVar[str] = "pipe"
    stream: ClassVar[str] = "events"
    retry_seconds: ClassVar[tuple[float, ...]] = (0,)

    def __post_init__(self) -> None:
        self.left = list(self.fails)

    def declared(self) -> Mapping[str, Any]:
        return {}

    def secrets(self) -> tuple[str, ...]:
        return ("PIPE_DSN",)

    def read(self, state: Mapping[str, Any] | None) -> Iterator[Any]:
        yield {"n": 1, "state": json.dumps(state)}
        if self.left:
            raise self.left.pop(0)
        yield State({"n": 1})


def extract(tmp_path: Path, function: Any, call: str = "read", **request: Any) -> Mapping[str, Any]:
    module = ModuleType("ingest")
    module.events = function  # type: ignore[attr-defined]
    asked: list[str] = []
    request = {"source": "events", "label": "shop.raw.events", **request}

    def ask(kind: str, /, **values: Any) -> str:
        asked.append(kind)
        return str(tmp_path / "environment")

    return {**Extraction(module, request, tmp_path, ask).answer(call), "asked": asked}


def rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [row for path in answer["paths"] for row in pl.read_parquet(path).to_dicts()]


def failure(tmp_path: Path, function: Any, **request: Any) -> str:
    with pytest.raises(Failure) as caught:
        extract(tmp_path, function, **request)
    answer = caught.value.answer
    return ": ".join(filter(None, (str(answer["problem"]), str(answer["cause"]))))


def test_a_generator_is_read_to_its_end_and_a_preview_stops_after_a_batch(tmp_path: Path) -> None:
    def events() -> Iterator[Any]:
        yield [{"n": 1}]
        yield pl.DataFrame({"n": [2]})
        yield [{"n": 3}]

    answer = extract(tmp_path, events)
    assert rows(answer) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert "state" not in answer
    assert rows(extract(tmp_path, events, "preview")) == [{"n": 1}, {"n": 2}]


def test_a_function_with_a_state_reads_increments(tmp_path: Path) -> None:
    def events(state: Mapping[str, Any] | None) -> Iterator[Any]:
        yield {"n": (state or {"n": 0})["n"] + 1}
        yield State({"n": 7})

    first = extract(tmp_path, events)
    assert (first["state"], first["is_increment"], rows(first)) == ({"n": 7}, False, [{"n": 1}])
    second = extract(tmp_path, events, last={"state": {"n": 7}, "declared": ""})
    assert (second["is_increment"], rows(second)) == (True, [{"n": 8}])
    assert rows(extract(tmp_path, events, last={"state": {"n": 7}, "declared": "a connector"})) == [{"n": 1}]


@pytest.mark.parametrize(
    "value", [{"at": datetime(2024, 1, 1)}, {"at": Decimal(1)}, {"at": float("nan")}, {1: 2}, {"a": {1}}, {"a": (1,)}, [1]]
)
def test_a_state_that_would_come_back_as_another_one_is_refused(tmp_path: Path, value: Any) -> None:
    assert failure(tmp_path, lambda state: iter([{"n": 1}, State(value)])) == (
        "shop.raw.events: its State is no JSON; write a mapping of texts, numbers, booleans, lists and mappings, "
        "such as State({'at': moment.isoformat()})"
    )


def test_a_connector_gets_the_state_of_what_was_declared_alike(tmp_path: Path) -> None:
    last = {"state": {"n": 5}, "declared": Pipe().digest()}
    answer = extract(tmp_path, Pipe, last=last)
    assert (answer["is_increment"], answer["asked"], answer["state"]) == (True, ["stream"], {"n": 1})
    assert rows(answer) == [{"n": 1, "state": '{"n": 5}'}]
    other = extract(tmp_path, Pipe, last={**last, "declared": "other"})
    assert (other["is_increment"], rows(other)) == (False, [{"n": 1, "state": "null"}])


def test_a_failure_that_may_pass_is_tried_again_from_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = extract(tmp_path, lambda: Pipe((ConnectionError("reset"),)))
    assert rows(answer) == [{"n": 1, "state": "null"}]
    assert capsys.readouterr().err == "shop.raw.events (pipe events): tried again in 0 s, because the network failed\n"
    assert failure(tmp_path, lambda: Pipe((ConnectionError("a"), TimeoutError("b")))) == (
        "shop.raw.events (pipe events): TimeoutError: b"
    )


@pytest.mark.parametrize("call", ["check", "discover", "preview"])
def test_what_a_person_waits_for_is_not_tried_again(tmp_path: Path, call: str) -> None:
    class Down(Pipe):
        def discover(self) -> Iterator[Any]:
            raise ConnectionError("refused")

        check = preview = discover  # type: ignore[assignment]

    connector = Down()
    connector.retry_seconds = (3600,)  # type: ignore[misc]
    assert failure(tmp_path, lambda: connector, call=call) == "shop.raw.events (pipe events): ConnectionError: refused"


def test_the_error_of_a_connector_is_one_sentence_with_its_stream(tmp_path: Path) -> None:
    assert failure(tmp_path, lambda: Pipe((ValueError("bad\nmore"),))) == "shop.raw.events (pipe events): ValueError: bad"
    assert failure(tmp_path, lambda: Pipe((IngestError("no access"),))) == "shop.raw.events (pipe events): no access"
    assert failure(tmp_path, lambda: Pipe((KitError("a package lacks"),))) == "shop.raw.events (pipe events): a package lacks"


def test_no_message_of_a_connector_contains_its_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPE_DSN", "postgres://me:pw%25x@host/db")
    errors = (IngestError("cannot reach postgres://me:pw%25x@host/db as pw%25x"),)
    assert failure(tmp_path, lambda: Pipe(errors)) == "shop.raw.events (pipe events): cannot reach [PIPE_DSN] as [PIPE_DSN]"


def test_a_connector_gets_its_environment_before_it_is_called(tmp_path: Path) -> None:
    class Needs(Pipe):
        def requires(self) -> Environment:
            return Environment("faker", ("source-faker==7.2.1",))

        def read(self, state: Any) -> Iterator[Any]:
            yield {"n": str(self.environment)}

    answer = extract(tmp_path, Needs)
    assert (answer["asked"], rows(answer)) == (["environment", "stream"], [{"n": str(tmp_path / "environment")}])


def test_a_connector_may_be_a_frozen_dataclass(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Fixed(Connector):
        name: str

        def requires(self) -> Environment:
            return Environment("faker", ("source-faker==7.2.1",))

        def read(self, state: Any) -> Iterator[Any]:
            yield {"folder": str(self.folder), "environment": str(self.environment)}

    answer = extract(tmp_path, lambda: Fixed("a"))
    assert rows(answer) == [{"folder": ".", "environment": str(tmp_path / "environment")}]


@pytest.mark.parametrize("value", [1, None, "pandas"])
def test_what_is_no_source_is_refused(tmp_path: Path, value: Any) -> None:
    import pandas as pd

    returned = pd.DataFrame() if value == "pandas" else value
    assert failure(tmp_path, lambda: returned).endswith(
        "; return a path, a polars frame, an iterator of mappings or frames, or a connector"
    )


def test_a_module_that_an_extra_installs_is_named_with_it() -> None:
    assert missing_extra(ModuleNotFoundError(name="dlt.sources")) == "install it with `pip install 'data-mesh-kit[dlt]'`"
    assert missing_extra(ModuleNotFoundError(name="pymongo")) == ""
    assert missing_extra(ValueError()) == ""


def test_a_long_read_prints_its_rows_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kit.ingest.extraction._SHOWN_SECONDS", 0)
    answer = extract(tmp_path, lambda: iter([pl.DataFrame({"n": range(1200)}), pl.DataFrame({"n": [1]})]))
    assert answer["asked"] == ["rows", "rows"]
    assert capsys.readouterr().err == "shop.raw.events: 1,200 rows so far\nshop.raw.events: 1,201 rows so far\n"
