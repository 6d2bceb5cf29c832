"""The ports of bugs against the files that they are made from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support.judging import faults, needs_judge

pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[1] / "data"
Port = Callable[[str], str]


def delivered(name: str) -> list[dict[str, Any]]:
    return json.loads((DATA / f"{name}.json").read_text())


def test_each_installation_has_its_own_issues_with_their_telemetry(port: Port) -> None:
    issues, telemetry = port("bugs.issues"), port("bugs.telemetry")
    wanted = sorted((item["installation"], item["number"], item["event_id"]) for item in delivered("issues"))
    query = f"select installation, number, event_id from {issues} order by all"
    assert duckdb.sql(query).fetchall() == wanted
    joined = f"select count(*), count(distinct installation) from {issues} join {telemetry} using (installation, event_id)"
    assert duckdb.sql(joined).fetchall() == [(len(wanted), 3)]


def test_no_address_of_a_person_or_host_is_published(files: Callable[[str], list[Path]]) -> None:
    people = {item["assignee"] for item in delivered("issues")} | {"jo.meyer@northwind.example"}
    people |= {item[column] for item in delivered("events") for column in ("user", "ip")}
    assert any("jo.meyer@northwind.example" in item["body"] for item in delivered("issues"))
    for name in ("issues", "telemetry", "context", "known_causes", "retrieval_quality"):
        table = f"read_parquet({list(map(str, files(f'bugs.{name}')))})"
        for (text,) in duckdb.sql(f"select cast(rows as varchar) from {table} as rows").fetchall():
            assert not any(value in text for value in people), name
    published = f"read_parquet({list(map(str, files('bugs.issues')))})"
    assert duckdb.sql(f"select count(*) from {published} where body like '%Ask [address] for details%'").fetchall() == [(1,)]


def test_each_cause_and_each_function_found_is_a_chunk_of_the_same_installation(port: Port) -> None:
    chunks, causes, context = port("bugs.source_chunks"), port("bugs.known_causes"), port("bugs.context")
    names = f"select installation, module, string_split(function, '.')[-1] as function from {chunks}"
    assert duckdb.sql(
        f"select count(*) from {causes} anti join ({names}) using (installation, module, function)"
    ).fetchall() == [(0,)]
    assert duckdb.sql(f"select count(*) from {context} anti join {chunks} using (installation, chunk_id)").fetchall() == [(0,)]
    assert duckdb.sql(f"select count(*) from {causes}").fetchall() == [(len(delivered("truth")),)]


def test_the_measured_quality_is_that_of_the_context(port: Port) -> None:
    """Counted again in SQL: the first function that bears the name of a cause, 21 without one."""
    context, causes, quality = port("bugs.context"), port("bugs.known_causes"), port("bugs.retrieval_quality")
    wanted = duckdb.sql(f"""
        with found as (
            select causes.installation, causes.number, methods.method, coalesce(min(context.rank), 21) as rank
            from {causes} as causes cross join (select distinct method from {context}) as methods
            left join {context} as context
                on causes.installation = context.installation and causes.number = context.number and methods.method = context.method
                and regexp_replace(context.chunk_id, '#.*', '') similar to causes.module || ':(.*\\.)?' || causes.function
            group by all
        )
        select installation, method, count(*), round(avg((rank <= 5)::int), 6), round(avg(rank), 6) from found group by all order by all
    """).fetchall()
    assert (
        duckdb.sql(f"""
        select installation, method, issues, round(recall_at_5, 6), round(mean_rank, 6) from {quality} order by all
    """).fetchall()
        == wanted
    )
    totals = f"""
        select method, sum(recall_at_5 * issues) / sum(issues), sum(mean_rank * issues) / sum(issues)
        from {quality} group by method order by method
    """
    (plain, plain_recall, plain_rank), (_, recall, rank) = duckdb.sql(totals).fetchall()
    assert plain == "full text"
    assert recall >= 0.9 > plain_recall
    assert rank < 3 < plain_rank


@needs_judge
def test_another_tool_finds_its_contracts_in_form_and_kept(files: Callable[[str], list[Path]]) -> None:
    assert faults("bugs", files) == {}
