"""Grids of check results as pictures: ports by builds, or the checks of one port by builds."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from kit.catalog.quality_history import CheckedBuild, CheckHistory, PortQuality, checked_builds, port_quality
from kit.contracts import Check, Verdict, counts
from kit.core import Config, counted
from kit.drawing import GridCell, GridRow, Picture, draw_grid
from kit.storage import BuildStatus

_MAX_BUILDS = 7
_MAX_ROWS = 60
"""The number of ports in a picture; of more ports, those with a failure or warning come first."""
_MAX_CHECKS = 25
"""The number of checks in a picture; of more checks, those that always passed are only counted."""
_NOT_REACHED = GridCell("none", "not reached")
_COLUMNS_NOTE = "Each column is one build{}, the newest on the left; times are UTC."


def draw_mesh(config: Config, ports: Iterable[str]) -> Picture:
    """Draw the result of each port, named `PRODUCT.PORT`, in the newest builds of its product."""
    builds: dict[str, tuple[CheckedBuild, ...]] = {}
    rows = []
    for port in ports:
        product, _, name = port.partition(".")
        if product not in builds:
            builds[product] = checked_builds(config, product, _MAX_BUILDS)
        cells = [_build_cell(build, name) for build in builds[product]] or [GridCell("none", "never built")]
        rows.append(GridRow(name, product, cells))
    title, total = "Results of the newest builds", len(rows)
    rows = _shortened(rows)
    notes = [_COLUMNS_NOTE.format(" of a product")] if rows else []
    notes += [] if total else ["There are no ports yet; domains/README.md shows how to add one."]
    if total > len(rows):
        omitted = f"left out: {counted(total - len(rows), 'more port')}, those that always passed first"
        notes.append(f'{omitted}; filter with cat.search("words").quality().')
    width = max((len(row.cells) for row in rows), default=0)
    columns = [("newest build" if position == 0 else f"{position} before", "") for position in range(width)]
    newest = "; ".join(f"{row.group}.{row.label}: {row.cells[0].text}" for row in rows if row.cells[0])
    return Picture(draw_grid(rows, columns, title, notes=tuple(notes)), " ".join([f"{title}: {newest or 'none'}.", *notes]))


def draw_port(config: Config, port_id: str) -> Picture:
    """Draw the results of each check of `PRODUCT.PORT` in the newest builds; raises `UnknownName`."""
    quality = port_quality(config, port_id, _MAX_BUILDS)
    rows = (
        _folded(quality) if len(quality.checks) > _MAX_CHECKS else [_row(history, quality.builds) for history in quality.checks]
    )
    title = f"Results of the checks of {port_id}"
    notes = [_COLUMNS_NOTE.format("")] if rows else []
    if not quality.builds:
        notes.append(f"{port_id} was never built; `kit run {port_id.partition('.')[0]}` builds it.")
    elif not rows:
        notes.append("No build has reached its checks.")
    columns = [(format_time(build.at), build.status) for build in quality.builds]
    verdicts = counts(history.last for history in quality.checks)
    last = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items() if number)
    return Picture(draw_grid(rows, columns, title, notes=tuple(notes)), " ".join([f"{title}: last {last or 'none'}.", *notes]))


def format_time(at: datetime) -> str:
    """Return a time to the minute: `2024-01-31 08:15`."""
    return f"{at:%Y-%m-%d %H:%M}"


def _build_cell(build: CheckedBuild, table: str) -> GridCell:
    """Return the result of a port in a build: its failed or warned checks, else whether the build was published."""
    verdicts = counts(check for check in build.checks if check.table == table)
    for state in (Verdict.FAILED, Verdict.WARNED):
        if verdicts[state]:
            return GridCell(state, f"{verdicts[state]} of {sum(verdicts.values())} {state}", format_time(build.at))
    if build.status == BuildStatus.FAILED:
        return GridCell(Verdict.FAILED, "not published", format_time(build.at))
    return GridCell(Verdict.PASSED, f"{verdicts[Verdict.PASSED]} passed", format_time(build.at))


def _row(history: CheckHistory, builds: tuple[CheckedBuild, ...]) -> GridRow:
    checks = {result.build.run_id: result.check for result in history.results}
    cells = [_check_cell(checks[build.run_id]) if build.run_id in checks else _NOT_REACHED for build in builds]
    return GridRow(history.rule, history.table, cells, history.origin)


def _folded(quality: PortQuality) -> list[GridRow]:
    """Return a row for each check that did not always pass, and one row per table and origin that counts the others."""
    rows: dict[tuple[str, ...], GridRow] = {}
    always_passed: dict[tuple[str, ...], list[CheckHistory]] = {}
    for history in quality.checks:
        if history.always_passed:
            always_passed.setdefault((history.table, history.origin), []).append(history)
            rows.setdefault((history.table, history.origin), GridRow("", history.table, ()))
        else:
            rows[history.table, history.origin, history.rule] = _row(history, quality.builds)
    for key, histories in always_passed.items():
        passed = Counter(result.build.run_id for history in histories for result in history.results)
        cells = [
            GridCell(Verdict.PASSED, f"{passed[build.run_id]} passed") if passed[build.run_id] else _NOT_REACHED
            for build in quality.builds
        ]
        rows[key] = GridRow(f"{counted(len(histories), 'check')} that always passed", key[0], cells, key[1])
    # Builds check a table in several steps: bring its rows together.
    tables = list(dict.fromkeys(row.group for row in rows.values()))
    return sorted(rows.values(), key=lambda row: tables.index(row.group))


def _check_cell(check: Check) -> GridCell:
    rows = f", {counted(check.failing_rows, 'row')}" if check.failing_rows and not check.passed else ""
    return GridCell(check.verdict, f"{check.verdict}{rows}")


def _shortened(rows: list[GridRow]) -> list[GridRow]:
    """Return at most `_MAX_ROWS` rows in their order, those that did not always pass before others."""
    if len(rows) <= _MAX_ROWS:
        return rows
    passed = [all(cell is None or cell.state == Verdict.PASSED for cell in row.cells) for row in rows]
    first = sorted(range(len(rows)), key=lambda position: passed[position])[:_MAX_ROWS]
    return [rows[position] for position in sorted(first)]
