"""Quarantine: rows that violate a rule are set aside, and published beside their table with rule and reason."""

import json
import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from kit.contracts import SAMPLES, Check, Column, Contract, Query, Rule, counts
from kit.core import InvalidFile, database, sandbox

COLUMNS = (
    ("row_number", "bigint", "The number of the row in its file; in a table with hidden columns, among the rows set aside."),
    ("rule", "varchar", "The rule that the row violates, as checks name it; one row for each rule."),
    ("reason", "varchar", "The violating values in words."),
    ("payload", "varchar", "The row as a JSON object; personal and masked columns are left out."),
)
SET_ASIDE = "rows set aside"
"""The end of the text about a rule that rows were set aside for."""

_TABLE, _ROW = '"kit rows"', '"kit row"'  # no name in a contract has a space
_MORE = re.compile(
    r"--|/\*|\b(select|from|union|intersect|except|order|limit|offset|group|having|qualify|window|sample|over)\b", re.IGNORECASE
)
"""What makes a query more than a condition for each row."""
_FILE_ROW = "file_row_number"  # DuckDB's name of the number of a row in a Parquet file, from 0
_JSON_TYPES = ("boolean", "tinyint", "smallint", "integer", "bigint")  # other values become text, which keeps every digit


class SplitFile(NamedTuple):
    """One file of a table after rows were set aside: the file of the rows that stay and that of the others."""

    stays: Path
    aside: Path


def limit_rule(contract: Contract) -> str:
    """Return the name of the check of the number of rows set aside."""
    return f"at most {(contract.quarantine_limit or 0) * 100:g} % of the rows are set aside"


def set_aside(contract: Contract, file: Path, others: database.Tables, part: SplitFile, hidden: Collection[str] = ()) -> Path:
    """Write the rows of a Parquet file that violate a rule with quarantine to `part.aside`; return the file with the others.

    That is `file`, untouched, when no row violates such a rule or the contract has none, else `part.stays`, which may be
    the same path. A file with other columns than the contract's is left to the audit. `others` are the tables a query may
    read, `hidden` the columns that another contract hides. Raises `InvalidFile` for a query that cannot be run.
    """
    if not contract.quarantining:
        return file
    contract = _hiding(contract, hidden)
    import duckdb

    with database.connect() as connection:
        database.add_views(connection, {**others, "kit file": [file]})
        sound = not contract.schema_problems(database.column_types(connection, "kit file"))
        rules = contract.quarantining if sound else ()
        connection.execute(f"create view {_TABLE} as {_numbered(connection, file)}")
        connection.execute(f"create temp table broken ({_ROW} bigint, rule integer)")
        files = {file, *(path for paths in others.values() for path in paths)}
        sandbox.confine(connection, files, {part.stays.parent, part.aside.parent})
        for position, rule in enumerate(rules):
            violations = rule.assertion.violations
            rows = violations.sql(_TABLE) if violations else ""
            try:
                statements = connection.extract_statements(
                    f"insert into broken select distinct {_ROW}, {position} from (\n{rows}\n)"
                )
                if len(statements) != 1:
                    raise InvalidFile(f"{contract.id}: '{rule.name}' is {len(statements)} statements; write one query")
                connection.execute(statements[0])
            except duckdb.Error as error:
                reason = sandbox.explain(str(error)).partition("\n")[0]
                raise InvalidFile(f"{contract.id}: '{rule.name}' cannot be run to set rows aside: {reason}") from None
        # In a sorted feed the number of a row discloses the values by which it is sorted.
        number = f"row_number() over (order by {_payload(contract)}, {_ROW})" if contract.hidden_columns else _ROW
        connection.execute(
            f"create temp table numbered as select {_ROW}, {number} as row_number from {_TABLE} semi join broken using ({_ROW})"
        )
        selects = [_NOTHING, *(_select(contract, rule, position) for position, rule in enumerate(rules))]
        names = ", ".join(column for column, *_ in COLUMNS)
        aside = f"select {names} from ({' union all '.join(selects)}) order by row_number, position"
        connection.execute(f"copy ({aside}) to {database.literal(str(part.aside))} (format parquet, compression zstd)")
        if connection.execute("select count(*) from broken").fetchone() == (0,):
            return file
        temporary = part.stays.with_suffix(".rest")
        _write_others(connection, rules, temporary)
    temporary.replace(part.stays)
    return part.stays


def _write_others(connection: Any, rules: Sequence[Rule], target: Path) -> None:
    """Write the rows that violate no rule, in their order: the same rows are the same bytes each time.

    A filter keeps the order, a join does not: rows are sorted only where a rule is more than a condition.
    """
    import duckdb

    others = f"select * exclude ({_ROW}) from {_TABLE}"
    conditions = [condition_of(rule.assertion.violations) for rule in rules if rule.assertion.violations]
    if None not in conditions:
        where = " and ".join(f"(({condition}) is not true)" for condition in conditions)
        kept = f"(select count(*) from {_TABLE}) - (select count(distinct {_ROW}) from broken)"
        with suppress(duckdb.Error):
            if _copy(connection, f"{others} where {where}", target) == connection.execute(f"select {kept}").fetchone():
                return
    _copy(connection, f"{others} anti join broken using ({_ROW}) order by {_ROW}", target)


def _copy(connection: Any, query: str, target: Path) -> Any:
    """Write the rows of a query, and return their number in a tuple."""
    return connection.execute(
        f"copy ({query}) to {database.literal(str(target))} (format parquet, compression zstd)"
    ).fetchone()


def condition_of(query: Query) -> str | None:
    """Return the condition of a query for all rows that meet it; None for any other query."""
    first, *rest = query.parts
    condition = rest[0].strip() if len(rest) == 1 else ""
    is_plain = (
        first.strip().lower() == "select * from" and condition.lower().startswith("where ") and not _MORE.search(condition)
    )
    return condition[len("where ") :] if is_plain else None


def _numbered(connection: Any, file: Path) -> str:
    """Return SQL for the rows of a file with their numbers, which Parquet knows without counting, so that it can skip some."""
    if _FILE_ROW in database.column_types(connection, "kit file"):
        return f'select row_number() over () as {_ROW}, * from "kit file"'
    rows = f"read_parquet({database.file_literal(file)}, hive_partitioning = false, file_row_number = true)"
    return f"select {_FILE_ROW} + 1 as {_ROW}, * exclude ({_FILE_ROW}) from {rows}"


def checks(contract: Contract, table: str, parts: Sequence[SplitFile]) -> tuple[Check, ...]:
    """Check that few enough rows of every file were set aside, and return a warning for each rule that they violate."""
    limit = contract.quarantine_limit or 0
    with database.connect() as connection:
        sizes = [(part, _rows(connection, part.stays), _set_aside(connection, [part.aside])) for part in parts]
        worst, staying, aside = max(sizes, key=lambda size: size[2] / (size[1] + size[2] or 1))
        total = sum(rows + others for _, rows, others in sizes)
        database.add_views(connection, {"aside": [part.aside for part in parts]})
        broken = dict(connection.execute("select rule, count(*)::bigint from aside group by rule").fetchall())
        warnings = []
        for rule in contract.quarantining:
            if rows := broken.get(rule.name):
                query = "select payload, row_number from aside where rule = ? order by row_number limit ?"
                payloads = connection.execute(query, [rule.name, SAMPLES]).fetchall()
                samples = tuple(_sample(contract, rule, json.loads(payload), number) for payload, number in payloads)
                observed = f"{rows:,} of {total:,} {SET_ASIDE}"
                check = Check(table, rule.name, "contract", False, "warning", observed, rows, samples, rule.description)
                warnings.append(check)
    observed = f"{aside:,} of {staying + aside:,} rows{f' of {worst.stays.stem}' if len(parts) > 1 and aside else ''}"
    passed = aside <= limit * (staying + aside)
    return (Check(table, limit_rule(contract), "contract", passed, observed=observed), *warnings)


def rows_set_aside(files: Sequence[Path]) -> int:
    """Return the number of rows in the files of a quarantine, each counted once."""
    with database.connect() as connection:
        return _set_aside(connection, files)


def entry(table: str, contract: Contract, files: Sequence[Path]) -> dict[str, Any]:
    """Return the manifest entry of the rows set aside from a table; `quarantine_of` marks that it is no port."""
    with database.connect() as connection:
        rows = sum(_rows(connection, file) for file in files)
    return {
        "quarantine_of": table,
        "contract_version": str(contract.version),
        "rows": rows,
        "newest": None,
        "checks": counts(()),
        "about": {
            "description": f"Rows set aside from {table}, one for each rule that they violate.",
            "columns": COLUMNS,
            "sla": {},
        },
    }


def _set_aside(connection: Any, files: Sequence[Path]) -> int:
    each = [f"(select count(distinct row_number) from {database.parquet([file])})" for file in files]
    (rows,) = connection.execute(f"select {' + '.join(each)}").fetchone()
    return int(rows)


def _rows(connection: Any, file: Path) -> int:
    (rows,) = connection.execute(f"select count(*) from {database.parquet([file])}").fetchone()
    return int(rows)


_NOTHING = (
    "select null::bigint as row_number, null::varchar as rule, null::varchar as reason, null::varchar as payload, "
    "0 as position where false"
)


def _select(contract: Contract, rule: Rule, position: int) -> str:
    """Return the query for the rows of the quarantine that violate a rule."""
    by_name = {column.name: column for column in contract.columns}
    values = [_in_words(by_name[column]) for column in rule.assertion.columns if column in by_name]
    twice = database.literal(" in more than one row" if rule.assertion.expectation.endswith("to_be_unique") else "")
    observed = " || ', ' || ".join(values)
    reason = f"{observed} || {twice}" if values else database.literal(rule.description or rule.name)
    return (
        f"select row_number, {database.literal(rule.name)} as rule, {reason} as reason, "
        f"{_payload(contract)} as payload, {position} as position "
        f"from broken join {_TABLE} using ({_ROW}) join numbered using ({_ROW}) where rule = {position}"
    )


def _payload(contract: Contract) -> str:
    """Return the SQL for a row as JSON, without hidden columns: readers of the quarantine may not see masked values."""
    shown = [column for column in contract.columns if not column.hidden]
    return f"json_object({', '.join(f'{database.literal(column.name)}, {_in_json(column)}' for column in shown)})::varchar"


def _hiding(contract: Contract, names: Collection[str]) -> Contract:
    """Return the contract with these columns personal, where it does not hide them itself."""
    shown = {column.name for column in contract.columns if not column.hidden}.intersection(names)
    columns = (replace(column, classification="personal") if column.name in shown else column for column in contract.columns)
    return replace(contract, columns=tuple(columns))


def _in_words(column: Column) -> str:
    text = f"left({database.quoted(column.name)}::varchar, 200)"
    shown = f"'''' || {text} || ''''" if column.type == "varchar" else text
    if hidden := column.hidden:
        shown = f"left({text}, 0) || '{hidden} and not shown'"  # null for null
    return f"{database.literal(f'{column.name} is ')} || coalesce({shown}, 'null')"


def _in_json(column: Column) -> str:
    value = database.quoted(column.name)
    return value if column.type in _JSON_TYPES else f"{value}::varchar"


def _sample(contract: Contract, rule: Rule, payload: dict[str, Any], number: int) -> dict[str, Any]:
    columns = dict.fromkeys((*contract.key, *rule.assertion.columns))
    return {column: payload[column] for column in columns if column in payload} or {"row_number": number}
