"""dbt snapshots begin with the history that readers see."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.build.incremental import growth_findings
from kit.orchestration import erasure
from kit.orchestration.erased_places import ErasureKey, find_places
from kit.orchestration.run import RunResult
from kit.sync.sync import sync
from tests.build.test_reuse import built, current, manifest
from tests.support.contracts import contract
from tests.support.products import descriptor, write_dbt_project
from tests.support.small_mesh import SmallMesh, write

ITEMS = {"tea": ("1.00", "2024-01-01"), "cake": ("2.00", "2024-01-01")}
NOW = {"required": True}
META = [
    ("dbt_scd_id", "varchar", NOW), ("dbt_updated_at", "timestamp", NOW), ("dbt_valid_from", "timestamp", NOW),
    ("dbt_valid_to", "timestamp", {}),
]  # fmt: skip
COLUMNS = [
    ("item", "varchar", NOW),
    ("amount", "decimal(10,2)", {"logicalTypeOptions": {"minimum": 0}}),
    ("changed_at", "timestamp", {}),
]


class Prices:
    """A product `shop` with one port: the history of the prices that its source has now."""

    def __init__(self, small: SmallMesh, more: Sequence[Any] = (), **config: Any) -> None:
        self.small, self.folder = small, small.domains / "shop"
        for name in ("shop", "plan"):
            shutil.rmtree(small.domains / name)
        write(self.folder / "product.odps.yaml", descriptor("shop", inputs=["raw.prices"], outputs={"prices": "dbt"}))
        write(self.folder / "sources/prices.odcs.yaml", contract("shop.raw.prices", "prices", COLUMNS))
        write(self.folder / "contracts/prices.odcs.yaml", contract("shop.prices", "prices", [*COLUMNS, *META, *more]))
        write(self.folder / "ingest.py", "def prices():\n    return '../../feed/sales.csv'\n")
        write_dbt_project(self.folder)
        write(self.folder / "models/sources.yml", "sources: [{name: raw, tables: [{name: prices}]}]\n")
        self.configure(**config)
        self.offer(ITEMS)
        sync(small.context)

    def configure(self, query: str = "select * from {{ source('raw', 'prices') }}", **config: Any) -> None:
        settings = ", ".join(f"{name}={value!r}" for name, value in {"unique_key": "item", **config}.items())
        text = f"{{% snapshot prices %}}\n{{{{ config({settings}) }}}}\n{query}\n{{% endsnapshot %}}\n"
        write(self.folder / "snapshots/prices.sql", text)

    def offer(self, items: dict[str, tuple[str, str]]) -> None:
        self.small.feed_rows(["item,amount,changed_at", *(f"{name},{price},{day}" for name, (price, day) in items.items())])

    def history(self, *columns: str) -> list[tuple[Any, ...]]:
        """Each version of a price, with whether it is the present one."""
        import polars as pl

        rows = pl.read_parquet(current(self.small).paths("prices"))
        return rows.select("item", pl.col("amount").cast(str), pl.col("dbt_valid_to").is_null(), *columns).rows()


@pytest.mark.slow
def test_a_history_grows_with_what_is_published(small: SmallMesh) -> None:
    prices = Prices(small, strategy="timestamp", updated_at="changed_at", hard_deletes="invalidate")
    built(small)
    assert prices.history() == [("cake", "2.00", True), ("tea", "1.00", True)]
    # A changed row is a new version; one that is gone is over.
    prices.offer({"tea": ("1.10", "2024-01-02")})
    second = built(small)
    rows = [("cake", "2.00", False), ("tea", "1.00", False), ("tea", "1.10", True)]
    assert prices.history() == rows
    assert prices.history("dbt_valid_from")[2][3] == datetime(2024, 1, 2)
    # What failed moves nothing, and after a rollback the history goes on from where readers are.
    prices.offer({"tea": ("-1.00", "2024-01-03")})
    assert small.build("shop").status == "failed"
    assert prices.history() == rows
    prices.offer({"tea": ("1.30", "2024-01-03")})
    built(small, force=True, full_refresh=True)  # keeps the history, as dbt does
    assert prices.history() == [*rows[:2], ("tea", "1.10", False), ("tea", "1.30", True)]
    small.store.rollback("shop", second.version or "")
    prices.offer({"tea": ("1.40", "2024-01-04")})
    built(small)
    assert prices.history() == [*rows[:2], ("tea", "1.10", False), ("tea", "1.40", True)]
    # A build that has nothing to do with it takes the history over.
    before = manifest(small)["ports"]["prices"]["files"]
    write(prices.folder / "tests/sound.sql", "select * from {{ ref('prices') }} where amount > 5\n")
    built(small)
    assert manifest(small)["ports"]["prices"]["files"] == before
    # Only an option of its own begins a new history; the damaged one is not lost by `--force`.
    (file,) = current(small).paths("prices")
    file.chmod(0o644)
    file.write_bytes(b"")
    refused = small.build("shop", force=True)
    assert refused.status == "failed"
    assert refused.message.endswith("and `--discard-history`: the history of its dbt snapshots begins anew")
    built(small, force=True, discard_history=True)
    assert prices.history() == [("tea", "1.40", True)]


@pytest.mark.slow
def test_a_forced_build_replaces_what_is_damaged_and_goes_on_with_whole_histories(small: SmallMesh) -> None:
    prices = Prices(small, strategy="timestamp", updated_at="changed_at")
    outputs = {"prices": "dbt", "offers": "dbt"}
    write(prices.folder / "product.odps.yaml", descriptor("shop", inputs=["raw.prices"], outputs=outputs))
    write(prices.folder / "contracts/offers.odcs.yaml", contract("shop.offers", "offers", COLUMNS))
    settings = "{{ config(materialized='incremental', on_schema_change='fail') }}"
    write(prices.folder / "models/offers.sql", f"{settings}\nselect * from {{{{ source('raw', 'prices') }}}}\n")
    sync(small.context)
    built(small)
    (file,) = current(small).paths("offers")
    content = bytearray(file.read_bytes())
    content[20] ^= 1  # the same size
    file.chmod(0o644)
    file.write_bytes(content)
    prices.offer({"tea": ("1.10", "2024-01-02")})
    assert small.build("shop").message.partition("; ")[0].endswith("has changed since it was published")
    built(small, force=True)
    assert prices.history() == [("cake", "2.00", True), ("tea", "1.00", False), ("tea", "1.10", True)]
    assert manifest(small)["ports"]["offers"]["rows"] == 1  # made anew: the damaged rows are no beginning


@pytest.mark.slow
def test_an_erased_row_leaves_a_history_and_the_others_stay(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    prices = Prices(small, strategy="timestamp", updated_at="changed_at")
    built(small)
    prices.offer({"tea": ("1.10", "2024-01-02"), "cake": ("2.00", "2024-01-01")})
    run = RunResult((built(small),))
    context = small.context
    monkeypatch.setattr(erasure, "run", lambda *_, **options: built(small, force=True) and run)
    places, key = find_places(context, ErasureKey.of(context, "item", "cake"))
    done = erasure.erase(context, key, places)
    assert prices.history() == [("tea", "1.00", False), ("tea", "1.10", True)]
    assert [place for place in done.left if place.kind == "port"] == []


@pytest.mark.slow
def test_rows_are_compared_by_their_values(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    more = [("dbt_is_deleted", "varchar", {})]
    prices = Prices(small, more, strategy="check", check_cols=["amount"], hard_deletes="new_record")
    began = datetime.now(UTC).replace(tzinfo=None)
    built(small)
    prices.offer({"tea": ("1.00", "2024-01-09"), "pie": ("3.00", "2024-01-01")})
    built(small)
    assert prices.history("dbt_is_deleted") == [
        ("cake", "2.00", False, "False"), ("cake", "2.00", True, "True"), ("pie", "3.00", True, "False"),
        ("tea", "1.00", True, "False"),
    ]  # fmt: skip
    # In UTC, whatever the time zone of the machine is.
    assert all(began <= row[3] < began + timedelta(hours=1) for row in prices.history("dbt_valid_from"))


def problems(small: SmallMesh) -> list[str]:
    return [finding.message for finding in growth_findings(small.product("shop"))]


def test_settings_of_a_snapshot(small: SmallMesh) -> None:
    prices = Prices(small, strategy="check", check_cols="all")
    assert problems(small) == []

    def problem(**config: Any) -> str:
        prices.configure(**config)
        (message,) = problems(small)
        return message

    assert problem(unique_key="", strategy="check", check_cols="all").startswith("a snapshot needs a unique_key")
    assert problem(strategy="newest").startswith("the strategy of a snapshot is 'newest'; write timestamp")
    assert problem(strategy="check").startswith("the strategy 'check' of a snapshot needs check_cols")
    assert problem(strategy="timestamp").startswith("the strategy 'timestamp' of a snapshot needs updated_at")
    assert problem(strategy="check", check_cols="all", hard_deletes="drop") == (
        "hard_deletes is 'drop'; write one of ignore, invalidate, new_record"
    )
    assert problem(strategy="check", check_cols="all", target_schema="old").startswith("'target_schema' puts a snapshot")
    prices.configure(strategy="check", check_cols="all")
    write(prices.folder / "snapshots/other.sql", "{% snapshot other %}select 1 as one{% endsnapshot %}")
    assert problems(small)[0] == "a snapshot begins with published rows, so it must be a port; declare it"
