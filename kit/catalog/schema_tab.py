"""The columns of a port: types, key, rules, how much is null, classification and mask."""

from kit.catalog.port_view import PortView
from kit.contracts import Contract, Rule
from kit.core import KitError, database
from kit.drawing import Html, markup
from kit.storage import Snapshot

_HEADER = ("column", "type", "null", "rules", "class", "description")
_LISTED = 6  # values of a set that are told


def html(opened: PortView) -> Html:
    """The columns as the contract promises them, or as the last snapshot knows them where there is none now."""
    import duckdb

    contract = opened.contract()
    try:
        with opened.snapshot() as snapshot:
            nulls = _nulls(snapshot, opened.name)
    except (KitError, duckdb.Error):
        nulls = {}  # never built, pruned or damaged: there is a promise and no data
    if contract is None:
        known = opened.entry.port.columns
        rows = [(markup.bold(name), kind, _share(nulls.get(name)), "", "", told) for name, kind, told in known]
        why = "These are the columns of the last snapshot: no contract promises them now, or its product is broken."
        return markup.joined((markup.paragraph(why), markup.table(_HEADER, rows, numbers=["null"])))
    columns = [
        (
            markup.lines(markup.bold(column.name), markup.soft("key") if column.name in contract.key else ""),
            column.type,
            _share(nulls.get(column.name)),
            markup.lines(*_rules(contract, column.name)),
            markup.lines(column.classification or "", markup.soft(f"masked: {column.mask}") if column.mask else ""),
            column.description,
        )
        for column in contract.columns
    ]
    whole = [rule for rule in contract.rules if len(rule.assertion.columns) != 1]
    beside = (markup.heading("Of the whole table"), *(markup.paragraph(_told(rule)) for rule in whole)) if whole else ()
    return markup.joined((markup.table(_HEADER, columns, numbers=["null"]), *beside))


def _nulls(snapshot: Snapshot, port: str) -> dict[str, float]:
    """The share of nulls by column, from the footers of the files alone; a column whose footer does not count is left out."""
    files = ", ".join(database.file_literal(path) for path in snapshot.files(port))
    query = (
        "select path_in_schema, sum(stats_null_count) / nullif(sum(num_values), 0) "
        f"from parquet_metadata([{files}]) group by 1 having count(*) = count(stats_null_count)"
    )
    with database.connect() as connection:
        return {name: share for name, share in connection.execute(query).fetchall() if share is not None}


def _share(share: float | None) -> str:
    if share is None:
        return ""
    return "none" if share == 0 else "under 0.1 %" if share < 0.001 else f"{share * 100:.1f} %"


def _rules(contract: Contract, column: str) -> list[str]:
    return [_told(rule, column) for rule in contract.rules if rule.assertion.columns == (column,)]


def _told(rule: Rule, column: str = "") -> str:
    name = rule.name.removeprefix(f"{column} ") if column else rule.name
    values = [str(value) for value in rule.assertion.kwargs.get("value_set", ())]
    shown = f": {', '.join(values[:_LISTED])}{' …' if len(values) > _LISTED else ''}" if values else ""
    weight = "; a warning" if rule.severity == "warning" else "; rows that break it are set aside" if rule.quarantines else ""
    return f"{name}{shown}{weight}"
