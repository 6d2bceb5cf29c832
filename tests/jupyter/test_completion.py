import pytest

from kit.jupyter.completion import complete

TABLES = {
    "shop.sales": ["sale_id", "item", "amount", "sold_on"],
    "shop.totals": ["item", "amount"],
    "plan.forecast": ["item", "amount"],
    "mine": ["a", "b"],
}


@pytest.mark.parametrize(
    ("before", "after", "fragment", "names"),
    [
        ("%%sql\nselect * from sh", "", "sh", ["shop.sales", "shop.totals"]),
        ("%%sql\nselect * from shop.", "", "shop.", ["shop.sales", "shop.totals"]),
        ("%%sql\nselect * from tot", "", "tot", ["shop.totals"]),
        ("%%sql\nselect * from shop.sales join ", "", "", ["shop.sales", "shop.totals", "plan.forecast", "mine"]),
        ("%%sql\nselect s", "\nfrom shop.sales", "s", ["sale_id", "sold_on"]),
        ("%%sql\nselect x.am", " from shop.totals as x", "x.am", ["x.amount"]),
        ("%%sql\nselect totals.", " from shop.totals", "totals.", ["totals.item", "totals.amount"]),
        ("%%sql\nfrom shop.totals where amount > 1 and it", "", "it", ["item"]),
        ("%%sql\nfrom shop.totals where item = 'from' and am", "", "am", ["amount"]),
        ("%%sql\nfrom shop.totals -- join\nwhere it", "", "it", ["item"]),
        ("%%sql\nselect b", " from mine where a = 'open", "b", ["b"]),
        ("%%sql\nselect ", " from mine", "", ["a", "b"]),
        ("x = 1\ny = %sql from pl", "", "pl", ["plan.forecast"]),
        ('kit.read("shop.t', '")', "shop.t", ["shop.totals"]),
        ("cat.scan('fore", "", "fore", ["plan.forecast"]),
        ("%mesh pin pl", "", "pl", ["plan"]),
    ],
)
def test_names_are_completed_at_the_cursor(before: str, after: str, fragment: str, names: list[str]) -> None:
    found = complete(before, before + after, lambda: TABLES)
    assert found is not None
    assert (found[0], [name for name, _ in found[1]]) == (fragment, names)


def test_each_name_has_its_kind() -> None:
    text = "%%sql\nselect 1 from m"
    assert complete(text, text, lambda: TABLES) == ("m", [("mine", "frame")])


@pytest.mark.parametrize("before", ["sh", "x.read", "%%sql --o", "%%bash\nls sh", "y = 1\nfrom sh", "%mesh re"])
def test_other_code_loads_no_tables(before: str) -> None:
    assert complete(before, before, lambda: pytest.fail("asked")) is None
