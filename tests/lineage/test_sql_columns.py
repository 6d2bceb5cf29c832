import pytest

from kit.lineage.sql import read_sql

TABLES = {"shop.sales": ["sale_id", "item", "amount"], "raw.items": ["item", "color"]}
SALES = 'from "shop"."sales"'


def used(sql: str) -> dict[str, set[str]] | None:
    """The columns one query uses, by table."""
    columns = read_sql(sql, columns=TABLES).columns
    if columns is None:
        return None
    by_table: dict[str, set[str]] = {}
    for table, column in columns.used:
        by_table.setdefault(table, set()).add(column)
    return by_table


@pytest.mark.parametrize(
    ("sql", "sales", "items"),
    [
        (f"select item {SALES}", "item", ""),
        (f"select count(*) as n {SALES} where amount > 0", "amount", ""),
        (f"select 1 as one {SALES} order by sale_id", "sale_id", ""),
        (f"select count(*) as n {SALES} group by item having sum(amount) > 1", "item amount", ""),
        (f"select 1 as one {SALES} qualify row_number() over (partition by item order by sale_id) = 1", "item sale_id", ""),
        (f"select * {SALES}", "sale_id item amount", ""),
        (f"{SALES}", "sale_id item amount", ""),
        (f"select * exclude (item) {SALES}", "sale_id amount", ""),
        (f"with s as (select * {SALES}) select sale_id from s", "sale_id", ""),
        (f"with s as (select * {SALES}) select color from s join raw.items using (item)", "item", "item color"),
        (f"select sales.item, shop.sales.amount {SALES}", "item amount", ""),
        (f"select s.amount {SALES} as s join raw.items as i on s.item = i.item", "amount item", "item"),
        (f"select amount {SALES} where item in (select item from raw.items where color = 'red')", "amount item", "item color"),
        (f"select amount {SALES} s where exists (select 1 from raw.items i where i.item = s.item)", "amount item", "item"),
        (f"select item {SALES} union all select color from raw.items", "item", "color"),
        (f"select columns('a.*') {SALES}", "sale_id item amount", ""),
        (f"select sales {SALES}", "sale_id item amount", ""),
        (f"select color {SALES} natural join raw.items", "sale_id item amount", "item color"),
        (f"select upper(item) as name, name || '!' as loud {SALES}", "item", ""),
    ],
)  # fmt: skip
def test_every_column_that_is_touched_is_used(sql: str, sales: str, items: str) -> None:
    expected = {"shop.sales": set(sales.split()), "raw.items": set(items.split())}
    assert used(sql) == {table: columns for table, columns in expected.items() if columns}


@pytest.mark.parametrize(
    "sql",
    [
        "select from where",
        "drop table x",
        "select 1; select 2",
        "select * from nowhere",
        f"select item, amount {SALES} union select * from nowhere",
    ],
)
def test_what_cannot_be_understood_is_none(sql: str) -> None:
    assert used(sql) is None


def origins(sql: str) -> dict[str, object]:
    columns = read_sql(sql, columns=TABLES).columns
    assert columns is not None
    return dict(columns.origins)


def test_columns_are_followed_to_the_tables_a_query_reads() -> None:
    sql = f"with s as (select * {SALES}) select upper(s.item) as item, sum(amount) as a, count(*) as n from s group by 1"
    assert origins(sql) == {"item": (("shop.sales", "item"),), "a": (("shop.sales", "amount"),), "n": ()}


def test_a_union_takes_its_columns_by_position() -> None:
    sql = f"select item as thing {SALES} union all select color from raw.items"
    assert origins(sql) == {"thing": (("shop.sales", "item"), ("raw.items", "color"))}


@pytest.mark.parametrize(
    ("expression", "how"),
    [
        ("item", "copy"), ("trim(item::varchar)", "copy"), ("upper(item)", "value"), ("max(item)", "value"),
        ("count(distinct item)", "summary"), ("item is not null", "summary"), ("coalesce(count(item), 0)", "summary"),
        ("string_agg(item)", "value"), ("case when item = 'tea' then 1 end", "value"),
    ],
)  # fmt: skip
def test_how_a_column_is_made_from_another_one(expression: str, how: str) -> None:
    columns = read_sql(f"select {expression} as made {SALES}", columns=TABLES).columns
    assert columns is not None
    assert columns.how == {"made": (how,)}


def test_a_way_over_several_queries_keeps_what_each_of_them_keeps() -> None:
    inner = f"select item, upper(item) as big, count(item) as n {SALES} group by all"
    sql = f"with s as ({inner}) select item, big, n + 1 as m from s"
    columns = read_sql(sql, columns=TABLES).columns
    assert columns is not None
    assert columns.how == {"item": ("copy",), "big": ("value",), "m": ("summary",)}
