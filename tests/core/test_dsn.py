import pytest

from kit.core.dsn import Dsn


@pytest.mark.parametrize(
    ("text", "place", "passwords"),
    [
        ("postgresql://me:p%40ss@db:5432/shop?sslmode=require", "db:5432/shop", ["p%40ss", "p@ss"]),
        ("postgresql://me:a?b#c[d]:e@db/shop", "db/shop", ["a?b#c[d]:e"]),
        ("postgres://db:5432/shop", "db:5432/shop", []),
        ("postgres://[::1]:1,other:2/shop?user=a@b&password=p%25", "[::1]:1,other:2/shop", ["p%25", "p%"]),
        ("postgresql:///shop?host=/tmp", "/shop", []),
        ("host=db port=1 dbname=shop user=me password=it's", "dbname=shop host=db port=1", ["it's"]),
        (r"dbname=shop password = 'a \' b\\'", "dbname=shop", [r"a \' b\\", r"a ' b" + "\\"]),
    ],
)
def test_an_address_has_a_place_and_passwords(text: str, place: str, passwords: list[str]) -> None:
    dsn = Dsn(text)
    assert (dsn.problem, dsn.place, dsn.passwords) == ("", place, passwords)


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("postgresql://me:p@ss@db/shop", "p@ss"),
        ("postgresql://me:p/ss@db/shop", "p/ss"),
        ("postgresql://me:a?b/c@db/shop", "a?b/c"),
        ("postgresql://me:per%zz@db/shop", "per%zz"),
        ("postgresql://me@db/shop?password=per%zz", "per%zz"),
    ],
)
def test_a_url_with_signs_that_are_not_escaped_is_a_problem(text: str, password: str) -> None:
    assert Dsn(text).problem.startswith("is no URL that libpq reads; write @ as %40, / as %2F")
    assert password in Dsn(text).passwords


@pytest.mark.parametrize("text", ["dbname=shop password=a b", "dbname=shop password='a", "shop", "password='a'b'"])
def test_a_string_whose_values_end_early_is_a_problem(text: str) -> None:
    assert Dsn(text).problem.startswith("is no string that libpq reads; write a value with spaces as password='…'")


def test_options_are_added_after_those_of_the_address() -> None:
    more = {"connect_timeout": "15", "sslmode": "prefer"}
    assert Dsn("postgres://me:a?b@db/shop").with_options(more) == "postgres://me:a?b@db/shop?connect_timeout=15&sslmode=prefer"
    assert (
        Dsn("postgres://db/shop?sslmode=require").with_options(more) == "postgres://db/shop?sslmode=require&connect_timeout=15"
    )
    assert Dsn("dbname=shop sslmode=require").with_options(more) == "dbname=shop sslmode=require connect_timeout=15"
