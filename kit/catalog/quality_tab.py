"""What the checks of a port found, last and over time, with rows that break them."""

from kit.catalog import quality_history
from kit.catalog.port_view import PortView
from kit.catalog.quality_grid import moment
from kit.catalog.quality_history import Build, History
from kit.drawing import Html, bars, markup

_HEADER = ("last", "check", "of", "observed")
_ORDER = ("failed", "warned", "passed")


def html(opened: PortView) -> Html:
    """Every check, those that did not pass first, then those of the port itself; a square for every build, newest first."""
    name = opened.entry.id
    found = quality_history.results(opened.config, name)
    if not found.builds:
        return markup.paragraph(f"'{name}' was never built; build it with `kit run {opened.entry.card.name}`.")
    last = found.builds[0]
    about = markup.lines(
        markup.joined((f"Last build {moment(last.at)} UTC: ", markup.states(last.status))), last.message.partition("\n")[0]
    )
    checks = sorted(found.checks, key=lambda check: (_ORDER.index(check.last.verdict), check.table != opened.name))
    several = len(found.builds) > 1
    header = (*_HEADER, f"last {len(found.builds)} builds") if several else _HEADER
    rows = [_row(check) + ((_over_time(check, found.builds),) if several else ()) for check in checks]
    table = markup.table(header, rows) if rows else markup.paragraph("No build came as far as its checks.")
    return markup.joined((markup.paragraph(about), table))


def _row(history: History) -> tuple[object, ...]:
    last = history.last
    samples = (f"row: {', '.join(f'{name}={value}' for name, value in row.items())}" for row in last.samples)
    rule, *beside = map(markup.breakable, (history.rule, *filter(None, (last.note, *samples))))
    told = markup.lines(rule, *map(markup.soft, beside))
    of = markup.lines(markup.breakable(history.table), markup.soft(history.origin))
    return markup.states(last.verdict), told, of, last.observed


def _over_time(history: History, builds: tuple[Build, ...]) -> Html:
    found = {result.build.run_id: result.check.verdict for result in history.results}
    return markup.image(bars.verdicts([found.get(build.run_id, "") for build in builds]))
