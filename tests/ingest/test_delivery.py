from datetime import UTC, date, datetime

import pytest

from kit.core.errors import IngestError
from kit.ingest.delivery import Delivery


def test_the_time_of_a_delivery_is_in_utc() -> None:
    assert Delivery("x.csv", date(2024, 5, 1)).time("shop.raw.feed") == datetime(2024, 5, 1, tzinfo=UTC)
    assert Delivery("x.csv", "2024-05-01T06:00:00+02:00").time("shop.raw.feed") == datetime(2024, 5, 1, 4, tzinfo=UTC)


def test_a_text_that_is_no_time_is_refused() -> None:
    with pytest.raises(IngestError, match=r"^shop.raw.feed: delivered at 'soon', which is no time; give a datetime, a date"):
        Delivery("x.csv", "soon").time("shop.raw.feed")
