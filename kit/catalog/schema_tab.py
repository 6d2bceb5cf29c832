"""The Schema tab: columns with types, key, rules, share of nulls, classification and mask."""

from kit.catalog.port_view import PortView
from kit.contracts import Contract, Rule
from kit.core import KitError, database
from kit.drawing import Html, markup
from kit.storage import Snapshot

_HEADER = ("column", "type", "null", "rules", "class", "description")
_MAX_VALUES = 6  # values of a value set


def render_schema(view: PortView) -> Html:
    """Return the columns of the contract, or those of the last snapshot when there is no valid contract."""
    import duckdb

    contract = view.contract()
    try:
        with view.snapshot() as snapshot:
            nulls = _nulls(snapshot, view.name)
    except (KitError, duckdb.Error):
        nulls = {}  # never built, pruned or damaged
    if contract is None:
        known = view.entry.port.columns
        rows = [
            (_name(item.name, is_key=item.is_key), item.type, _share(nulls.get(item.name)), "",
             _class(item.classification, item.mask), item.description)
            for item in known
        ]  # fmt: skip
        note = "These are the columns of the last snapshot: the port has no contract now, or its product is broken."
        return markup.joined((markup.paragraph(note), markup.table(_HEADER, rows, numbers=["null"])))
    columns = [
        (
            _name(column.name, is_key=column.name in contract.key),
            column.type,
            _share(nulls.get(column.name)),
            markup.lines(*_rules(contract, column.name)),
            _class(column.classification or "", str(column.mask or "")),
            column.description,
        )
        for column in contract.columns
    ]
    table_rules = [rule for rule in contract.rules if len(rule.assertion.columns) != 1]
    heading = [markup.heading("Rules of the table")] if table_rules else []
    below = (*heading, *(markup.paragraph(_describe_rule(rule)) for rule in table_rules))
    return markup.joined((markup.table(_HEADER, columns, numbers=["null"]), *below))


def _name(name: str, *, is_key: bool) -> Html:
    return markup.lines(markup.bold(name), markup.muted("key") if is_key else "")


def _class(classification: str, mask: str) -> Html:
    return markup.lines(classification, markup.muted(f"masked: {mask}") if mask else "")


def _nulls(snapshot: Snapshot, port: str) -> dict[str, float]:
    """Return the share of nulls by column, from the files' footers alone; columns without null counts are left out."""
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
    return [_describe_rule(rule, column) for rule in contract.rules if rule.assertion.columns == (column,)]


def _describe_rule(rule: Rule, column: str = "") -> str:
    name = rule.name.removeprefix(f"{column} ") if column else rule.name
    values = [str(value) for value in rule.assertion.kwargs.get("value_set", ())]
    listed = f": {', '.join(values[:_MAX_VALUES])}{' …' if len(values) > _MAX_VALUES else ''}" if values else ""
    effect = "; a warning" if rule.severity == "warning" else "; rows that break it are quarantined" if rule.quarantines else ""
    return f"{name}{listed}{effect}"
