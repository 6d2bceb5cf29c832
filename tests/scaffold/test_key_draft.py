from typing import Any

import pytest

from kit.core import database
from kit.scaffold.key_draft import Candidate, key


def candidate(name: str, family: str = "varchar", distinct: int = 4, **bounds: Any) -> Candidate:
    return Candidate(name, family, distinct, bounds.get("minimum"), bounds.get("maximum"))


@pytest.mark.parametrize(
    ("found", "identifies", "divides", "numbers"),
    [
        (candidate("order_id", "integer", minimum="1", maximum="9"), True, False, False),
        (candidate("order_id", "double"), False, False, False),
        (candidate("token", "uuid"), True, False, False),
        (candidate("region"), False, True, True),
        (candidate("note"), False, False, False),
        (candidate("amount", "integer", minimum="1", maximum="4"), False, False, False),
        (candidate("year", "integer", minimum="1999", maximum="2013"), False, True, False),
        (candidate("sold_at", "timestamp"), False, True, False),
        (candidate("a", "integer", minimum="1", maximum="4"), False, False, True),
        (candidate("open", "boolean"), False, False, False),
    ],
)
def test_name_and_type_say_what_a_column_does_for_a_row(
    found: Candidate, identifies: bool, divides: bool, numbers: bool
) -> None:
    assert (found.identifies, found.divides, found.numbers) == (identifies, divides, numbers)


def test_a_set_of_columns_is_a_key_if_the_data_has_no_combination_twice() -> None:
    columns = [candidate("order_id", "integer", 2), candidate("line_no", "integer", 2)]
    with database.connect() as connection:
        connection.execute("create table data as from (values (1, 1), (1, 2), (2, 1), (2, 2)) as t(order_id, line_no)")
        assert key(connection, "lines", 4, columns, "order_id") == ("order_id", "line_no")
        connection.execute("insert into data values (2, 2)")
        assert key(connection, "lines", 5, columns, "order_id") == ()


def test_an_empty_table_has_no_key() -> None:
    with database.connect() as connection:
        assert key(connection, "lines", 0, [candidate("id", "integer", 0)], "id") == ()
