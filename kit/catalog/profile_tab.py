"""What the values of each column look like."""

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


BARS = 24
TOP = 6
_MOST = 5_000_000  # rows that are counted; of a larger table a sample of about so many
_MOMENTS = ("date", "timestamp")
_NUMBERS = ("tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint", "float",
            "double", "decimal")  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """One column. `distinct` are its different values; `low`, `middle` and `high` the least, the median and the greatest.

    `bars` are how many rows lie in each of equal steps from `low` to `high`; where there is no such order, `top` are the
    most frequent values with their rows, none when hardly any value comes twice.
    """

    column: str
    type: str
    rows: int
    nulls: int
    distinct: int
    low: str
    middle: str
    high: str
    bars: tuple[int, ...] = ()
    top: tuple[tuple[str, int], ...] = ()


def profiles(files: Iterable[Path]) -> tuple[Profile, ...]:
    """The columns of the rows in some Parquet files, read once for all columns and once more for each."""
    with database.connect() as connection:
        whole = database.relation(files, connection)
        kinds = {name: str(kind).lower() for name, kind in zip(whole.columns, whole.types, strict=True)}
        (rows,) = whole.aggregate("count(*)").fetchone() or (0,)
        whole.create_view("given")
        if rows > _MOST:
            share = f"{_MOST / rows * 100:.4f} percent (system, 1)"
            connection.execute(f"create temp table counted as from given using sample {share}")
        else:
            connection.execute("create view counted as from given")
        return tuple(_profiles(connection, kinds))


def _profiles(connection: "duckdb.DuckDBPyConnection", kinds: dict[str, str]) -> Iterable[Profile]:
    parts = [part for name, kind in kinds.items() for part in _summary(database.quoted(name), kind)]
    rows, *found = connection.execute(f"select count(*), {', '.join(parts)} from counted").fetchone() or ()
    for position, (name, kind) in enumerate(kinds.items()):
        filled, distinct, low, middle, high, least, most = found[position * 7 : position * 7 + 7]
        told = ["" if value is None else str(value) for value in (low, middle, high)]
        bars: tuple[int, ...] = ()
        top: tuple[tuple[str, int], ...] = ()
        if least is not None and least < most:
            bars = _bars(connection, name, kind, least, most)
        elif filled:
            top = _top(connection, name)
        yield Profile(name, kind, rows, rows - filled, distinct, told[0], told[1], told[2], bars, top)


def _summary(column: str, kind: str) -> Sequence[str]:
    """Of a column: values that are there, different ones, the least, middle and greatest; least and greatest as numbers."""
    least, most = (f"({end}({column}){_finite(column, kind)})" for end in ("min", "max"))
    scale = [_number(end, kind) or "null" for end in (least, most)]
    # Of values that are there, so that a median of whole numbers is one of them.
    middle = f"(quantile_disc({column}, 0.5){_finite(column, kind)})::varchar" if scale[0] != "null" else "null"
    return [f"count({column})", f"count(distinct {column})", f"{least}::varchar", middle, f"{most}::varchar", *scale]


def _number(value: str, kind: str) -> str | None:
    """An SQL value as a number; None for a type whose values have no distance."""
    if kind.startswith(_MOMENTS):
        return f"epoch({value})"
    return f"{value}::double" if kind.startswith(_NUMBERS) and not kind.endswith("]") else None


def _finite(column: str, kind: str) -> str:
    return f" filter (where isfinite({column}))" if kind.startswith(("float", "double", *_MOMENTS)) else ""


def _bars(connection: "duckdb.DuckDBPyConnection", name: str, kind: str, least: float, most: float) -> tuple[int, ...]:
    column, unit = database.quoted(name), _unit(kind)
    # Whole numbers and days are counted in whole steps, or some bars would hold one value more than others.
    step = unit * ceil(((most - least) / unit + 1) / BARS) if unit else (most - least) / BARS
    number = int((most - least) / step) + 1 if unit else BARS
    finite = f"and isfinite({column})" if _finite(column, kind) else ""
    # Written into the query: for a parameter DuckDB would import pandas.
    place = f"floor(({_number(column, kind)} - {least!r}::double) / {step!r}::double)"
    rows = f"(from counted where {column} is not null {finite})"
    query = f"select least({number - 1}, {place})::int as bar, count(*) from {rows} group by bar"
    found: dict[int, int] = dict(connection.execute(query).fetchall())
    return tuple(found.get(bar, 0) for bar in range(number))


def _unit(kind: str) -> int:
    """The distance of two neighbouring values; 0 where there are always more between them."""
    return 86_400 if kind == "date" else int(kind.endswith(("int", "integer")))


def _top(connection: "duckdb.DuckDBPyConnection", name: str) -> tuple[tuple[str, int], ...]:
    column = database.quoted(name)
    query = (
        f"select {column}::varchar, count(*) as rows from counted where {column} is not null "
        f"group by {column} order by rows desc, 1 limit {TOP}"
    )
    found = connection.execute(query).fetchall()
    return tuple(found) if len(found) == 1 or found[0][1] > 1 else ()


_LONGEST = 32


def html(opened: PortView) -> Html:
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
