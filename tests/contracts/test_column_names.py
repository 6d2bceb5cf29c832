import pytest

from kit.contracts.column_names import is_date_part, is_identifier, is_measure, is_signed, is_text


@pytest.mark.parametrize(
    "name",
    ["id", "order_id", "id_customer", "sku", "store_code", "userid", "tailnum", "invoice_no", "order_number", "uuid", "sum_id"],
)
def test_identifiers(name: str) -> None:
    assert is_identifier(name)
    assert not is_measure(name)


@pytest.mark.parametrize(
    "name", ["n", "count", "n_orders", "total_amount", "max_order_id", "number_of_seats", "avg_price", "order_count", "score"]
)
def test_measures(name: str) -> None:
    assert is_measure(name)
    assert not is_identifier(name)


@pytest.mark.parametrize("name", ["paid", "valid", "grid", "carrier", "day", "name"])
def test_neither(name: str) -> None:
    assert not is_identifier(name)
    assert not is_measure(name)


def test_other_words() -> None:
    assert [is_signed(name) for name in ("temperature_c", "dep_delay", "delta", "amount", "user_id")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert [is_text(name) for name in ("customer_name", "note", "carrier")] == [True, True, False]
    assert [is_date_part(name) for name in ("year", "order_month", "monthly")] == [True, True, False]
