"""Great Expectations with nothing of the kit: the verdicts of committed suites."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb

# Its rollbacks would make DuckDB discard what it has not fetched yet.
_PLAIN = """
    import json, os, sys
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    context, answer = gx.get_context(mode="ephemeral"), {}
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    options = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
    for name, (suite, database, table) in json.load(sys.stdin).items():
        url = f"duckdb:///{database}"
        source = context.data_sources.add_or_update_sql(name, connection_string=url, create_temp_table=False, kwargs=options)
        batch = source.add_table_asset(table, table_name=table).add_batch_definition_whole_table("all").get_batch()
        with open(suite) as file:
            found = batch.validate(gx.ExpectationSuite(**json.load(file))).results
        answer[name] = {result.expectation_config.meta["rule"]: bool(result.success) for result in found}
    assert "kit" not in sys.modules
    print("answer:", json.dumps(answer))
"""

Case = tuple[Path, str, dict[str, list[Path]]]
"""A suite, the table it judges, and the files of all tables: `TABLE` or `PRODUCT.PORT`."""


def plain_verdicts(cases: dict[str, Case], folder: Path) -> dict[str, dict[str, bool]]:
    """Whether each rule of the suite holds, by case and rule; `folder` takes a database for each case."""
    question = {}
    for position, (name, (suite, table, tables)) in enumerate(cases.items()):
        database = folder / f"{position}.duckdb"
        with duckdb.connect(str(database)) as connection:
            for seen, paths in tables.items():
                if "." in seen:
                    connection.execute(f"create schema if not exists {seen.partition('.')[0]}")
                connection.execute(f"create view {seen} as from read_parquet({list(map(str, paths))})")
        question[name] = (str(suite), str(database), table)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_PLAIN)], input=json.dumps(question), cwd=folder,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.rpartition("answer: ")[2])  # type: ignore[no-any-return]
