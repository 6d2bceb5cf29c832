from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from kit.contracts.service_levels import Sla
from kit.core.config import Config
from kit.storage import index, status
from kit.storage.status import PortStatus, format_duration, format_raw, port_statuses, statuses, tally
from kit.storage.summary import PortSummary, ProductSummary
from tests.support.small_mesh import SmallMesh

NOW = datetime(2024, 1, 10, 12, tzinfo=UTC)
CONFIG = Config(Path("/mesh"), Path("/mesh/state"), as_of=date(2024, 1, 10))


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return NOW

    monkeypatch.setattr(status, "datetime", Stopped)


def one(
    *,
    hours: float | None = 3,
    rows: int | None = 30,
    days: float | None = 1,
    note: str = "",
    broken: str = "",
    failed: int = 0,
    warned: int = 0,
    sla: Sla | None = None,
) -> PortStatus:
    """A port published `hours` ago, whose newest row is `days` old; None where that is not known."""
    sla = sla or Sla(latency=timedelta(days=2), frequency=timedelta(days=1))
    newest = None if days is None or rows is None else datetime(2024, 1, 10) - timedelta(days=days)
    port = PortSummary("sales", sla=sla, rows=rows, newest=newest, passed=13 if rows else 0, failed=failed, warned=warned)
    confirmed = None if hours is None else NOW - timedelta(hours=hours)
    card = ProductSummary(
        "shop", ports=(port,), version="v1" if hours else None, confirmed_at=confirmed, note=note, broken=broken
    )
    (found,) = port_statuses(CONFIG, [card])
    return found


NEVER = {"hours": None, "rows": None}
FAILED = "last build failed: 2 checks failed"


@pytest.mark.parametrize(
    ("case", "state", "words", "checks"),
    [
        ({}, "fresh", "fresh 3 h of 1 d, data 1 d of 2 d", "13 passed"),
        ({"hours": 24, "days": 2}, "fresh", "fresh 1 d of 1 d, data 2 d of 2 d", "13 passed"),
        ({"sla": Sla()}, "fresh", "fresh 3 h", "13 passed"),
        ({"days": None}, "fresh", "fresh 3 h of 1 d", "13 passed"),
        ({"days": 3}, "stale", "stale 3 h of 1 d, data 3 d of 2 d", "13 passed"),
        ({"hours": 60}, "late", "late 2.5 d of 1 d, data 1 d of 2 d", "13 passed"),
        ({"hours": 60, "days": 3}, "stale", "stale 2.5 d of 1 d, data 3 d of 2 d", "13 passed"),
        (NEVER, "unpublished", "never built", ""),
        ({**NEVER, "note": FAILED, "failed": 2}, "unpublished", f"never published, {FAILED}", "0 passed, 2 failed"),
        # A port that is new to a product whose snapshot does not hold it yet.
        ({"rows": None}, "unpublished", "never built", ""),
        ({**NEVER, "broken": "bad YAML"}, "broken", "broken: bad YAML", ""),
        ({"broken": "bad YAML"}, "broken", "broken: bad YAML; its last snapshot is still served, 3 h old", "13 passed"),
        ({"note": FAILED, "failed": 2}, "fresh", f"fresh 3 h of 1 d, data 1 d of 2 d; {FAILED}", "13 passed, 2 failed"),
        ({"hours": 60, "note": FAILED}, "late", f"late 2.5 d of 1 d, data 1 d of 2 d; {FAILED}", "13 passed"),
        ({"warned": 1}, "fresh", "fresh 3 h of 1 d, data 1 d of 2 d", "13 passed, 1 warned"),
    ],
)
def test_every_state_of_a_port(case: dict[str, object], state: str, words: str, checks: str) -> None:
    found = one(**case)
    assert (found.state, found.describe().replace("\N{NO-BREAK SPACE}", " "), found.describe_checks()) == (state, words, checks)


def test_a_product_of_which_no_port_is_known_is_one_row() -> None:
    (found,) = port_statuses(CONFIG, [ProductSummary("bad", broken="has no product.odps.yaml")])
    assert (found.port.name, found.state, found.version, found.note) == ("", "broken", None, "has no product.odps.yaml")


def test_a_moment_with_a_zone_is_held_against_the_clock_in_utc() -> None:
    newest = datetime.fromisoformat("2024-01-08T23:00:00-05:00")
    port = PortSummary("sales", sla=Sla(latency=timedelta(hours=20)), rows=1, newest=newest)
    (found,) = port_statuses(CONFIG, [ProductSummary("shop", ports=(port,), version="v1", confirmed_at=NOW)])
    assert (found.state, found.data_age) == ("fresh", timedelta(hours=20))


def test_as_json_ages_and_levels_are_hours() -> None:
    assert one(hours=60, days=3, note=FAILED, failed=2).to_json() == {
        "product": "shop",
        "port": "sales",
        "owner": "",
        "state": "stale",
        "rows": 30,
        "version": "v1",
        "contract_version": None,
        "rows_of": "v1",
        "data_age_hours": 72.0,
        "latency_hours": 48.0,
        "age_hours": 60.0,
        "frequency_hours": 24.0,
        "checks": {"passed": 13, "failed": 2, "warned": 0},
        "note": FAILED,
        "status": "active",
        "end_of_life": None,
        "readers": [],
        "possible_readers": [],
        "quarantined": None,
        "raw_quarantined": {},
        "raw_checks": {},
        "rolled_back": "",
        "unconfirmed": [],
        "delivered": {},
        "partitions": 0,
        "outdated_partitions": [],
        "outdated_inputs": [],
    }


def test_raw_rows_set_aside_are_told_once_for_a_product() -> None:
    ports = (PortSummary("sales", rows=1), PortSummary("totals", rows=1))
    cards = [
        ProductSummary("shop", ports=ports, version="v1", set_aside={"raw.sales": 1200, "raw.items": 0},
                       raw_checks={"passed": 5, "failed": 1, "warned": 2}),
        ProductSummary("plan"),
    ]  # fmt: skip
    assert format_raw(port_statuses(CONFIG, cards)) == [
        "shop: 1 check of raw data failed and 2 checks of raw data warned; see kit.open().browse()",
        "shop: 1,200 rows of raw.sales quarantined; see `kit read shop.raw.sales__quarantine`",
    ]


def test_the_numbers_of_a_mesh_have_raw_data_once() -> None:
    ports = (PortSummary("sales", rows=10, passed=3, warned=1, quarantined=4), PortSummary("totals", rows=1, failed=1))
    raw = {"passed": 5, "failed": 1, "warned": 2}
    cards = [
        ProductSummary("shop", ports=ports, version="v1", set_aside={"raw.sales": 6}, raw_checks=raw),
        ProductSummary("plan"),
    ]
    numbers = tally(port_statuses(CONFIG, cards))
    assert {name: numbers[name] for name in numbers if name != "ports not fresh"} == {
        "data products": 2, "ports": 2, "rows published": 11, "checks passed": 8, "checks with a warning": 3,
        "checks failed": 2, "rows quarantined": 10,
    }  # fmt: skip


def test_a_deprecated_port_says_until_when_and_who_still_reads_it() -> None:
    port = PortSummary("sales_v1", rows=1, end_of_life=date(2024, 3, 31))
    (found,) = port_statuses(CONFIG, [ProductSummary("shop", ports=(port,), version="v1", confirmed_at=NOW)])
    assert found.describe() == "fresh\N{NO-BREAK SPACE}0\N{NO-BREAK SPACE}s; deprecated, served until 2024-03-31"
    read = replace(found, readers=("demand", "plan"))
    assert read.describe_offer() == "deprecated, served until 2024-03-31, still read by demand, plan"
    unknown = replace(read, possible_readers=("broken_one",))
    assert unknown.describe_offer().endswith("still read by demand, plan, perhaps read by broken_one (broken)")
    assert unknown.to_json()["possible_readers"] == ["broken_one"]
    assert (read.to_json()["end_of_life"], read.to_json()["readers"]) == ("2024-03-31", ["demand", "plan"])


def test_after_its_last_day_a_port_is_not_said_to_be_served() -> None:
    port = PortSummary("sales_v1", rows=1, end_of_life=date(2024, 3, 31))
    product = ProductSummary("shop", ports=(port,), version="v1", confirmed_at=NOW)
    on_the_day, after = (replace(CONFIG, as_of=day) for day in (date(2024, 3, 31), date(2024, 4, 1)))
    (last,), (ended,) = port_statuses(on_the_day, [product]), port_statuses(after, [product])
    assert last.describe_offer() == "deprecated, served until 2024-03-31"
    assert ended.describe_offer() == "deprecated, ended on 2024-03-31"


@pytest.mark.parametrize(
    ("status", "text"),
    [("draft", "not yet offered to other products"), ("proposed", "not yet offered to other products"),
     ("retired", "no longer offered to other products"), ("active", "")],
)  # fmt: skip
def test_a_port_that_is_not_offered_says_so(status: str, text: str) -> None:
    product = ProductSummary("shop", ports=(PortSummary("sales", rows=1, status=status),), version="v1", confirmed_at=NOW)
    (found,) = port_statuses(CONFIG, [product])
    assert found.describe_offer() == (f"{status}, {text}" if text else "")
    assert found.to_json()["status"] == status


@pytest.mark.parametrize(("hours", "days", "state"), [(3, 1, "outdated"), (60, 1, "outdated"), (3, 3, "stale")])
def test_a_product_made_from_an_older_input_is_outdated(hours: float, days: float, state: str) -> None:
    product = replace(one(hours=hours, days=days).product, outdated_inputs=("days.flights",))
    (row,) = port_statuses(CONFIG, [product])
    assert (row.state, row.to_json()["outdated_inputs"], row.outdated) == (state, ["days.flights"], ())
    assert row.describe().endswith("; made from another days.flights than is published now")
    assert status.format_warnings([row]) == ["shop: made from another days.flights than is published now; run `kit run shop`"]


def test_a_consumer_is_outdated_from_a_build_or_rollback_of_its_provider_until_its_own(small: SmallMesh) -> None:
    def states() -> dict[str, str]:
        assert index.load(small.context)  # the index knows it as well as the folders do
        found = {row.product.name: str(row.state) for row in statuses(small.context)}
        assert found == {row.product.name: row.state for row in port_statuses(small.config, index.load(small.context))}
        return found

    first = small.publish("shop")
    small.publish("plan")
    assert states() == {"shop": "fresh", "plan": "fresh"}
    small.build("shop", force=True)
    assert states() == {"shop": "fresh", "plan": "fresh"}  # the same rows
    small.replace("feed/sales.csv", "1,tea,1.50", "1,tea,2.50")
    small.publish("shop")
    assert states() == {"shop": "fresh", "plan": "outdated"}
    small.publish("plan")
    assert states() == {"shop": "fresh", "plan": "fresh"}
    small.store.rollback("shop", first)
    index.update(small.config, small.product("shop"))
    assert states() == {"shop": "fresh", "plan": "outdated"}


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=84), "1.4 h"),
        (timedelta(hours=-36), "-1.5 d"),
        (timedelta(days=7), "7 d"),
        (timedelta(days=731), "2 y"),
    ],
)
def test_a_length_of_time_is_said_in_its_largest_unit(length: timedelta, words: str) -> None:
    assert format_duration(length) == words
