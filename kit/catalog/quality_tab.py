"""The Quality tab: the results of a port's checks, with examples of rows that break them."""

from kit.catalog import quality_history
from kit.catalog.port_view import PortView
from kit.catalog.quality_grid import format_time
from kit.catalog.quality_history import CheckedBuild, CheckHistory
from kit.contracts import Verdict
from kit.drawing import Html, bars, markup

_HEADER = ("last", "check", "table", "observed")
_ORDER = tuple(reversed(Verdict))


def render_quality(view: PortView) -> Html:
    """Return every check with a square per build; checks that did not pass come first, then those of the port itself."""
    name = view.entry.id
    quality = quality_history.port_quality(view.config, name)
    if not quality.builds:
        return markup.paragraph(f"'{name}' was never built; build it with `kit run {view.entry.product.name}`.")
    last = quality.builds[0]
    about = markup.lines(
        markup.joined((f"Last build {format_time(last.at)} UTC: ", markup.colour_states(last.status))),
        last.message.partition("\n")[0],
    )
    checks = sorted(quality.checks, key=lambda check: (_ORDER.index(check.last.verdict), check.table != view.name))
    several = len(quality.builds) > 1
    header = (*_HEADER, f"last {len(quality.builds)} builds") if several else _HEADER
    rows = [_row(check) + ((_over_time(check, quality.builds),) if several else ()) for check in checks]
    table = markup.table(header, rows) if rows else markup.paragraph("No build has reached its checks.")
    return markup.joined((markup.paragraph(about), table))


def _row(history: CheckHistory) -> tuple[object, ...]:
    last = history.last
    samples = (f"row: {', '.join(f'{name}={value}' for name, value in row.items())}" for row in last.samples)
    rule, *details = map(markup.breakable, (history.rule, *filter(None, (last.note, *samples))))
    check = markup.lines(rule, *map(markup.muted, details))
    table = markup.lines(markup.breakable(history.table), markup.muted(history.origin))
    return markup.colour_states(last.verdict), check, table, last.observed


def _over_time(history: CheckHistory, builds: tuple[CheckedBuild, ...]) -> Html:
    verdicts = {result.build.run_id: result.check.verdict for result in history.results}
    return markup.image(bars.verdict_squares([verdicts.get(build.run_id, "") for build in builds]))
