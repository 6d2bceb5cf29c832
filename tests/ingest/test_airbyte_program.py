import os
import time
from pathlib import Path

import pytest

from kit.core import Secrets
from kit.core.errors import IngestError
from kit.ingest.airbyte_program import Program, in_brief
from tests.support import airbyte as tiny


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    return tiny.install(tmp_path / "environment")


def program(environment: Path, seconds: float = 20, **secrets: str) -> Program:
    command = [str(environment / "bin/python"), str(environment / "bin/source-tiny")]
    return Program(command, {"key": "value"}, Secrets(secrets), seconds)


def failure(environment: Path, seconds: float = 20, **secrets: str) -> IngestError:
    with pytest.raises(IngestError) as caught:
        list(program(environment, seconds, **secrets).messages("read"))
    return caught.value


def test_messages_are_lines_of_json_among_other_output(environment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = {"type": "LOG", "log": {"level": "INFO", "message": "fine"}}
    warning = {"type": "LOG", "log": {"level": "WARN", "message": "slow, sesame99"}}
    done = {"type": "TRACE", "trace": {"type": "STREAM_STATUS", "stream_status": {"status": "COMPLETE"}}}
    tiny.script(environment, read=["hello", "{broken", '{"a": 1}', log, warning, tiny.record(id=1), tiny.state("x"), done])
    messages = list(program(environment, TOKEN="sesame99").messages("read", catalog={"streams": []}))
    assert [message["type"] for message in messages] == ["RECORD", "STATE"]
    assert capfd.readouterr().err == "slow, [TOKEN]\n"


def test_inputs_are_private_files_and_secrets_of_the_environment_are_not_passed_on(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "sesame")
    monkeypatch.setenv("https_proxy", "http://proxy")
    tiny.script(environment)
    assert list(program(environment).messages("read", state=[1])) == []
    (call,) = tiny.calls(environment)
    assert (call["config"], call["state"], call["modes"]) == ({"key": "value"}, [1], ["0o600"])
    assert "https_proxy" in call["variables"]
    assert not {"SHOP_TOKEN", "PYTHONPATH", "VIRTUAL_ENV"} & set(call["variables"])


def test_the_sentence_of_an_error_trace_is_the_reason(environment: Path) -> None:
    tiny.script(
        environment, read=[tiny.error("The key sesame99 is wrong.", failure_type="config_error"), tiny.error("x")], exit=1
    )
    error = failure(environment, TOKEN="sesame99")
    assert (str(error), error.passing) == ("The key [TOKEN] is wrong", "")


def test_an_error_that_may_pass_is_marked(environment: Path) -> None:
    more = {"failure_type": "transient_error", "internal_message": "HTTP 503"}
    tiny.script(environment, read=[tiny.error("Something went wrong in the connector. See the logs.", **more)], exit=1)
    error = failure(environment)
    assert (str(error), error.passing) == ("HTTP 503", "the connector expects the next attempt to succeed")


def test_a_program_that_ends_without_a_trace_has_its_last_line_as_the_reason(environment: Path) -> None:
    tiny.script(environment, read=[tiny.record(id=1)], exit=3, stderr="Traceback\nKeyError: 'sesame99'")
    assert str(failure(environment, TOKEN="sesame99")) == "it failed (exit code 3): KeyError: '[TOKEN]'"
    incomplete = {"type": "TRACE", "trace": {"type": "STREAM_STATUS", "stream_status": {"status": "INCOMPLETE"}}}
    fatal = {"type": "LOG", "log": {"level": "FATAL", "message": "no disk\n  File x"}}
    tiny.script(environment, read=[fatal, incomplete])
    assert str(failure(environment)) == "it failed (its stream is incomplete): no disk"


def test_a_broken_connection_may_pass_whatever_the_program_calls_it(environment: Path) -> None:
    tiny.script(environment, read=[tiny.error("Exception: ChunkedEncodingError: ('Connection broken', 1)", failure_type="x")])
    assert failure(environment).passing == "the network failed"
    tiny.script(environment, exit=1, stderr="requests.exceptions.ConnectionError: reset")
    assert failure(environment).passing == "the network failed"


def test_a_program_that_does_not_end_is_ended(environment: Path) -> None:
    tiny.script(environment, read=[tiny.record(id=1)], sleep=60)
    started = time.monotonic()
    assert str(failure(environment, 1.5)) == "it did not end within 1.5 s; raise timeout_seconds=… or read less at once"
    assert time.monotonic() - started < 20


def test_a_program_ends_with_its_reader(environment: Path) -> None:
    tiny.script(environment, read=[tiny.record(id=1)], sleep=60)
    messages = program(environment).messages("read")
    assert next(iter(messages))["type"] == "RECORD"
    messages.close()  # type: ignore[attr-defined]
    (call,) = tiny.calls(environment)
    with pytest.raises(ProcessLookupError):
        os.kill(call["pid"], 0)


def test_a_page_that_the_program_leaves_out_is_a_failure(environment: Path) -> None:
    log = {"type": "LOG", "log": {"level": "ERROR", "message": "Failed to parse JSON data using json library. Expecting value"}}
    tiny.script(environment, read=[tiny.record(id=1), log, tiny.state("2")])
    error = failure(environment)
    assert str(error) == "a page of the answer is no JSON, and its rows are missing"
    assert error.passing == "a page of the answer was broken"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('{"type": "RECORD", "record": {"stream": "orders", "da', "RECORD"),
        ('progress{"type": "RECORD", "record": {}}', "RECORD"),
        ('{"type": "LOG"}{"type":"STATE"}', "STATE"),
        ('{"type": "RECORD", "record": {"stream": "orders", "data": {"id": ' + "1" * 5000 + "}}}", "RECORD"),
    ],
)
def test_a_message_that_cannot_be_read_is_a_failure(environment: Path, line: str, kind: str) -> None:
    tiny.script(environment, read=[tiny.record(id=1), line, tiny.record(id=2)])
    assert str(failure(environment)) == f"a line of its output has a {kind} and is no JSON, and would be lost"


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({"type": "RECORD"}, "a RECORD of its output has no 'record', or one that is no object"),
        ({"type": "RECORD", "record": {"stream": "orders", "data": [1]}},
         "a RECORD of its output has no 'data', or one that is no object"),
        ({"type": "STATE", "state": None}, "a STATE of its output has no 'state', or one that is no object"),
    ],
)  # fmt: skip
def test_a_message_without_its_content_is_a_failure(environment: Path, message: dict[str, object], problem: str) -> None:
    tiny.script(environment, read=[message])
    assert str(failure(environment)) == problem


def test_numbers_of_a_state_are_those_of_the_program(environment: Path) -> None:
    state = '{"type": "STATE", "state": {"data": {"at": 0.12345678901234567890}}}'
    tiny.script(environment, read=[state, state.replace("STATE", "OTHER"), {"type": "RECORD", "record": {"data": {}}}])
    found = list(program(environment).messages("read"))
    assert [message["type"] for message in found] == ["STATE", "OTHER", "RECORD"]
    assert found[0]["state"] == {"data": {"at": 0.12345678901234568}}


def test_a_long_line_is_cut_after_its_secrets_are_removed(environment: Path) -> None:
    tiny.script(environment, exit=1, stderr="x" * 300 + "sesame99" + "y" * 1_000_000)
    assert str(failure(environment, TOKEN="sesame99")) == f"it failed (exit code 1): {'x' * 300}[TOKEN]{'y' * 93} …"


@pytest.mark.parametrize(
    ("text", "brief"),
    [
        (
            "Exception while syncing orders: ConnectionError: HTTPConnectionPool(host='127.0.0.1', port=18741): Max retries "
            "exceeded with url: /orders?key=abc (Caused by NewConnectionError(\"HTTPConnection(host='127.0.0.1'): Failed "
            'to establish a new connection: [Errno 111] Connection refused"))',
            "127.0.0.1:18741 cannot be read: Connection refused",
        ),
        (
            "Error: HTTPSConnectionPool(host=\\'api.example.com\\', port=443): Read timed out. (read timeout=300)",
            "api.example.com:443 cannot be read: Read timed out",
        ),
        ("no such account", "no such account"),
    ],
)
def test_a_failed_connection_is_named_by_its_server_without_the_address(text: str, brief: str) -> None:
    assert in_brief(text) == brief
