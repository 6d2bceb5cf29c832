import pytest

from kit.core.errors import KitError
from kit.sync.markers import has_conflict, lines_of, marked

BEGIN, END = "# kit sync: begin. Generated.\n", "# kit sync: end\n"
CONFLICT = ["<<<<<<< ours\n", "a\n", "=======\n", "b\n", ">>>>>>> theirs\n"]


def test_the_generated_part_includes_its_markers() -> None:
    assert marked(["mine\n", BEGIN, "theirs\n", END, "mine\n"]) == (1, 4)
    assert marked([BEGIN, END]) == (0, 2)
    assert marked(["mine\n"]) is None
    assert marked([]) is None


@pytest.mark.parametrize(
    ("lines", "begins", "ends"),
    [([BEGIN], 1, 0), ([END], 0, 1), ([END, BEGIN], 1, 1), ([BEGIN, BEGIN, END], 2, 1), ([BEGIN, END, BEGIN, END], 2, 2)],
)
def test_incomplete_markers_are_refused(lines: list[str], begins: int, ends: int) -> None:
    with pytest.raises(KitError) as error:
        marked(lines)
    assert error.value.problem == (
        f"holds {begins} times 'kit sync: begin' and {ends} times 'kit sync: end'; keep one of each, in this order, "
        "or delete all of them and the lines between"
    )


@pytest.mark.parametrize(
    ("lines", "line"),
    [([*CONFLICT, BEGIN, END], 1), ([BEGIN, END, "mine\n", *CONFLICT], 4), (["mine\n", *CONFLICT], 2), ([BEGIN, *CONFLICT], 2)],
)
def test_a_conflict_in_what_people_wrote_is_refused_with_its_line(lines: list[str], line: int) -> None:
    with pytest.raises(KitError) as error:
        marked(lines)
    message = "holds a git conflict; edit the file to resolve it, then run `kit sync`"
    assert (error.value.problem, error.value.line) == (message, line)


def test_a_conflict_in_the_generated_part_is_written_over() -> None:
    assert marked([BEGIN, *CONFLICT, END]) == (0, 7)


def test_a_text_has_a_conflict_when_a_line_begins_with_a_marker_of_git() -> None:
    assert has_conflict("a\n<<<<<<< HEAD\nb\n")
    assert has_conflict("a\n>>>>>>> theirs")
    assert not has_conflict("a <<<<<<< b\n=======\n<<<<<<<\n")


def test_every_line_is_ended() -> None:
    assert lines_of("a\n\nb") == ["a\n", "\n", "b\n"]
    assert lines_of("a\r\nb\n") == ["a\r\n", "b\n"]
    assert lines_of("") == []
    assert "".join(lines_of("a\u2028b\n")) == "a\u2028b\n"  # not the end of a line
