"""What checks found over time, as a picture: ports by builds, or the checks of one port by builds."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from kit.catalog.quality_history import Build, History, Quality, builds, results
from kit.contracts import Check, counts
from kit.core import Config
from kit.drawing import GridCell, Picture, Row, draw_grid
from kit.storage import BuildStatus

_BUILDS = 7
_ROWS = 60
"""More ports than that nobody reads: then those come first that did not pass."""
_CHECKS = 25
"""More checks than that nobody reads: then those that passed each time are counted."""
_NOT_REACHED = GridCell("none", "not reached")


def of_mesh(config: Config, ports: Iterable[str]) -> Picture:
    """How each port, given as `PRODUCT.PORT`, came out of the newest builds of its product."""
    found: dict[str, tuple[Build, ...]] = {}
    rows = []
    for port in ports:
        product, _, name = port.partition(".")
        if product not in found:
            found[product] = builds(config, product, _BUILDS)
        cells = [_outcome(build, name) for build in found[product]] or [GridCell("none", "never built")]
        rows.append(Row(name, product, cells))
    title, total = "How the newest builds came out", len(rows)
    rows = _most(rows)
    words = ["Each column is one build of a product, the newest on the left; times are UTC."] if rows else []
    words += [] if total else ["There are no ports yet; CONTRIBUTING.md shows how to add one."]
    if total > len(rows):
        left = f"{total - len(rows):,} more ports are left out, those that always passed before any other"
        words.append(f'{left}; cat.search("words").quality() narrows.')
    columns = [("newest build" if place == 0 else f"{place} before", "") for place in range(_wide(rows))]
    told = "; ".join(f"{row.group}.{row.label}: {row.cells[0].text}" for row in rows if row.cells[0])
    return Picture(draw_grid(rows, columns, title, words=tuple(words)), " ".join([f"{title}: {told or 'nothing'}.", *words]))


def of_port(config: Config, port_id: str) -> Picture:
    """What each check of `PRODUCT.PORT` found in the newest builds; raises `UnknownName`."""
    quality = results(config, port_id, _BUILDS)
    rows = _folded(quality) if len(quality.checks) > _CHECKS else [_row(history, quality.builds) for history in quality.checks]
    title = f"What the checks of {port_id} found"
    words = ["Each column is one build, the newest on the left; times are UTC."] if rows else []
    if not quality.builds:
        words.append(f"{port_id} was never built; `kit run {port_id.partition('.')[0]}` builds it.")
    elif not rows:
        words.append("No build came as far as its checks.")
    columns = [(moment(build.at), build.status) for build in quality.builds]
    tally = counts(history.last for history in quality.checks)
    told = ", ".join(f"{number} {verdict}" for verdict, number in tally.items() if number)
    return Picture(
        draw_grid(rows, columns, title, words=tuple(words)), " ".join([f"{title}: last {told or 'nothing'}.", *words])
    )


def moment(at: datetime) -> str:
    """A time as pictures and pages say it: `2024-01-31 08:15`, UTC."""
    return f"{at:%Y-%m-%d %H:%M}"


def _outcome(build: Build, table: str) -> GridCell:
    """How a port came out of a build: in the words of its own checks, else that the build never published it."""
    tally = counts(check for check in build.checks if check.table == table)
    for state in ("failed", "warned"):
        if tally[state]:
            return GridCell(state, f"{tally[state]} of {sum(tally.values())} {state}", moment(build.at))
    if build.status == BuildStatus.FAILED:
        return GridCell("failed", "not published", moment(build.at))
    return GridCell("passed", f"{tally['passed']} passed", moment(build.at))


def _row(history: History, seen: tuple[Build, ...]) -> Row:
    found = {result.build.run_id: result.check for result in history.results}
    cells = [_found(found[build.run_id]) if build.run_id in found else _NOT_REACHED for build in seen]
    return Row(history.rule, history.table, cells, history.origin)


def _folded(quality: Quality) -> list[Row]:
    """A row for each check that did not always pass; of the others only how many there are, by table and origin."""
    rows: dict[tuple[str, ...], Row] = {}
    well: dict[tuple[str, ...], list[History]] = {}
    for history in quality.checks:
        if all(result.check.passed for result in history.results):
            well.setdefault((history.table, history.origin), []).append(history)
            rows.setdefault((history.table, history.origin), Row("", history.table, ()))
        else:
            rows[history.table, history.origin, history.rule] = _row(history, quality.builds)
    for key, found in well.items():
        made = Counter(result.build.run_id for history in found for result in history.results)
        cells = [
            GridCell("passed", f"{made[build.run_id]} passed") if made[build.run_id] else _NOT_REACHED
            for build in quality.builds
        ]
        rows[key] = Row(f"{len(found)} check{'s' * (len(found) > 1)} that always passed", key[0], cells, key[1])
    # Builds make checks of a table in several steps.
    tables = list(dict.fromkeys(row.group for row in rows.values()))
    return sorted(rows.values(), key=lambda row: tables.index(row.group))


def _found(check: Check) -> GridCell:
    rows = f", {check.failing_rows:,} rows" if check.failing_rows and not check.passed else ""
    return GridCell(check.verdict, f"{check.verdict}{rows}")


def _most(rows: list[Row]) -> list[Row]:
    """As many rows as can be read: when there are too many, those that tell of something else than passing first."""
    if len(rows) <= _ROWS:
        return rows
    well = [all(cell is None or cell.state == "passed" for cell in row.cells) for row in rows]
    first = sorted(range(len(rows)), key=lambda place: well[place])[:_ROWS]
    return [rows[place] for place in sorted(first)]


def _wide(rows: Iterable[Row]) -> int:
    return max((len(row.cells) for row in rows), default=0)
