"""Rows that break a rule, set aside: published beside the table they were meant for, each with rule and reason."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kit.contracts import SAMPLES, Check, Column, Contract, Rule, counts
from kit.core import InvalidFile, database, sandbox

COLUMNS = (
    ("row_number", "bigint", "Which row it was in each file, of all or, in a table with hidden columns, of those set aside."),
    ("rule", "varchar", "The rule it breaks, as checks name it; a row that breaks several stands here once for each."),
    ("reason", "varchar", "What was found instead, in words."),
    ("payload", "varchar", "The row as a JSON object; personal and masked columns are left out."),
)
_TABLE, _ROW = '"kit rows"', '"kit row"'  # nothing of a contract can be called so
_AS_THEY_ARE = ("boolean", "tinyint", "smallint", "integer", "bigint")  # all else is text, which loses no digit


class SplitFile(NamedTuple):
    """One file of a table after rows were set aside: the rows that stay, and those that do not."""

    stays: Path
    aside: Path


def limit_rule(contract: Contract) -> str:
    """How the check that not too many rows are set aside is called."""
    return f"at most {(contract.quarantine_limit or 0) * 100:g} % of the rows are set aside"


def set_aside(contract: Contract, given: Path, others: database.Tables, part: SplitFile) -> Path:
    """Write the rows of a Parquet file that break a quarantining rule to `part.aside`; return the file with the others.

    That is `given` itself, untouched, when no row breaks such a rule or the contract has none, else `part.stays`, which may
    be the same path. A file with other columns than the contract's is left to the audit. `others` are the tables a query may
    read. Raises `InvalidFile` for a query that cannot be run.
    """
    if not contract.quarantining:
        return given
    import duckdb

    with database.connect() as connection:
        database.add_views(connection, {**others, "kit given": [given]})
        sound = not contract.schema_problems(database.column_types(connection, "kit given"))
        rules = contract.quarantining if sound else ()
        connection.execute(f'create view {_TABLE} as select row_number() over () as {_ROW}, * from "kit given"')
        connection.execute(f"create temp table broken ({_ROW} bigint, rule integer)")
        files = {given, *(path for paths in others.values() for path in paths)}
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
        # Where a row stood in a sorted feed would tell of the values by which it is sorted.
        number = f"row_number() over (order by {_payload(contract)}, {_ROW})" if any(map(_hidden, contract.columns)) else _ROW
        connection.execute(
            f"create temp table numbered as select {_ROW}, {number} as row_number from {_TABLE} semi join broken using ({_ROW})"
        )
        selects = [_NOTHING, *(_told(contract, rule, position) for position, rule in enumerate(rules))]
        names = ", ".join(column for column, *_ in COLUMNS)
        told = f"select {names} from ({' union all '.join(selects)}) order by row_number, position"
        connection.execute(f"copy ({told}) to {database.literal(str(part.aside))} (format parquet, compression zstd)")
        if connection.execute("select count(*) from broken").fetchone() == (0,):
            return given
        rest = f"select * exclude ({_ROW}) from {_TABLE} anti join broken using ({_ROW}) order by {_ROW}"
        temporary = part.stays.with_suffix(".rest")
        connection.execute(f"copy ({rest}) to {database.literal(str(temporary))} (format parquet, compression zstd)")
    temporary.replace(part.stays)
    return part.stays


def checks(contract: Contract, table: str, parts: Sequence[SplitFile]) -> tuple[Check, ...]:
    """Whether few enough rows of every part were set aside and, as a warning each, the rules they break."""
    limit = contract.quarantine_limit or 0
    with database.connect() as connection:
        sizes = [(part, _rows(connection, part.stays), _set_aside(connection, [part.aside])) for part in parts]
        worst, stay, gone = max(sizes, key=lambda size: size[2] / (size[1] + size[2] or 1))
        whole = sum(stay + gone for _, stay, gone in sizes)
        database.add_views(connection, {"aside": [part.aside for part in parts]})
        broken = dict(connection.execute("select rule, count(*)::bigint from aside group by rule").fetchall())
        found = []
        for rule in contract.quarantining:
            if rows := broken.get(rule.name):
                shown = "select payload, row_number from aside where rule = ? order by row_number limit ?"
                payloads = connection.execute(shown, [rule.name, SAMPLES]).fetchall()
                samples = tuple(_sample(contract, rule, json.loads(payload), number) for payload, number in payloads)
                observed = f"{rows:,} of {whole:,} rows set aside"
                found.append(Check(table, rule.name, "contract", False, "warning", observed, rows, samples, rule.description))
    most = f"{gone:,} of {stay + gone:,} rows{f' of {worst.stays.stem}' if len(parts) > 1 and gone else ''}"
    passed = gone <= limit * (stay + gone)
    return (Check(table, limit_rule(contract), "contract", passed, observed=most), *found)


def rows_set_aside(files: Sequence[Path]) -> int:
    """How many rows the files of a quarantine hold, each counted once."""
    with database.connect() as connection:
        return _set_aside(connection, files)


def entry(table: str, contract: Contract, files: Sequence[Path]) -> dict[str, Any]:
    """What a manifest says about the rows set aside of a table; `quarantine_of` tells that it is no port."""
    with database.connect() as connection:
        rows = sum(_rows(connection, file) for file in files)
    return {
        "quarantine_of": table,
        "contract_version": str(contract.version),
        "rows": rows,
        "newest": None,
        "checks": counts(()),
        "about": {
            "description": f"Rows that were set aside of {table}, one per rule they break.",
            "columns": COLUMNS,
            "sla": {},
        },
    }


def _set_aside(connection: Any, files: Sequence[Path]) -> int:
    each = [f"(select count(distinct row_number) from read_parquet({database.literal(str(file))}))" for file in files]
    (rows,) = connection.execute(f"select {' + '.join(each)}").fetchone()
    return int(rows)


def _rows(connection: Any, file: Path) -> int:
    (rows,) = connection.execute(f"select count(*) from read_parquet({database.literal(str(file))})").fetchone()
    return int(rows)


_NOTHING = (
    "select null::bigint as row_number, null::varchar as rule, null::varchar as reason, null::varchar as payload, "
    "0 as position where false"
)


def _told(contract: Contract, rule: Rule, position: int) -> str:
    """The rows that break a rule, as the quarantine tells them."""
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
    """A row as text, as far as it may be told: who may read what was set aside need not be the one a port masks it for."""
    shown = [column for column in contract.columns if not _hidden(column)]
    return f"json_object({', '.join(f'{database.literal(column.name)}, {_in_json(column)}' for column in shown)})::varchar"


def _hidden(column: Column) -> str:
    """What is said of a column in the place of its values; empty when they may be told."""
    if column.classification == "personal":
        return "personal"
    return "masked" if column.mask and column.mask.applies else ""


def _in_words(column: Column) -> str:
    text = f"left({database.quoted(column.name)}::varchar, 200)"
    told = f"'''' || {text} || ''''" if column.type == "varchar" else text
    if hidden := _hidden(column):
        told = f"left({text}, 0) || '{hidden} and not told'"  # but null where it is null
    return f"{database.literal(f'{column.name} is ')} || coalesce({told}, 'null')"


def _in_json(column: Column) -> str:
    value = database.quoted(column.name)
    return value if column.type in _AS_THEY_ARE else f"{value}::varchar"


def _sample(contract: Contract, rule: Rule, payload: dict[str, Any], number: int) -> dict[str, Any]:
    wanted = dict.fromkeys((*contract.key, *rule.assertion.columns))
    return {column: payload[column] for column in wanted if column in payload} or {"row_number": number}
