from kit.core.text import counted, encodable, table_lines, there_are, visible


def test_columns_of_a_table_are_aligned() -> None:
    assert table_lines(("name", "rows"), [("sales", "30"), ("x", "")]) == ["name   rows", "sales  30", "x"]
    assert table_lines(("name",), []) == ["name"]


def test_a_number_agrees_with_its_noun() -> None:
    assert [counted(number, "source") for number in (0, 1, 2, 1000)] == [
        "0 sources", "1 source", "2 sources", "1,000 sources",
    ]  # fmt: skip


def test_control_characters_are_shown_as_escapes() -> None:
    assert visible("a\tb\nc\x1b[31m\x9b\x07\r\u202ed") == "a\tb\nc\\x1b[31m\\x9b\\x07\\x0d\\u202ed"


def test_characters_that_an_encoding_lacks_are_replaced() -> None:
    assert encodable("ä → … 🍵\udcff", "ascii") == "\\xe4 -> ... \\U0001f375\\udcff"
    assert encodable("ä →", "latin-1") == "ä ->"
    assert encodable("ä → 🍵", "utf-8") == "ä → 🍵"


def test_unknown_names_get_those_like_them() -> None:
    assert there_are("shp", ["plan", "shop"]) == "did you mean shop? there are: plan, shop"
    assert there_are("totals", ["shop.totals", "shop.sales"]) == "did you mean shop.totals? there are: shop.totals, shop.sales"
    assert there_are("other", ["plan"]) == "there are: plan"
    assert there_are("other", []) == "there are: none"
    assert there_are("other", (f"p{number:03}" for number in range(300))).endswith(", p019 and 280 more")
