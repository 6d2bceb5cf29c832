"""A generated part within a file that people edit: between two marker lines, all else kept byte for byte."""

from kit.core import KitError

BEGIN, END = "kit sync: begin", "kit sync: end"


def marked(lines: list[str]) -> tuple[int, int] | None:
    """The lines of the generated part, both markers included; None when there is none. Raises `KitError` for half of one."""
    begins = [number for number, line in enumerate(lines) if BEGIN in line]
    ends = [number for number, line in enumerate(lines) if END in line]
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
        raise KitError(
            f"holds {len(begins)} times '{BEGIN}' and {len(ends)} times '{END}'; keep one of each, in this order, "
            "or delete all of them and what is between"
        )
    return begins[0], ends[0] + 1


def lines_of(text: str) -> list[str]:
    """The lines of a text with their ends, the last one ended too."""
    lines = text.split("\n")
    last = lines.pop()
    return [f"{line}\n" for line in lines] + ([f"{last}\n"] if last else [])
