from kit.core.text import counted, table_lines


def test_columns_of_a_table_are_aligned() -> None:
    assert table_lines(("name", "rows"), [("sales", "30"), ("x", "")]) == ["name   rows", "sales  30", "x"]
    assert table_lines(("name",), []) == ["name"]


def test_a_number_agrees_with_its_noun() -> None:
    assert [counted(number, "source") for number in (0, 1, 2, 1000)] == [
        "0 sources", "1 source", "2 sources", "1,000 sources",
    ]  # fmt: skip
