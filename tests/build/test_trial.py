import json
from contextlib import nullcontext
from typing import Any

import pytest

from kit.build.progress import Progress
from kit.build.trial import RECORD, trials
from kit.contracts.check import Check
from kit.core.errors import KitError
from kit.notebooks.diff import differences
from kit.notebooks.executed import Executed, copies
from kit.storage.runs import Runs
from tests.support.small_mesh import SmallMesh


@pytest.fixture
def mesh(small: SmallMesh) -> SmallMesh:
    """The small mesh with a snapshot of `shop`."""
    small.snapshot("shop", "totals", {"item": ["cake", "tea"], "amount": ["170", "310"]})
    return small


def run(small: SmallMesh, *products: str, **values: list[str]) -> list[Any]:
    return list(trials(small.config, [small.product(name) for name in products], values, (), lambda: nullcontext(Progress())))


@pytest.mark.slow
def test_every_combination_is_built_and_judged_and_none_is_published(mesh: SmallMesh) -> None:
    passed, refused = run(mesh, "plan", factor=["3", "-1"], name=["x"])
    assert (passed.parameters, passed.verdict, passed.message, passed.rows) == (
        {"factor": "3", "name": "x"}, "passed", "", {"forecast": 2}
    )  # fmt: skip
    assert (refused.parameters, refused.verdict, refused.rows) == ({"factor": "-1", "name": "x"}, "refused", {"forecast": 2})
    assert refused.message.startswith("'plan': 1 check failed, nothing was published\nfailed  forecast: amount")
    assert [check.rule for check in refused.checks if not check.passed] == ["amount is at least 0"]
    # No part of what is published, nor of what is on record of builds; but its notebooks are found.
    assert mesh.store.current("plan") is None
    assert not list((mesh.config.storage / "products/plan").glob(".staging*"))
    assert Runs(mesh.config.storage).last("plan") is None
    first, second = (Executed.read(copies(mesh.config, trial.run_id)["forecast"]) for trial in (passed, refused))
    assert [(item.where, item.first, item.second) for item in differences(first, second)] == [("factor", "3", "-1")]
    record = json.loads((mesh.config.storage / "runs/plan" / refused.run_id / RECORD).read_text())
    assert (record["product"], record["verdict"]) == ("plan", "refused")
    assert [Check.from_json(check) for check in record["checks"]] == list(refused.checks)
    # The notebook itself may fail, which is no verdict of the audit.
    mesh.notebook("plan", "forecast", ["raise ValueError('no')"])
    (failed,) = run(mesh, "plan")
    assert (failed.verdict, failed.rows) == ("failed", {})
    assert "cell 1 failed: ValueError: no" in failed.message


def test_nothing_is_tried_unless_everything_can_be(mesh: SmallMesh) -> None:
    for products, values, says in (
        (("plan",), {"factor": ["1", "much"]}, "the parameter 'factor' is 'much'; it must be of type float"),
        (("plan",), {"factr": ["1"]}, "no notebook of 'plan' has a parameter 'factr'"),
        (("shop", "plan"), {}, "a trial is of one product; name one of shop, plan"),
    ):
        with pytest.raises(KitError) as error:
            run(mesh, *products, **values)
        assert str(error.value).endswith(says)
    assert not (mesh.config.storage / "runs/plan").exists()


def test_several_values_are_for_trials_only(mesh: SmallMesh) -> None:
    done = mesh.kit("run", "plan", "-p", "factor=1", "-p", "factor=2", "-p", "factor=1")
    assert (done.returncode, done.stderr) == (
        1,
        "error: 'factor' is given 2 values, and a product is published with one; leave one, or try them all with --trial\n",
    )
