"""Whatever changes in whatever order: after each build every port and check is that of a build from nothing."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.build.build import build
from kit.build.plan import BuildRequest
from kit.core.config import Config
from kit.mesh.mesh import Mesh
from kit.storage.snapshot import Snapshot
from kit.storage.store import Store
from kit.sync.sync import sync
from tests.support.contracts import contract, valid
from tests.support.files import write
from tests.support.products import descriptor, partition, write_dbt_project
from tests.support.small_mesh import SmallMesh

FEED = [f"{number},{('tea', 'cake', 'pie')[number % 3]},{number}.50" for number in range(1, 10)]
IS_LONG = settings.default.max_examples > 100  # in `make fuzz`
STEPS = (
    "edit a port", "edit upstream", "edit a test", "describe", "tighten", "arrive", "correct", "delete", "break", "roll back",
    "add a port",
)  # fmt: skip


class Changing:
    """Two products, `till` and its reader `desk`, whose code and data are determined by a few values."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state: dict[str, Any] = {}
        self.mesh = SmallMesh(root)
        for name in ("shop", "plan"):
            shutil.rmtree(self.mesh.domains / name)
        self.from_nothing: dict[str, list[Snapshot]] = {}
        self.state = {"totals": 0, "staging": 0, "test": 0, "words": 0, "least": 0, "feed": list(FEED), "day": False}
        self.kept: dict[str, str] = {}
        self.write()
        self.build()
        self.keep("")

    def folders(self) -> tuple[Path, Path, Path]:
        return self.mesh.config.storage, self.mesh.domains, self.mesh.feed.parent

    def keep(self, step: str) -> None:
        """Keep the state after the first snapshots or after one step, with all files, for sequences that begin so."""
        self.kept[step] = json.dumps(self.state)
        for folder in self.folders():
            shutil.copytree(folder, self.root / "kept" / (step or "first") / folder.name)

    def restore(self, step: str) -> None:
        self.state = json.loads(self.kept[step])
        for folder in self.folders():
            shutil.rmtree(folder)
            shutil.copytree(self.root / "kept" / (step or "first") / folder.name, folder)

    def write(self) -> None:
        """Write all files as the state says."""
        state, till, desk = self.state, self.mesh.domains / "till", self.mesh.domains / "desk"
        self.mesh.feed_rows(["id,item,amount", *state["feed"]])
        outputs = {"sales": "dbt", "totals": "dbt", "items": "dbt"} | ({"large": "dbt"} if state["day"] else {})
        write(till / "product.odps.yaml", descriptor("till", inputs=["raw.sales"], outputs=outputs))
        least = {"logicalTypeOptions": {"minimum": 0}}
        columns = [
            ("id", "bigint", {"required": True, "primaryKey": True, "primaryKeyPosition": 1}),
            ("item", "varchar", {"quality": [valid("tea", "cake", "pie")]}),
            ("amount", "decimal(10,2)", least),
        ]
        write(till / "sources/sales.odcs.yaml", contract("till.raw.sales", "sales", columns))
        key = {"relationships": [{"type": "foreignKey", "to": "till.items.item"}]}
        sales = [columns[0], ("item", "varchar", key), columns[2]]
        write(till / "contracts/sales.odcs.yaml", contract("till.sales", "sales", sales))
        item = ("item", "varchar", {"required": True, "primaryKey": True, "primaryKeyPosition": 1})
        few = {
            "name": "few",
            "type": "library",
            "metric": "rowCount",
            "mustBeLessThan": 9 - state["least"],  # a wider promise would break the reader
            "severity": "warning",
        }
        whole = {
            "name": "add up", "type": "sql", "mustBe": 0, "severity": "warning",
            "query": "select (select sum(amount) from ${table}) - (select sum(amount) from raw.sales)",
        }  # fmt: skip
        totals = contract("till.totals", "totals", [item, ("amount", "decimal(18,2)", {})], [few, whole])
        write(till / "contracts/totals.odcs.yaml", totals.replace("One row", f"Row {state['words']}"))
        write(till / "contracts/items.odcs.yaml", contract("till.items", "items", [item]))
        write(till / "contracts/large.odcs.yaml", contract("till.large", "large", [item]))
        write(till / "ingest.py", "def sales():\n    return '../../feed/sales.csv'\n")
        write_dbt_project(till)
        write(till / "models/sources.yml", "sources: [{name: raw, tables: [{name: sales}]}]\n")
        settings = "{{ config(materialized='view') }}"
        write(till / "models/stg.sql", f"{settings} select id, item, amount + {state['staging']} as amount from raw.sales\n")
        write(till / "models/sales.sql", "select id, item, amount::decimal(10,2) as amount from {{ ref('stg') }}\n")
        sums = (
            f"select item, (sum(amount) + {state['totals']})::decimal(18,2) as amount from {{{{ ref('sales') }}}} group by item"
        )
        write(till / "models/totals.sql", sums + "\n")
        write(till / "models/items.sql", "select distinct item from {{ source('raw', 'sales') }}\n")
        (till / "models/large.sql").unlink(missing_ok=True)
        if state["day"]:
            write(till / "models/large.sql", "select item from {{ ref('totals') }} where amount > 20\n")
        test = "select id from {{ ref('sales') }} join {{ ref('totals') }} using (item) where sales.amount > totals.amount - "
        write(till / "tests/agree.sql", "{{ config(severity='warn') }} " + test + f"{state['test']}\n")
        write(desk / "product.odps.yaml", descriptor("desk", inputs=["till.totals"], outputs={"copy": "dbt"}))
        partition(desk, "item", keys=["tea", "cake"])
        write(desk / "contracts/copy.odcs.yaml", contract("desk.copy", "copy", [item, ("amount", "decimal(18,2)", {})]))
        write_dbt_project(desk)
        write(desk / "models/sources.yml", "sources: [{name: till, tables: [{name: totals}]}]\n")
        rows = "select item, amount from {{ source('till', 'totals') }} where item = '{{ var('partition') }}'\n"
        write(desk / "models/copy.sql", rows)
        sync(self.mesh.context)

    def build(self, *partitions: str, storage: str = "state", force: bool = False) -> dict[str, str]:
        """Build both products and return the status of each."""
        config, mesh = Config.load(self.root, {"KIT_STORAGE": str(self.root / storage)}), Mesh.load(self.mesh.domains)
        requests = {"till": BuildRequest(force=force), "desk": BuildRequest(force=force, partitions=partitions)}
        found = {}
        for name, request in requests.items():
            outcome = build(config, mesh.product(name), request)
            found[name] = str(outcome.status)
        return found

    def current(self, storage: str = "state") -> list[Snapshot]:
        store = Store(self.root / storage)
        return [snapshot for name in ("till", "desk") if (snapshot := store.current(name))]

    def rebuilt(self) -> list[Snapshot]:
        """The snapshots of a build of this state from nothing."""
        key = json.dumps({**self.state, "words": 0})  # which nothing is built from or judged by
        if key not in self.from_nothing:
            storage = f"nothing/{len(self.from_nothing)}"
            assert set(self.build(storage=storage).values()) == {"published"}
            self.from_nothing[key] = self.current(storage)
        return self.from_nothing[key]

    def change(self, step: str) -> None:
        """Change the state, and the files accordingly."""
        state = self.state
        feed: list[str] = state["feed"]
        counters = {"edit a port": "totals", "edit upstream": "staging", "edit a test": "test", "describe": "words"}
        if step in counters:
            state[counters[step]] = 1 - state[counters[step]]
        elif step == "tighten":
            state["least"] += 1
        elif step == "arrive":
            feed.append(f"{len(feed) + 20},tea,4.00")
        elif step == "correct":
            feed[0] = f"{feed[0].rpartition(',')[0]},{'2.00' if feed[0].endswith('1.50') else '1.50'}"
        elif step == "delete":
            feed.pop()
        elif step == "add a port":
            state["day"] = not state["day"]
        self.write()


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changing]:
    yield Changing(tmp_path_factory.mktemp("changing"))


def rows_that_differ(one: list[Path], other: list[Path]) -> list[Any]:
    """Rows of either table that the other one has less often."""
    a, b = (f"(from read_parquet({[str(path) for path in paths]}))" for paths in (one, other))
    return duckdb.sql(f"(from {a} except all from {b}) union all (from {b} except all from {a})").fetchall()


def judged(snapshot: Snapshot) -> list[Any]:
    """The checks of a snapshot; that of lost rows compares with the last one, and samples are any five rows."""
    return [
        (check["table"], check["rule"], check["origin"], check["passed"], check["severity"], check["failing_rows"],
         "" if "last snapshot" in check["rule"] else check["observed"], len(check["samples"]), check["note"])
        for check in snapshot.manifest["checks"]
    ]  # fmt: skip


def compare(changing: Changing, partitions: tuple[str, ...] = ()) -> None:
    for ours, full in zip(changing.current(), changing.rebuilt(), strict=True):
        assert list(ours.manifest["ports"]) == list(full.manifest["ports"])
        for port in full.manifest["ports"]:
            names = {f"{key}.parquet" for key in partitions} if ours.product == "desk" and partitions else None
            pairs = [[path for path in found.paths(port) if names is None or path.name in names] for found in (ours, full)]
            assert rows_that_differ(*pairs) == [], (port, changing.state)
        if ours.product == "till" or not partitions:
            assert judged(ours) == judged(full), changing.state


@pytest.mark.slow
@settings(max_examples=200 if IS_LONG else 20)
@given(st.lists(st.sampled_from(STEPS), min_size=1, max_size=4 if IS_LONG else 2))
def test_each_build_is_that_from_nothing(changing: Changing, steps: list[str]) -> None:
    known = steps[0] in changing.kept
    changing.restore(steps[0] if known else "")
    for number, step in enumerate(steps):
        if number == 0 and known:
            continue
        take(changing, step)
        if number == 0:
            changing.keep(step)


def take(changing: Changing, step: str) -> None:
    """Take one step, and compare each build after it with one from nothing."""
    before = changing.current()
    if step == "break":
        feed = list(changing.state["feed"])
        changing.state["feed"] = [*feed, "99,tea,-1.00"]
        changing.write()
        assert changing.build()["till"] == "failed"
        assert [found.version for found in changing.current()] == [found.version for found in before]
        changing.state["feed"] = feed
        changing.write()
    elif step == "roll back":
        store = Store(changing.root / "state")
        others = [version for version in store.versions("till") if version != before[0].version]
        if others:
            store.rollback("till", others[-1])
        changing.change("edit a port")
    else:
        changing.change(step)
    partitions = ("tea",) if step in ("correct", "edit upstream") else ()
    if "held" in changing.build(*partitions).values():
        return
    compare(changing, partitions)
    if partitions:
        changing.build()
        compare(changing)
