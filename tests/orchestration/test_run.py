from collections.abc import Callable, Sequence
from typing import Any

import pytest

from kit.build.build import Outcome
from kit.build.plan import BuildRequest
from kit.core.errors import NotebookError, UnknownName
from kit.mesh.context import Context
from kit.mesh.product import DataProduct
from kit.orchestration import executor
from kit.orchestration.run import RunReporter, RunResult, build_requests, run
from kit.storage import index
from tests.support.small_mesh import SmallMesh, write


class Recorder(RunReporter):
    """Writes down the events of a run."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def started(self, products: Sequence[DataProduct]) -> None:
        self.events.append("started " + " ".join(product.name for product in products))

    def finished(self, outcome: Outcome) -> None:
        self.events.append(f"{outcome.product} {outcome.status}")


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> dict[str, BuildRequest]:
    """The requests of the last run; nothing is built, and `plan` fails."""
    received: dict[str, BuildRequest] = {}

    def execute(
        context: Any,
        products: Any,
        asked: Any,
        watch: Callable[[], Any],
        tell: Callable[[Outcome], None],
        warn: Callable[[str], None],
        tags: Any = None,
        at_once: bool = False,
    ) -> list[Outcome]:
        received.clear()
        received.update(asked)
        outcomes = [Outcome(item.name, "failed" if item.name == "plan" else "published", 1.0) for item in products]
        for outcome in outcomes:
            with watch():
                tell(outcome)
        return outcomes

    monkeypatch.setattr(executor, "execute", execute)
    return received


def test_the_selected_products_are_built_and_each_outcome_is_reported(
    small: SmallMesh, requests: dict[str, BuildRequest]
) -> None:
    recorder = Recorder()
    result = run(Context(small.config), ["shop"], downstream=True, force=True, parameters={"factor": 3.0}, reporter=recorder)
    assert requests == {"shop": BuildRequest({}, (), True), "plan": BuildRequest({"factor": 3.0}, (), True)}
    assert recorder.events == ["started shop plan", "shop published", "plan failed"]
    assert [outcome.product for outcome in result] == ["shop", "plan"]
    assert [outcome.product for outcome in result.failed] == ["plan"]
    assert not result.succeeded
    assert not (small.config.storage / index.INDEX).exists()


def test_a_run_of_the_whole_mesh_writes_the_index_and_names_broken_domains(
    small: SmallMesh, requests: dict[str, BuildRequest]
) -> None:
    write(small.domains / "wrong/product.odps.yaml", "name: wrong\n")
    result = run(Context(small.config))
    assert list(requests) == ["shop", "plan"]
    assert [item.name for item in result.broken] == ["wrong"]
    assert (small.config.storage / index.INDEX).is_file()
    assert run(Context(small.config), ["shop"]).succeeded


def test_parameters_and_partitions_that_no_product_has_are_refused(small: SmallMesh) -> None:
    products = [small.product("plan"), small.product("shop")]
    with pytest.raises(NotebookError, match="no notebook of shop has a parameter 'factor'"):
        build_requests(small.config, products[1:], {"factor": 1.0}, (), False)
    with pytest.raises(UnknownName, match="none of plan, shop has partitions"):
        build_requests(small.config, products, {}, ("tea",), False)
    with pytest.raises(UnknownName, match="there is no data product 'nobody'"):
        run(Context(small.config), ["nobody"])


def test_a_result_is_a_plain_table_json_and_escaped_html() -> None:
    result = RunResult((Outcome("shop", "failed", 2.0, message="<script>\nmore"),))
    assert repr(result).splitlines() == [
        "product  result  snapshot  seconds  message",
        "shop     failed            2.0      <script>",
    ]
    assert result.to_json() == [
        {"product": "shop", "status": "failed", "version": None, "seconds": 2.0, "message": "<script>\nmore", "checks": []}
    ]
    html = result._repr_html_()
    assert html.count("<table>") == 1
    assert "<script" not in html
    assert "more" not in html
