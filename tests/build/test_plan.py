"""Planning reads only, and runs once for a build."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from kit.build.build import build, check_due
from kit.build.plan import BuildPlan, BuildRequest, gather_inputs, plan
from kit.build.progress import Progress
from kit.core.errors import KitError, MaskError, NotPublished
from kit.orchestration.definitions import definitions
from kit.orchestration.executor import execute
from kit.storage.partition_inputs import partitions_to_json
from kit.storage.runs import BuildStatus
from tests.support.days import plan_days, publish_days, publish_sales, write_days
from tests.support.small_mesh import SALES, SmallMesh

RECENT = ["2024-01-08", "2024-01-09"]


@pytest.fixture
def published(small: SmallMesh) -> SmallMesh:
    """The small mesh with a snapshot of `shop`."""
    small.snapshot("shop", "totals", {"item": ["cake", "tea"], "amount": ["170", "310"]})
    return small


def planned(small: SmallMesh, name: str, **request: Any) -> BuildPlan:
    with ExitStack() as held:
        wanted = BuildRequest(**request)
        inputs = gather_inputs(small.config, small.product(name), wanted, held, Progress())
        return plan(small.config, small.product(name), wanted, inputs)


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder but caches with its content and time of change."""
    paths = {str(path.relative_to(folder)): path for path in folder.rglob("*") if "cache" not in path.parts}
    return {name: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for name, path in paths.items()}


class Stopped(KitError):
    """Ends a build after it was planned."""


class Planner:
    """Counts the plans that are made; builds end before anything is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plans: list[BuildPlan] = []
        self.made: list[BuildPlan] = []
        module = sys.modules["kit.build.build"]  # as an attribute of its package, `build` is the function
        monkeypatch.setattr(module, "plan", self.plan)
        monkeypatch.setattr(module, "make", self.make)

    def plan(self, *arguments: Any) -> BuildPlan:
        self.plans.append(plan(*arguments))
        return self.plans[-1]

    def make(self, workspace: Any, product: Any, plan: BuildPlan) -> None:
        self.made.append(plan)
        raise Stopped("not made")


@contextmanager
def watch() -> Iterator[Progress]:
    yield Progress()


# Planning writes nothing


def test_planning_writes_nothing(small: SmallMesh) -> None:
    version = small.publish("shop")
    storage, product = small.config.storage, small.product("shop")
    with ExitStack() as held:
        inputs = gather_inputs(small.config, product, BuildRequest(), held, Progress())
        (small.store.folder("shop") / "catalog.yaml").unlink()  # a build would repair it
        before = tree(storage)
        assert plan(small.config, product, BuildRequest(), inputs).status == BuildStatus.UP_TO_DATE
        assert plan(small.config, product, BuildRequest(force=True), inputs).status is None
        small.replace("domains/shop/models/marts/totals.sql", "order by item", "order by item desc")
        due = plan(small.config, product, BuildRequest(), inputs)
        assert (due.status, due.current and due.current.version) == (None, version)
        assert tree(storage) == before


def test_a_fingerprint_changes_with_each_input(published: SmallMesh) -> None:
    small = published
    plans = [planned(small, "plan")]
    plans.append(planned(small, "plan", parameters={"factor": "3"}))
    small.replace("domains/plan/contracts/forecast.odcs.yaml", '"unit": "d"', '"unit": "h"')
    plans.append(planned(small, "plan"))
    small.snapshot("shop", "totals", {"item": ["cake"], "amount": ["1"]})
    plans.append(planned(small, "plan"))
    assert len({found.fingerprint for found in plans}) == 4
    # The version of a snapshot is no input: its content is.
    small.snapshot("shop", "totals", {"item": ["cake"], "amount": ["1"]})
    assert planned(small, "plan").fingerprint == plans[-1].fingerprint


def test_a_default_given_as_a_parameter_changes_nothing(published: SmallMesh) -> None:
    assert planned(published, "plan", parameters={"factor": "2"}).fingerprint == planned(published, "plan").fingerprint


def test_partitions_to_build_and_to_keep(small: SmallMesh) -> None:
    small.partition("shop", "item", keys=["tea", "cake", "pie"])
    whole = planned(small, "shop", partitions=("cake", "tea"))
    assert (whole.inputs.partitions, list(whole.due), list(whole.kept)) == (("tea", "cake"), ["tea", "cake"], [])
    manifest = partitions_to_json(whole.due) | {"fingerprint": whole.fingerprint}
    small.snapshot("shop", "totals", {"item": ["tea"], "amount": ["1"]}, **manifest)
    assert planned(small, "shop", partitions=("cake", "tea")).status == BuildStatus.UP_TO_DATE
    rest = planned(small, "shop")
    assert (rest.status, list(rest.due), sorted(rest.kept)) == (None, ["pie"], ["cake", "tea"])
    forced = planned(small, "shop", partitions=("tea",), force=True)
    assert (list(forced.due), list(forced.kept)) == (["tea"], ["cake"])


@pytest.fixture
def days(small: SmallMesh) -> SmallMesh:
    """A product of six days, 2024-01-04 to 2024-01-09, of which changed inputs make the newest two due."""
    write_days(small.domains / "days", start="2024-01-04", lookback=2)
    publish_sales(small, "1")
    assert len(publish_days(small).due) == 6
    publish_sales(small, "2")
    return small


def test_changed_inputs_make_only_days_within_the_lookback_due(days: SmallMesh) -> None:
    found = plan_days(days)
    assert (list(found.due), list(found.kept)) == (RECENT, ["2024-01-04", "2024-01-05", "2024-01-06", "2024-01-07"])
    publish_days(days)
    assert plan_days(days).status == BuildStatus.UP_TO_DATE
    assert list(plan_days(days, "2024-01-05").due) == ["2024-01-05"]  # asked for by name
    assert len(planned(days, "days", force=True).due) == 6


def test_changed_code_makes_all_days_due(days: SmallMesh) -> None:
    days.replace("domains/days/models/takings.sql", "group by sold_on", "group by 1")
    assert len(plan_days(days).due) == 6


def test_kept_days_do_not_show_what_is_masked_now(days: SmallMesh) -> None:
    pointer = days.store.read_pointer("days")
    assert pointer
    path = days.store.folder("days") / pointer.version / "manifest.json"
    data = json.loads(path.read_text())
    data["ports"]["takings"]["masked"] = {}
    path.chmod(0o644)
    path.write_text(json.dumps(data))
    assert list(plan_days(days, "2024-01-05").due) == ["2024-01-05"]
    days.mask("days/contracts/takings.odcs.yaml", amount="inherited")
    with pytest.raises(MaskError, match=r"other partitions were published with takings\.amount in clear, which is masked now"):
        plan_days(days, "2024-01-05")
    assert len(plan_days(days).due) == 6


def test_a_missing_day_is_due_however_old(days: SmallMesh) -> None:
    publish_days(days)
    days.replace("domains/days/product.odps.yaml", "2024-01-04", "2024-01-03")
    assert "2024-01-03" in plan_days(days).due


def test_inputs_that_cannot_be_had(small: SmallMesh) -> None:
    with pytest.raises(NotPublished, match="'shop' has no published snapshot"):
        planned(small, "plan")
    small.mask("shop/contracts/sales.odcs.yaml", item="hmac")
    with pytest.raises(MaskError, match=r"'shop' masks shop\.sales\.item"):
        planned(small, "shop")
    assert not (small.config.storage / "raw").exists()


# It runs once for a build


def test_kit_run_plans_each_build_once(published: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small, planner = published, Planner(monkeypatch)
    products = small.mesh.products
    requests = {product.name: BuildRequest() for product in products}
    outcomes = execute(small.context, products, requests, watch, lambda outcome: None, print)
    assert [(outcome.product, outcome.message) for outcome in outcomes] == [("shop", "not made"), ("plan", "not made")]
    assert planner.made == planner.plans
    assert [tuple(made.inputs.sources) for made in planner.made] == [("sales",), ()]


def test_a_run_of_one_range_of_partitions_plans_once(published: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small = published
    small.partitioned_plan("tea", "cake", "pie")
    planner, product = Planner(monkeypatch), small.product("plan")
    execute(small.context, [product], {"plan": BuildRequest(partitions=("cake", "tea"))}, watch, lambda outcome: None, print)
    assert planner.made == planner.plans
    assert [list(made.due) for made in planner.made] == [["tea", "cake"]]


def test_a_step_of_dagster_plans_once(published: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    planner = Planner(monkeypatch)
    job = definitions(published.context).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        selection = {dg.AssetKey(["plan", "forecast"])}
        job.get_subset(asset_selection=selection).execute_in_process(instance=instance, raise_on_error=False)
    assert len(planner.plans) == 1
    assert planner.made == planner.plans


def test_nothing_to_do_is_planned_once_and_made_never(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.publish("shop")
    planner = Planner(monkeypatch)
    (outcome,) = execute(small.context, [small.product("shop")], {"shop": BuildRequest()}, watch, lambda outcome: None, print)
    assert (outcome.status, len(planner.plans), planner.made) == ("up to date", 1, [])


@pytest.mark.parametrize("moved", ["provider", "product", "code", "parameters", "force"])
def test_a_plan_is_made_anew_when_something_moved_since(
    published: SmallMesh, monkeypatch: pytest.MonkeyPatch, moved: str
) -> None:
    small, planner, request = published, Planner(monkeypatch), BuildRequest()
    early = check_due(small.config, small.product("plan"), request).plan
    if moved == "provider":
        small.snapshot("shop", "totals", {"item": ["cake"], "amount": ["1"]})
    elif moved == "product":
        small.snapshot("plan", "forecast", {"item": ["cake"], "amount": ["1"]})
    elif moved == "code":
        small.replace("domains/plan/contracts/forecast.odcs.yaml", '"unit": "d"', '"unit": "h"')
    else:
        request = BuildRequest({"factor": "3"}) if moved == "parameters" else BuildRequest(force=True)
    build(small.config, small.product("plan"), request, planned=early)
    first, second = planner.plans
    assert (first, planner.made) == (early, [second])


def test_landed_sources_are_handed_on_unless_they_are_gone(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    Planner(monkeypatch)
    product, steps = small.product("shop"), Progress()
    early = check_due(small.config, product, BuildRequest()).plan
    assert early is not None
    small.feed_rows(SALES[:5])
    build(small.config, product, planned=early, progress=steps)
    assert "ingest" not in steps.seconds
    early.inputs.sources["sales"].path.unlink()
    build(small.config, product, planned=early, progress=steps)
    assert "ingest" in steps.seconds
