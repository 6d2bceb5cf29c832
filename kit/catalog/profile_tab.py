"""The Profile tab: nulls, distinct values and the distribution of each column."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from kit.catalog.port_view import PortView
from kit.core import database
from kit.drawing import Html, bars, markup

if TYPE_CHECKING:
    import duckdb


_BARS = 24
_TOP_VALUES = 6
_MAX_ROWS = 5_000_000  # counted rows; a larger table is sampled to about this number
_MOMENTS = ("date", "timestamp")
_NUMBERS = ("tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint", "float",
            "double", "decimal")  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """One column: counts of rows, nulls and distinct values; lowest value, median and highest value as text.

    `bars` are the numbers of rows in equal steps from `low` to `high`. For a type without distances, `top` are the most
    frequent values with their rows; empty when each value occurs only once.
    """

    column: str
    type: str
    rows: int
    nulls: int
    distinct: int
    low: str
    median: str
    high: str
    bars: tuple[int, ...] = ()
    top: tuple[tuple[str, int], ...] = ()


def profiles(files: Iterable[Path]) -> tuple[Profile, ...]:
    """Return the profiles of all columns; reads the files once for all columns and once more for each."""
    with database.connect() as connection:
        whole = database.relation(files, connection)
        kinds = {name: str(kind).lower() for name, kind in zip(whole.columns, whole.types, strict=True)}
        (rows,) = whole.aggregate("count(*)").fetchone() or (0,)
        whole.create_view("port")
        if rows > _MAX_ROWS:
            share = f"{_MAX_ROWS / rows * 100:.4f} percent (system, 1)"
            connection.execute(f"create temp table counted as from port using sample {share}")
        else:
            connection.execute("create view counted as from port")
        return tuple(_profiles(connection, kinds))


def _profiles(connection: "duckdb.DuckDBPyConnection", kinds: dict[str, str]) -> Iterable[Profile]:
    parts = [part for name, kind in kinds.items() for part in _summary(database.quoted(name), kind)]
    rows, *measures = connection.execute(f"select count(*), {', '.join(parts)} from counted").fetchone() or ()
    for position, (name, kind) in enumerate(kinds.items()):
        filled, distinct, low, median, high, least, most = measures[position * 7 : position * 7 + 7]
        low, median, high = ("" if value is None else str(value) for value in (low, median, high))
        bars: tuple[int, ...] = ()
        top: tuple[tuple[str, int], ...] = ()
        if least is not None and least < most:
            bars = _bars(connection, name, kind, least, most)
        elif filled:
            top = _top(connection, name)
        yield Profile(name, kind, rows, rows - filled, distinct, low, median, high, bars, top)


def _summary(column: str, kind: str) -> Sequence[str]:
    """Return SQL for a column: count, distinct count, lowest, median and highest as text, lowest and highest as numbers."""
    least, most = (f"({end}({column}){_finite(column, kind)})" for end in ("min", "max"))
    scale = [_number(end, kind) or "null" for end in (least, most)]
    # The discrete median is one of the values, so that the median of whole numbers is a whole number.
    median = f"(quantile_disc({column}, 0.5){_finite(column, kind)})::varchar" if scale[0] != "null" else "null"
    return [f"count({column})", f"count(distinct {column})", f"{least}::varchar", median, f"{most}::varchar", *scale]


def _number(value: str, kind: str) -> str | None:
    """Return an SQL value converted to a number; None for a type without distances between values."""
    if kind.startswith(_MOMENTS):
        return f"epoch({value})"
    return f"{value}::double" if kind.startswith(_NUMBERS) and not kind.endswith("]") else None


def _finite(column: str, kind: str) -> str:
    return f" filter (where isfinite({column}))" if kind.startswith(("float", "double", *_MOMENTS)) else ""


def _bars(connection: "duckdb.DuckDBPyConnection", name: str, kind: str, least: float, most: float) -> tuple[int, ...]:
    column, unit = database.quoted(name), _unit(kind)
    # Whole numbers and days need whole steps; otherwise some bars cover one value more than others.
    step = unit * ceil(((most - least) / unit + 1) / _BARS) if unit else (most - least) / _BARS
    number = int((most - least) / step) + 1 if unit else _BARS
    finite = f"and isfinite({column})" if _finite(column, kind) else ""
    # Literals, because DuckDB imports pandas for query parameters.
    place = f"floor(({_number(column, kind)} - {least!r}::double) / {step!r}::double)"
    rows = f"(from counted where {column} is not null {finite})"
    query = f"select least({number - 1}, {place})::int as bar, count(*) from {rows} group by bar"
    counts: dict[int, int] = dict(connection.execute(query).fetchall())
    return tuple(counts.get(bar, 0) for bar in range(number))


def _unit(kind: str) -> int:
    """Return the distance between neighbouring values; 0 for continuous types."""
    return 86_400 if kind == "date" else int(kind.endswith(("int", "integer")))


def _top(connection: "duckdb.DuckDBPyConnection", name: str) -> tuple[tuple[str, int], ...]:
    column = database.quoted(name)
    query = (
        f"select {column}::varchar, count(*) as rows from counted where {column} is not null "
        f"group by {column} order by rows desc, 1 limit {_TOP_VALUES}"
    )
    values = connection.execute(query).fetchall()
    return tuple(values) if len(values) == 1 or values[0][1] > 1 else ()


_LONGEST = 32


def render_profile(view: PortView) -> Html:
    """Return for each column the share of nulls, the distinct count, and the distribution or the most frequent values."""
    with view.snapshot() as snapshot:
        columns = profiles(snapshot.files(view.name))
    if not any(item.rows for item in columns):
        return markup.paragraph("The snapshot has no rows.")
    counted = f"{columns[0].rows:,} of {view.entry.format_rows()} rows of snapshot {snapshot.version}"
    rows = ((_name(item), _share(item.nulls, item.rows), f"{item.distinct:,}", _picture(item)) for item in columns)
    table = markup.table(("column", "null", "distinct", "values"), rows, numbers=["null", "distinct"])
    return markup.joined((markup.paragraph(f"Counted over {counted}."), table))


def _name(item: Profile) -> Html:
    return markup.lines(markup.bold(item.column), markup.muted(item.type))


def _picture(item: Profile) -> Html:
    if item.bars:
        alt = f"{len(item.bars)} bars from {item.low} to {item.high}, the highest {max(item.bars):,} rows"
        ends = f"{_short(item.low)} … {_short(item.high)}, median {item.median}"
        return markup.lines(markup.image(bars.bar_chart(item.bars, alt)), markup.muted(ends))
    filled = item.rows - item.nulls
    if not filled:
        return markup.muted("only nulls")
    if not item.top:
        return markup.muted(f"each value once, from {_short(item.low)} to {_short(item.high)}")
    top = [
        markup.joined(
            (markup.image(bars.horizontal_bar(rows / item.top[0][1])), f" {_short(value)} ", markup.muted(_share(rows, filled)))
        )
        for value, rows in item.top
    ]
    rest = item.distinct - len(item.top)
    return markup.lines(*top, markup.muted(f"and {rest:,} more") if rest > 0 else "")


def _share(part: int, whole: int) -> str:
    if not part:
        return "none"
    return "under 0.1 %" if part / whole < 0.001 else f"{part / whole * 100:.1f} %"


def _short(text: str) -> str:
    text = text or "''"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
