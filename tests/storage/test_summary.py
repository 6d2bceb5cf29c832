import json
import os
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kit.contracts.service_levels import Sla
from kit.core.errors import KitError
from kit.core.files import to_json
from kit.mesh.mesh import Broken
from kit.storage.status import statuses
from kit.storage.summary import ColumnSummary, PortSummary, ProductSummary
from tests.support.shop import SALES
from tests.support.small_mesh import SmallMesh

PRODUCT = {"domain": "shop", "description": "what shop is for", "owner": "shop owner", "contact": "o@example.com"}
DAY = timedelta(days=1)
SHOP_SALES = PortSummary(
    "sales",
    "One row per sales.",
    (
        ColumnSummary("sale_id", "bigint", "the sale_id", is_key=True),
        ColumnSummary("item", "varchar", "the item"),
        ColumnSummary("amount", "decimal(10,2)", "the amount"),
        ColumnSummary("sold_on", "date", "the sold_on"),
    ),
    Sla(latency=2 * DAY, latency_column="sold_on", frequency=DAY),
)
TOTALS = PortSummary(
    "totals",
    "One row per totals.",
    (ColumnSummary("item", "varchar", "the item", is_key=True), ColumnSummary("amount", "decimal(18,2)", "the amount")),
    Sla(frequency=DAY),
)


def card(small: SmallMesh, name: str = "shop") -> ProductSummary:
    return ProductSummary.from_product(small.config, small.product(name))


def test_before_the_first_build_it_holds_only_promises(small: SmallMesh) -> None:
    assert card(small) == ProductSummary("shop", ports=(SHOP_SALES, TOTALS), **PRODUCT)


def test_a_build_a_failure_and_a_break_are_told_on_it(small: SmallMesh) -> None:
    version = small.publish("shop")
    published = card(small)
    assert published == ProductSummary(
        "shop",
        **PRODUCT,
        ports=(
            replace(
                SHOP_SALES,
                contract_version="1.0.0",
                rows=30,
                newest=datetime(2024, 1, 9),
                passed=13,
                content=published.ports[0].content,
            ),
            replace(TOTALS, contract_version="1.0.0", rows=2, passed=6, content=published.ports[1].content),
        ),
        version=version,
        confirmed_at=published.confirmed_at,
        delivered=published.delivered,
        raw_checks={"passed": 11},
    )
    assert published.ports[0].content != published.ports[1].content
    assert list(published.delivered) == ["sales"]
    assert small.build("shop").status == "up to date"
    confirmed = card(small)
    assert confirmed.confirmed_at and published.confirmed_at
    assert confirmed.confirmed_at > published.confirmed_at
    assert replace(confirmed, confirmed_at=published.confirmed_at, delivered=published.delivered) == published

    small.feed_rows(SALES[:5])
    assert small.build("shop").status == "failed"
    failed = card(small)
    assert failed.note == "last build failed: 'shop': 3 checks failed, nothing was published"
    assert failed.raw_checks == {"passed": 11, "failed": 3}
    assert replace(failed, note="", raw_checks=confirmed.raw_checks) == confirmed  # what was confirmed stays so

    unreadable = Broken.from_error(small.domains / "shop", KitError("cannot be read"))
    broken = ProductSummary.from_product(small.config, unreadable)
    assert broken == replace(failed, broken="cannot be read")


def test_of_a_broken_product_that_was_never_published_only_the_reason_is_known(small: SmallMesh) -> None:
    broken = Broken.from_error(small.domains / "bad", KitError("has no descriptor"))
    assert ProductSummary.from_product(small.config, broken) == ProductSummary("bad", broken="has no descriptor")


def test_a_pointer_that_cannot_be_read_is_told(small: SmallMesh) -> None:
    small.publish("shop")
    (small.config.storage / "products/shop/current.json").write_text("{")
    found = card(small)
    assert (found.version, [port.rows for port in found.ports]) == (None, [None, None])
    assert "current.json" in found.note


FULL = ProductSummary(
    "shop",
    "sales",
    "what it is for",
    ("fun", "daily"),
    "An Owner",
    "o@example.com",
    (
        PortSummary("plain"),
        PortSummary(
            "full",
            "One row per day.",
            (ColumnSummary("day", "date", "the day"),),
            Sla(latency=timedelta(hours=1.5), latency_column="day", frequency=DAY, retention=365 * DAY),
            "1.2.0",
            7,
            datetime(2024, 1, 9, 8, 30),
            5,
            1,
            2,
        ),
    ),
    "v1",
    datetime(2024, 1, 10, 6, tzinfo=UTC),
    "a note",
    "a reason",
    {"raw.sales": 3},
)


@pytest.mark.parametrize("given", [ProductSummary("empty"), FULL])
def test_as_json_it_comes_back_whole(given: ProductSummary) -> None:
    assert ProductSummary.from_json(json.loads(json.dumps(given.to_json(), default=str))) == given


def test_a_port_of_a_notebook_says_what_it_can_be_given(small: SmallMesh) -> None:
    card = ProductSummary.from_product(small.config, small.product("plan"))
    assert card.ports[0].parameters == ("factor: float = 2.0 (growth)", "name: str = 'base'")
    assert ProductSummary.from_json(json.loads(to_json(card.to_json()))) == card
    small.notebook("plan", "forecast", [], "factor = today()")
    assert ProductSummary.from_product(small.config, small.product("plan")).ports[0].parameters == ()


def test_nothing_confirms_a_snapshot_that_was_rolled_back_to(small: SmallMesh) -> None:
    first = small.publish("shop")
    created = small.store.snapshot("shop", first).created_at
    small.feed_rows([*SALES, "31,tea,1.50,2024-01-09"])
    small.publish("shop", force=True)
    small.store.rollback("shop", first, user="ann", reason="one row too many")
    assert card(small).confirmed_at == created
    small.feed_rows(SALES)
    assert small.build("shop").status == "up to date"
    found = card(small)
    assert found.confirmed_at == created
    assert found.rolled_back.endswith("UTC: one row too many")
    (row,) = (row for row in statuses(small.context) if row.port.name == "sales")
    assert "by ann at" in row.describe()
    assert row.to_json()["rolled_back"] == found.rolled_back


def test_a_dead_feed_is_as_old_as_its_last_delivery(small: SmallMesh) -> None:
    three_days_ago = time.time() - 3 * 86400
    os.utime(small.feed, (three_days_ago, three_days_ago))
    small.publish("shop", force=True)
    assert small.build("shop").status == "up to date"
    rows = {row.port.name: row for row in statuses(small.context)}
    assert re.fullmatch("fresh \\d+ s of 1 d, data 3 d", rows["totals"].describe().replace("\N{NO-BREAK SPACE}", " "))
    assert rows["totals"].to_json()["data_age_hours"] == pytest.approx(72, abs=0.5)  # the builds take a while
    path = small.domains / "shop/contracts/totals.odcs.yaml"
    data = json.loads(path.read_text())
    data["slaProperties"].append({"property": "latency", "value": 2, "unit": "d"})
    path.write_text(json.dumps(data))
    (row,) = (row for row in statuses(small.context) if row.port.name == "totals")
    assert row.state == "stale"
    assert row.describe_freshness().replace("\N{NO-BREAK SPACE}", " ").endswith("of 1 d, data 3 d of 2 d")
    os.utime(small.feed)  # delivered again, the same content
    assert small.build("shop").status == "published"  # another contract
    (row,) = (row for row in statuses(small.context) if row.port.name == "totals")
    assert row.state == "fresh"
