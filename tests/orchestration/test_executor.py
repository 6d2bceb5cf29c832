"""`kit run` as a Dagster run: what is started, in which order, and where it is recorded."""

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg
import pytest

import kit.orchestration.executor as module
from kit.build.build import DueCheck, Outcome
from kit.build.plan import BuildRequest
from kit.build.progress import Progress
from kit.core.config import Config
from kit.core.errors import KitError
from kit.mesh.context import Context
from kit.mesh.product import DataProduct
from kit.orchestration.assets import ProductAssets
from kit.orchestration.executor import execute
from kit.orchestration.instance import instance
from kit.storage.runs import BuildStatus, Runs
from kit.sync.sync import sync
from tests.support.cars import add_cars
from tests.support.meeting import meet
from tests.support.orchestration import declare, published
from tests.support.products import write_dbt_reader
from tests.support.small_mesh import SmallMesh


@contextmanager
def watch() -> Iterator[Progress]:
    yield Progress()


class Builds:
    """Replaces real builds: `status` by product, `settled` names products that have nothing to do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, settled: tuple[str, ...] = (), **status: Any) -> None:
        self.status, self.settled = status, settled
        self.built: list[tuple[str, BuildRequest]] = []
        self.checked: list[str] = []
        monkeypatch.setattr(module, "build", self.build)
        monkeypatch.setattr(module, "check_due", self.check_due)

    def check_due(self, config: Any, product: DataProduct, request: BuildRequest, progress: Progress) -> DueCheck:
        self.checked.append(product.name)
        return DueCheck(published(product, status=BuildStatus.UP_TO_DATE) if product.name in self.settled else None)

    def build(self, config: Any, product: DataProduct, request: BuildRequest, **options: Any) -> Outcome:
        self.built.append((product.name, request))
        status = self.status.get(product.name, BuildStatus.PUBLISHED)
        if isinstance(status, BaseException):
            raise status
        return (
            published(product) if status == BuildStatus.PUBLISHED else Outcome(product.name, status, 1.0, message="gone wrong")
        )


class Busy(Builds):
    """`shop` is busy for the first checks; after that another run has built it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, checks: int, at: str = "check", quiet: tuple[str, ...] = ()) -> None:
        super().__init__(monkeypatch)
        self.left, self.at, self.quiet = checks, at, quiet

    def outcome(self, product: DataProduct) -> Outcome | None:
        if product.name != "shop" or self.left == 0:
            return None
        self.left -= 1
        return Outcome("shop", BuildStatus.FAILED, 0, message="being built", busy=True)

    def check_due(self, config: Any, product: DataProduct, request: BuildRequest, progress: Progress) -> DueCheck:
        if self.at == "check" and (busy := self.outcome(product)):
            return DueCheck(busy)
        self.settled = ("shop",) if self.left == 0 else self.quiet
        return super().check_due(config, product, request, progress)

    def build(self, config: Any, product: DataProduct, request: BuildRequest, **options: Any) -> Outcome:
        return self.outcome(product) or super().build(config, product, request, **options)


@pytest.mark.parametrize("at", ["check", "build"])
def test_what_another_run_has_built_meanwhile_is_no_failure(small: SmallMesh, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    builds, reported = Busy(monkeypatch, 1, at), list[Outcome]()
    requests = {product.name: BuildRequest() for product in small.mesh.products}
    outcomes = execute(small.context, small.mesh.products, requests, watch, reported.append, print)
    assert [(o.product, o.status, o.message) for o in outcomes] == [
        ("shop", "up to date", "built by another run meanwhile"), ("plan", "published", "")
    ]  # fmt: skip
    assert reported == outcomes  # each once, and no consumer before its provider
    assert [name for name, _ in builds.built] == ["plan"]


def test_a_consumer_without_anything_to_do_was_not_built_by_the_other_run(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    Busy(monkeypatch, 3, quiet=("plan",))
    requests = {product.name: BuildRequest() for product in small.mesh.products}
    outcomes = execute(small.context, small.mesh.products, requests, watch, lambda outcome: None, print)
    assert [(o.product, o.status, o.message) for o in outcomes] == [
        ("shop", "failed", "being built"), ("plan", "up to date", "")
    ]  # fmt: skip


def test_what_another_run_still_builds_at_the_end_has_failed(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = Busy(monkeypatch, 2)
    assert run(small) == [("shop", "failed"), ("plan", "published")]
    assert [name for name, _ in builds.built] == ["plan"]  # from the last snapshot of its provider


def run(small: SmallMesh, said: list[str] | None = None, **requests: BuildRequest) -> list[tuple[str, str]]:
    mesh, warn = small.mesh, print if said is None else said.append
    asked = {product.name: requests.get(product.name, BuildRequest()) for product in mesh.products}
    return [(o.product, o.status) for o in execute(small.context, mesh.products, asked, watch, lambda outcome: None, warn)]


def recorded(small: SmallMesh) -> list[tuple[str, set[str]]]:
    """Every Dagster run, oldest first: its status and the assets that were made."""
    with instance(small.config) as opened:
        found = []
        for record in reversed(opened.get_run_records()):
            logs = opened.all_logs(record.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
            assets = {entry.get_dagster_event().asset_key.to_user_string() for entry in logs}  # type: ignore[union-attr]
            found.append((record.dagster_run.status.value, assets))
        return found


def test_products_are_built_in_order_in_one_recorded_run(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = Builds(monkeypatch)
    assert run(small) == [("shop", "published"), ("plan", "published")]
    assert [name for name, _ in builds.built] == ["shop", "plan"]
    (dagster_run,) = {request.dagster_run for _, request in builds.built}
    assert str(UUID(dagster_run)) == dagster_run
    assert builds.checked == ["shop"]  # plan reads it: whether it has anything to do shows only afterwards
    assert recorded(small) == [("SUCCESS", {"shop/raw/sales", "shop/sales", "shop/totals", "plan/forecast"})]


def test_a_run_prints_no_events(small: SmallMesh, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    Builds(monkeypatch)
    assert run(small) == [("shop", "published"), ("plan", "published")]
    assert "dagster" not in "".join(capfd.readouterr())


def test_with_nothing_to_do_there_is_no_run(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = Builds(monkeypatch, settled=("shop", "plan"))
    assert run(small) == [("shop", "up to date"), ("plan", "up to date")]
    assert builds.built == []
    assert not (small.config.storage / "dagster").exists()


def test_a_product_whose_connector_has_no_environment_yet_is_built_last(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr("kit.ingest.environments.Environments.begin", lambda self, needed: begun.append(needed.name))
    add_cars(small)
    builds = Builds(monkeypatch)
    assert next(name for name, _ in run(small)) == "cars"  # the first by name
    assert [name for name, _ in builds.built] == ["shop", "plan", "cars"]
    assert builds.checked == ["shop"]  # to ask for new rows would be to wait for the environment
    assert begun == ["airbyte-source-faker-7.2.1"]
    assert recorded(small)[0][0] == "SUCCESS"


def test_only_what_is_due_takes_part(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = Builds(monkeypatch, settled=("shop",))
    assert run(small, plan=BuildRequest({"factor": "3"})) == [("shop", "up to date"), ("plan", "published")]
    assert builds.built == [("plan", BuildRequest({"factor": "3"}))]
    assert recorded(small) == [("SUCCESS", {"plan/forecast"})]


def test_force_builds_without_a_look(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = Builds(monkeypatch, settled=("shop", "plan"))
    run(small, shop=BuildRequest(force=True))
    assert builds.built[0] == ("shop", BuildRequest(force=True))


def test_consumers_of_a_product_that_fails_are_built_from_its_last_snapshot(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    Builds(monkeypatch, shop=BuildStatus.FAILED)
    assert run(small) == [("shop", "failed"), ("plan", "published")]
    assert recorded(small) == [("FAILURE", set()), ("SUCCESS", {"plan/forecast"})]


def test_a_build_that_dagster_could_not_record_counts_and_is_named(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    Builds(monkeypatch)
    monkeypatch.setattr("kit.orchestration.asset_checks._evaluation", None)
    monkeypatch.setattr("kit.orchestration.assets.ProductAssets.metadata", lambda *_: 1 / 0)
    said: list[str] = []
    assert run(small, said) == [("shop", "published"), ("plan", "published")]
    assert "'shop' was published, but Dagster could not record it" in said[0]
    assert "ZeroDivisionError" in said[0]


@pytest.mark.parametrize("built", [True, False])
def test_a_disk_that_is_full_for_dagster_takes_no_snapshot_away(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, built: bool
) -> None:
    Builds(monkeypatch)
    execute_run = dg.JobDefinition.execute_in_process

    def full(job: dg.JobDefinition, **options: Any) -> Any:
        if built:
            execute_run(job, **options)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(dg.JobDefinition, "execute_in_process", full)
    said: list[str] = []
    full_disk = "no space is left on the disk; free some, for instance with `kit prune --keep 1`"
    if built:
        assert run(small, said) == [("shop", "published"), ("plan", "published")]
        assert said == [f"Dagster could not record the build of shop, plan: {full_disk}"]
    else:
        with pytest.raises(KitError, match=r"^Dagster could not begin the build: no space is left"):
            run(small, said)


def test_an_interrupt_ends_the_run(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    Builds(monkeypatch, shop=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(small)
    ((status, made),) = recorded(small)
    assert (status, made) == ("CANCELED", set())


def test_a_build_that_was_over_when_its_end_was_asked_for_is_reported_and_ends_the_run(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds = Builds(monkeypatch)
    monkeypatch.setattr(module, "build", lambda *given, **options: replace(builds.build(*given, **options), interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        run(small)
    assert [name for name, _ in builds.built] == ["shop"]
    assert recorded(small) == [("CANCELED", {"shop/raw/sales", "shop/sales", "shop/totals"})]


def test_a_run_terminated_in_the_web_ui_publishes_nothing(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of `kit run` gets no interrupt from Dagster: it looks itself."""

    def build(config: Config, product: DataProduct, request: BuildRequest, **options: Any) -> Outcome:
        with instance(small.config) as opened:
            ((record,), before) = opened.get_run_records(), request.canceled()
            opened.report_run_canceled(record.dagster_run)  # as a forced termination does
        assert (before, request.canceled()) == (False, True)
        time.sleep(30)
        raise AssertionError("not interrupted")

    monkeypatch.setattr(module, "build", build)
    with pytest.raises(KeyboardInterrupt):
        run(small)
    assert recorded(small) == [("CANCELED", set())]


@pytest.mark.parametrize(
    ("asked", "runs"),
    [((), [()]), (("tea",), [("tea",)]), (("tea", "cake"), [("cake",), ("tea",)])],
)
def test_a_partitioned_product_has_a_run_of_its_own(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...], runs: list[tuple[str, ...]]
) -> None:
    declare(small, "plan", "partitions", {"column": "item", "keys": ["cake", "scone", "tea"]})
    builds = Builds(monkeypatch)
    run(small, plan=BuildRequest(partitions=asked))
    assert [request.partitions for name, request in builds.built if name == "plan"] == runs
    made = recorded(small)
    assert made[0] == ("SUCCESS", {"shop/raw/sales", "shop/sales", "shop/totals"})
    assert made[1:] == [("SUCCESS", {"plan/forecast"})] * len(runs)


def test_a_product_that_dagster_cannot_define_fails_with_the_reason_and_the_others_are_built(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: ProductAssets) -> dg.AssetsDefinition:
        if self.product.name == "shop":
            raise RecursionError("too deep")
        return assets(self)

    assets = ProductAssets.assets
    monkeypatch.setattr(ProductAssets, "assets", fail)
    Builds(monkeypatch)
    assert run(small) == [("shop", "failed"), ("plan", "published")]
    record = Runs(small.config.storage).last("shop")
    assert record is not None
    assert (record.status, record.message) == ("failed", "RecursionError: too deep")


def test_a_suite_in_error_is_the_reason_of_a_failed_build(small: SmallMesh) -> None:
    (small.domains / "shop/expectations/sales.extra.json").write_text('{"expectations": [1]}')
    done = small.kit("run", "shop")
    assert done.returncode == 1
    assert "domains/shop/expectations/sales.extra.json" in done.stderr


@pytest.mark.slow
def test_independent_products_are_built_at_the_same_time(small: SmallMesh) -> None:
    write_dbt_reader(small.domains / "reader", "amount", "1.0.0")
    sync(small.context)
    done = small.kit("run", "--json", KIT_PARALLEL_BUILDS="2")
    assert done.returncode == 0, done.stderr + done.stdout
    outcomes = [(item["product"], item["status"]) for item in json.loads(done.stdout)]
    assert outcomes == [(product.name, "published") for product in small.mesh.products]
    shop, plan, reader = (run for name in ("shop", "plan", "reader") if (run := Runs(small.config.storage).last(name)))
    assert shop.finished_at < min(plan.started_at, reader.started_at)
    assert max(plan.started_at, reader.started_at) < min(plan.finished_at, reader.finished_at)
    with instance(small.config) as opened:
        assert [run.status for run in opened.get_runs()] == [dg.DagsterRunStatus.SUCCESS] * 3
    assert small.kit("run", KIT_PARALLEL_BUILDS="2").stdout.count("up to date") == 3


def test_sources_of_independent_products_land_at_the_same_time(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def check_due(config: Any, product: DataProduct, request: BuildRequest, progress: Progress) -> DueCheck:
        if product.sources:
            meet(tmp_path, product.name, {"shop", "stall"})
        with progress.timed(product.name, "ingest") as set_result:
            set_result(str(os.getpid()))
        return DueCheck(published(product, status=BuildStatus.UP_TO_DATE))

    shop, plan = small.mesh.products
    products = (shop, replace(shop, name="stall"), plan)
    monkeypatch.setattr(module, "check_due", check_due)
    monkeypatch.setattr("atexit._run_exitfuncs", lambda: None)  # of libraries of other tests
    seen: list[tuple[str, str]] = []

    @contextmanager
    def watch() -> Iterator[Progress]:
        yield Progress(end=lambda product, step, result, seconds: seen.append((product, result)))

    config = replace(small.config, parallel_builds=2)
    context = Context(config).with_mesh(replace(small.mesh, products=products))
    requests = {product.name: BuildRequest() for product in products}
    outcomes = execute(context, products, requests, watch, lambda outcome: None, print, at_once=True)
    assert [(o.product, o.status) for o in outcomes] == [(product.name, "up to date") for product in products]
    processes = dict(seen)
    assert len(seen) == len(set(processes.values())) == 3  # each check once
    assert processes["plan"] == str(os.getpid())  # it reads one of the others, and has no sources
