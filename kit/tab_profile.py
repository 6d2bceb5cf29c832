"""What the values of each column look like."""

from kit import bars, markup
from kit.markup import Html
from kit.opened import Opened
from kit.profile import Profile, profiles

_LONGEST = 32


def html(opened: Opened) -> Html:
    """Per column what is null, how many values differ, and their distribution or the most frequent ones."""
    with opened.snapshot() as snapshot:
        found = profiles(snapshot.files(opened.name))
    if not any(item.rows for item in found):
        return markup.paragraph("The snapshot has no rows.")
    counted = f"{found[0].rows:,} of {opened.entry.rows()} rows of snapshot {snapshot.version}"
    rows = ((_name(item), _share(item.nulls, item.rows), f"{item.distinct:,}", _picture(item)) for item in found)
    table = markup.table(("column", "null", "different", "values"), rows, numbers=["null", "different"])
    return markup.joined((markup.paragraph(f"Counted over {counted}."), table))


def _name(item: Profile) -> Html:
    return markup.lines(markup.bold(item.column), markup.soft(item.type))


def _picture(item: Profile) -> Html:
    if item.bars:
        alt = f"{len(item.bars)} bars from {item.low} to {item.high}, the highest {max(item.bars):,} rows"
        ends = f"{_short(item.low)} … {_short(item.high)}, half of them up to {item.middle}"
        return markup.lines(markup.image(bars.upright(item.bars, alt)), markup.soft(ends))
    filled = item.rows - item.nulls
    if not filled:
        return markup.soft("nothing but null")
    if not item.top:
        return markup.soft(f"hardly any value twice, from {_short(item.low)} to {_short(item.high)}")
    top = [
        markup.joined(
            (markup.image(bars.level(rows / item.top[0][1])), f" {_short(value)} ", markup.soft(_share(rows, filled)))
        )
        for value, rows in item.top
    ]
    rest = item.distinct - len(item.top)
    return markup.lines(*top, markup.soft(f"and {rest:,} more") if rest > 0 else "")


def _share(part: int, whole: int) -> str:
    if not part:
        return "none"
    return "under 0.1 %" if part / whole < 0.001 else f"{part / whole * 100:.1f} %"


def _short(text: str) -> str:
    text = text or "''"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
