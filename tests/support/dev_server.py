"""`kit dev` in a process of its own, with requests to its web server."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.support.limits import HANG
from tests.support.serving import family, serving


@dataclass
class DevServer:
    """A running `kit dev`, or a plain `dagster dev`, which has its GraphQL at another path and names its location otherwise."""

    process: "subprocess.Popen[str]"
    address: str
    graphql: str = "/dagster/graphql"
    location: str = "mesh"

    def query(self, text: str, **variables: Any) -> Any:
        """Return the data of a GraphQL query; fails for an answer with errors."""
        body = json.dumps({"query": text, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.address}{self.graphql}", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=HANG) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def launch(self, *assets: str, config: Mapping[str, Any] | None = None) -> str:
        """Materialize assets as a click in the web UI does; returns the run id."""
        answer = self.query(
            """mutation Launch($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
                 __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
                 ... on RunConfigValidationInvalid { errors { message } } } }""",
            params={
                "selector": {
                    "repositoryLocationName": self.location, "repositoryName": "__repository__", "pipelineName": "__ASSET_JOB",
                    "assetSelection": [{"path": name.split(".")} for name in assets],
                },
                "mode": "default", "runConfigData": json.dumps(config or {}), "executionMetadata": {"tags": []},
            },
        )["launchPipelineExecution"]  # fmt: skip
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def status(self, run_id: str) -> str:
        answer = self.query("query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id)
        return str(answer["runOrError"]["status"])

    def terminate(self, run_id: str, policy: str) -> None:
        """Terminate a run as the dialog of the web UI does."""
        mutation = (
            "mutation End($id: String!, $policy: TerminateRunPolicy) { terminateRun(runId: $id, terminatePolicy: $policy) "
        )
        answer = self.query(mutation + "{ __typename ... on TerminateRunFailure { message } } }", id=run_id, policy=policy)
        assert answer["terminateRun"]["__typename"] == "TerminateRunSuccess", answer

    def events(self, run_id: str) -> list[str]:
        """Return the types of the events of a run."""
        query = "query Log($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { ... on MessageEvent "
        answer = self.query(query + "{ eventType } } } } }", id=run_id)
        return [str(event["eventType"]) for event in answer["logsForRun"]["events"]]

    def wait_for(self, condition: Callable[[], bool], seconds: float = HANG) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "the condition was not met in time"
            time.sleep(0.3)

    def family(self) -> list[psutil.Process]:
        """Return this process and its children."""
        return family(self.process)


@contextmanager
def dev_server(root: Path, **environment: str) -> Iterator[DevServer]:
    """Run `kit dev` in a mesh; ends all its processes afterwards."""
    with serving(root, "dev", **environment) as (process, address):
        yield DevServer(process, address)
