import pytest

from kit.core.errors import KitError
from kit.sync.markers import has_conflict, lines_of, marked

FIRST, LAST = "<!-- kit sync: begin -->", "<!-- kit sync: end -->"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", None),
        ("a\nb", None),
        (f"a\n{FIRST}\nx\n{LAST}\nb", (1, 4)),
        (f"{FIRST}\n<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n{LAST}", (0, 7)),
        ("Title\n=======\n", None),
    ],
)
def test_the_generated_part_is_between_the_markers(text: str, part: tuple[int, int] | None) -> None:
    assert marked(lines_of(text)) == part


@pytest.mark.parametrize("text", [FIRST, LAST, f"{LAST}\n{FIRST}", f"{FIRST}\n{FIRST}\n{LAST}"])
def test_markers_that_do_not_fit_are_refused(text: str) -> None:
    with pytest.raises(KitError, match="keep one of each, in this order"):
        marked(lines_of(text))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n<<<<<<< ours\n", 2),
        (f"{FIRST}\n{LAST}\n>>>>>>> theirs", 3),
        (f"<<<<<<< ours\n{FIRST}\nx\n=======\n{FIRST}\ny\n>>>>>>> theirs\n{LAST}", 1),
    ],
)
def test_a_conflict_outside_the_generated_part_is_refused(text: str, line: int) -> None:
    with pytest.raises(KitError) as caught:
        marked(lines_of(text))
    assert caught.value.line == line
    assert has_conflict(text)


def test_lines_keep_their_ends() -> None:
    assert [lines_of(text) for text in ("", "a", "a\n", "a\r\n\nb")] == [[], ["a\n"], ["a\n"], ["a\r\n", "\n", "b\n"]]
