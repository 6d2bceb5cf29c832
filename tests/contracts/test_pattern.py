import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.contracts.pattern import problem

GROUP, ESCAPE = "is a group that RE2 does not have", "is an escape that RE2 does not have"
TIMES = "repeats more than 1000 times, or from more to fewer"


@pytest.mark.parametrize(
    "text",
    ["", "^[A-Z]{2}$", r"\d+\.\d", "a|b", "(?i)abc", "(?:ab)+", "(?P<year>[0-9]{4})", r"\p{Lu}", "[[:alpha:]]", "é", "a{1000}",
     r"^\x{20AC}", r"\(?!", "[(?!]", "{", "a{,2}",
     "/a/b/", "^/a/$", "[/]a[/]", "/", "//"],
)  # fmt: skip
def test_what_re2_takes_is_accepted(text: str) -> None:
    assert problem(text) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(?!XX)[A-Z]", f"'(?!' at position 1 {GROUP}; a lookahead cannot be checked"),
        ("é(?=b)", f"'(?=' at position 2 {GROUP}; a lookahead cannot be checked"),
        (r"\(?!a(?!b)", f"'(?!' at position 6 {GROUP}; a lookahead cannot be checked"),
        ("[(?!]b(?!c)", f"'(?!' at position 7 {GROUP}; a lookahead cannot be checked"),
        ("(?<=a)b", f"'(?<=' at position 1 {GROUP}; a lookbehind cannot be checked"),
        ("(?<!a)b", f"'(?<!' at position 1 {GROUP}; a lookbehind cannot be checked"),
        ("(?<year>a)", f"'(?<' at position 1 {GROUP}; a named group is written (?P<name>…)"),
        ("x(?>a)", f"'(?>' at position 2 {GROUP}"),
        (r"(a)\1", rf"'\1' at position 4 {ESCAPE}; a back reference cannot be checked"),
        ("(?P<a>x)(?P=a)", f"'(?P=' at position 9 {GROUP}; a back reference cannot be checked"),
        (r"caf\u00e9", rf"'\u' at position 4 {ESCAPE}; a character is written as it is, or as \x{{20AC}}"),
        (r"a\Z", rf"'\Z' at position 2 {ESCAPE}"),
        ("a*+", "'*+' at position 2 repeats a repetition"),
        ("*a", "'*' at position 1 repeats nothing"),
        ("a{2,1}", f"'{{2,1}}' at position 2 {TIMES}"),
        ("a{1001}", f"'{{1001}}' at position 2 {TIMES}"),
        ("a{99999999999}", f"'{{99999999999}}' at position 2 {TIMES}"),
        ("x[z-a]", "'z-a' at position 3 is no range or class of characters"),
        ("x[a-z][", "'[' at position 7 is not closed"),
        ("a(b)c(d", "'(' at position 6 is not closed"),
        ("a)b", "')' at position 2 closes nothing"),
        ("/^a$/", "the slashes around it count as characters; write ^a$"),
        (r"/^a\/b$/gi", r"the slashes around it count as characters; write (?i)^a\/b$"),
        ("m/a/", "the slashes around it count as characters; write a"),
        ("r'^a$'", "the quotes around it count as characters; write ^a$"),
        ("a\\", "'\\' at position 2 escapes nothing"),
    ],
)
def test_what_re2_does_not_take_is_named_with_its_position(text: str, expected: str) -> None:
    assert problem(text) == expected


SIGNS = st.sampled_from(list("a()[]?!*{2,}^$|é\\"))


@given(st.lists(SIGNS).map("".join))
def test_a_pattern_that_is_accepted_can_be_run(text: str) -> None:
    try:
        duckdb.execute("select regexp_matches('a', ?)", [text])
    except duckdb.Error:
        assert "at position" in problem(text)
    else:
        assert problem(text) == ""
