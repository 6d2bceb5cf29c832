"""The ports of the web shop against what Airbyte's faker delivered."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.support.judging import faults, needs_judge

pytestmark = pytest.mark.slow


def test_the_faker_delivers_as_many_purchases_as_users(port: Callable[[str], str]) -> None:
    users, purchases = port("webshop.users"), port("webshop.purchases")
    assert duckdb.sql(f"select count(*), count(distinct user_id) from {users}").fetchall() == [(200, 200)]
    assert duckdb.sql(f"select count(*), count(distinct purchase_id) from {purchases}").fetchall() == [(200, 200)]
    assert duckdb.sql(f"select count(*) from {purchases} anti join {users} using (user_id)").fetchall() == [(0,)]


def test_no_address_and_no_exact_age_is_published(port: Callable[[str], str]) -> None:
    users = port("webshop.users")
    query = f"select count(email), count(*) filter (age % 10 <> 0), count(distinct age) > 3 from {users}"
    assert duckdb.sql(query).fetchall() == [(0, 0, True)]
    columns = [name for name, *_ in duckdb.sql(f"describe from {users}").fetchall()]
    assert columns == ["user_id", "email", "age", "country_code", "registered_at"]


def test_each_user_is_in_the_segment_that_their_purchases_make(port: Callable[[str], str]) -> None:
    users, purchases, segments = port("webshop.users"), port("webshop.purchases"), port("webshop.customer_segments")
    wanted = duckdb.sql(f"""
        with newest as (select max(purchased_at) as at from {purchases} where state = 'bought'),
        measured as (
            select user_id,
                date_diff('second', max(purchased_at) filter (state = 'bought'), any_value(newest.at)) // 86400 as days,
                count(*) filter (state = 'bought') as kept, count(*) filter (state = 'returned') as returned,
                count(*) filter (state = 'in cart') as carts, coalesce(sum(price) filter (state = 'bought'), 0) as value
            from {users} as users left join {purchases} as purchases using (user_id), newest group by user_id
        )
        select user_id, case
            when kept > 1 then 'loyal' when days <= 365 then 'new' when kept = 1 then 'lapsed' when returned > 0 then 'returned'
            when carts > 0 then 'undecided' else 'silent' end, days, kept, returned, carts, value
        from measured order by user_id
    """).fetchall()
    assert duckdb.sql(f"select * from {segments} order by user_id").fetchall() == wanted
    assert len({segment for _, segment, *_ in wanted}) == 6


@needs_judge
def test_another_tool_finds_its_contracts_in_form_and_kept(files: Callable[[str], list[Path]]) -> None:
    assert faults("webshop", files) == {}
