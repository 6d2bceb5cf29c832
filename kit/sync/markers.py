"""The generated part of a file that people edit: the lines between two markers; all other bytes are kept."""

from kit.core import KitError

BEGIN, END = "kit sync: begin", "kit sync: end"
_CONFLICT = ("<<<<<<< ", ">>>>>>> ")


def marked(lines: list[str]) -> tuple[int, int] | None:
    """Return the lines of the generated part, both markers included, as a range; None when there is none.

    Raises `KitError` for incomplete markers, and for a git conflict outside the generated part.
    """
    begins = [number for number, line in enumerate(lines) if BEGIN in line]
    ends = [number for number, line in enumerate(lines) if END in line]
    is_complete = len(begins) == len(ends) == 1 and begins[0] < ends[0]
    for number, line in enumerate(lines):
        if line.startswith(_CONFLICT) and not (is_complete and begins[0] < number < ends[0]):
            raise KitError("holds a git conflict; edit the file to resolve it, then run `kit sync`", line=number + 1)
    if not begins and not ends:
        return None
    if not is_complete:
        raise KitError(
            f"holds {len(begins)} times '{BEGIN}' and {len(ends)} times '{END}'; keep one of each, in this order, "
            "or delete all of them and the lines between"
        )
    return begins[0], ends[0] + 1


def has_conflict(text: str) -> bool:
    """Return whether a text holds the conflict markers that git writes."""
    return any(line.startswith(_CONFLICT) for line in text.splitlines())


def lines_of(text: str) -> list[str]:
    """Return the lines of a text with their ends; the last one is ended too."""
    lines = text.split("\n")
    last = lines.pop()
    return [f"{line}\n" for line in lines] + ([f"{last}\n"] if last else [])
