from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kit.storage.confirmation import across
from kit.storage.summary import PortSummary, ProductSummary

NOON, MORNING, DAWN = (datetime(2024, 1, 10, hour, tzinfo=UTC) for hour in (12, 8, 5))


def summary(name: str, confirmed: datetime | None, *providers: str, **facts: object) -> ProductSummary:
    inputs = {f"{provider}.port": "content" for provider in providers}
    return ProductSummary(name, version="v", confirmed_at=confirmed, inputs=inputs, **facts)  # type: ignore[arg-type]


def derived(*summaries: ProductSummary) -> dict[str, ProductSummary]:
    return {item.name: item for item in across(summaries)}


def test_a_product_whose_providers_answer_is_confirmed_by_its_own_builds() -> None:
    found = derived(summary("a", MORNING), summary("b", NOON, "a", "gone"))
    assert (found["b"].confirmed_at, found["b"].unconfirmed) == (NOON, ())


@pytest.mark.parametrize("doubt", [{"note": "last build failed: x"}, {"broken": "no file"}, {"rolled_back": "rolled back"}])
def test_a_provider_that_does_not_answer_confirms_no_consumer(doubt: dict[str, object]) -> None:
    found = derived(summary("c", NOON, "b"), summary("b", NOON, "a"), summary("a", MORNING, **doubt))
    assert [found[name].confirmed_at for name in "abc"] == [MORNING] * 3
    assert [found[name].unconfirmed for name in "abc"] == [(), ("a",), ("b",)]


def test_a_product_older_than_its_provider_stays_so() -> None:
    assert derived(summary("a", NOON, note="x"), summary("b", MORNING, "a"))["b"].confirmed_at == MORNING
    assert derived(summary("a", NOON, note="x"), summary("b", None, "a"))["b"].confirmed_at is None


def test_data_is_as_old_as_the_oldest_delivery() -> None:
    found = derived(
        summary("a", NOON, delivered={"x": MORNING, "y": DAWN}), summary("b", NOON, delivered={"z": MORNING}),
        summary("c", NOON, "a", "b"), summary("d", NOON, "a", delivered={"z": NOON}), summary("e", NOON),
    )  # fmt: skip
    assert [found[name].delivered_at for name in "abcde"] == [DAWN, MORNING, DAWN, NOON, None]


def test_snapshots_that_read_each_other_end() -> None:
    found = derived(summary("a", NOON, "b"), summary("b", NOON - timedelta(days=1), "a", note="x"))
    assert found["a"].confirmed_at == NOON - timedelta(days=1)


def test_a_product_made_from_another_content_than_is_published_now_is_outdated() -> None:
    unchanged, changed = (summary(name, NOON, ports=(PortSummary("port", content=name),)) for name in ("content", "other"))
    unpublished = summary("gone", NOON, ports=(PortSummary("port"),))
    partitioned = replace(summary("days", NOON), inputs={"other.port": ""})
    found = derived(unchanged, changed, unpublished, partitioned, summary("a", NOON, "content", "other", "gone", "unknown"))
    assert found["a"].outdated_inputs == ("other.port",)
    assert found["days"].outdated_inputs == ()
    assert found["days"].providers == ("other",)
