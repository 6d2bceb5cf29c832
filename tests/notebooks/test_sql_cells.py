import pytest

from kit.core.errors import SqlError
from kit.notebooks.sql_cells import SqlText, of_cell, of_line, parse


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("%%sql\nselect 1\n", SqlText("select 1\n", 2)),
        ("%%sql  --out tea \nfrom a.b", SqlText("from a.b", 2, "tea")),
        ("%%sql --out=tea\nfrom a.b", SqlText("from a.b", 2, "tea")),
        ("%%sqlite\nselect 1", None),
        ("x = 1", None),
    ],
)
def test_a_cell(source: str, found: SqlText | None) -> None:
    assert of_cell(source) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("%sql from a.b", ("", SqlText("from a.b", 7))),
        ("    x = %sql select '=%sql'", ("    x = ", SqlText("select '=%sql'", 7))),
        ("%sql --out x select --1", ("", SqlText("select --1", 7, "x"))),
        ("x = 5 %sql", None),
        ("%sqlite x", None),
    ],
)
def test_a_line(line: str, found: tuple[str, SqlText] | None) -> None:
    assert of_line(line, 7) == found


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--into x", "'--into x' after %%sql is not understood; only --out NAME may stand there, the query begins below"),
        ("--out 1x", "--out 1x: a result needs the name of a variable, such as --out sales"),
        ("--out class", "--out class: a result needs the name of a variable, such as --out sales"),
    ],
)
def test_what_is_not_understood(line: str, says: str) -> None:
    with pytest.raises(SqlError) as error:
        parse(line, "select 1")
    assert str(error.value) == says
