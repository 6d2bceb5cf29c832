from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.core.errors import KitError
from kit.core.yaml import parse_yaml
from kit.sync.dbt_yaml import block, placed
from tests.conftest import examples
from tests.support.small_mesh import SmallMesh

GENERATED = ["  # kit sync: begin", "  - name: sales", "    data_tests: []", "    # kit sync: end"]
TEXT = "".join(f"{line}\n" for line in GENERATED)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"models:\n{TEXT}"),
        ("unit_tests: []\n", f"models:\n{TEXT}\nunit_tests: []\n"),
        ("models:\n  - name: sales\n    description: one\n\nunit_tests: []\n", f"models:\n{TEXT}\nunit_tests: []\n"),
        ("models:\n  - name: sales\n    description: |\n      one\n\nx: 1\n", f"models:\n{TEXT}x: 1\n"),
        ("models:\n  - name: other\n", f"models:\n{TEXT}  - name: other\n"),
        (f"# ours\nmodels:\n{TEXT}    docs: {{}}\n", f"# ours\nmodels:\n{TEXT}    docs: {{}}\n"),
    ],
)
def test_the_entry_takes_its_place_and_all_else_stays(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "sales.yml"
    path.write_text(before)
    assert placed(path, "sales", GENERATED) == after
    path.write_text(after)
    assert placed(path, "sales", GENERATED) == after


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("models: [{name: sales}]\n", "write `models:` in block style"),
        ("models:\n  - name: sales\n    columns: []\n", "the entry of 'sales' also says columns; delete it"),
        ("models:\n  # kit sync: begin\n", "holds 1 times 'kit sync: begin' and 0 times 'kit sync: end'"),
        (f"models:\n{TEXT}    config: {{}}\n    config: {{}}\n", "the key 'config' stands twice"),
        (f"models:\n{TEXT}  - name: sales\n", "describes 'sales' 2 times"),
    ],
)
def test_what_cannot_be_done_safely_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "sales.yml"
    path.write_text(text)
    with pytest.raises(KitError) as raised:
        placed(path, "sales", GENERATED)
    assert problem in str(raised.value)


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.sampled_from(["# ours\n", "\n", "unit_tests: []\n", "# ü: {{ x }}\n"]), unique=True),
    words=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40),
)
def test_generated_from_what_was_generated_is_the_same(tmp_path: Path, lines: list[str], words: str) -> None:
    from kit.core.yaml_writer import inline

    path = tmp_path / "sales.yml"
    path.write_text("".join(lines), newline="")
    generated = [*GENERATED[:2], f"    description: {inline(words)}", *GENERATED[2:]]
    once = placed(path, "sales", generated)
    path.write_text(once, newline="")
    assert placed(path, "sales", generated) == once
    assert once.endswith("".join(lines))
    assert parse_yaml(path, once).data["models"][0]["description"] == words


def test_each_rule_is_carried_once(small: SmallMesh) -> None:
    product = small.product("shop")
    text = "models:\n" + "\n".join(block(product, product.ports[1])) + "\n"
    (entry,) = parse_yaml(Path("totals.yml"), text).data["models"]
    assert entry["config"] == {"contract": {"enforced": True}}
    assert entry["columns"][0]["data_tests"] == [{"test_name": "unique", "config": {"tags": ["contract"]}}]
    (gathered,) = entry["data_tests"]
    assert [rule["rule"] for rule in gathered["arguments"]["rules"]] == [
        "item is required",
        "amount is required",
        "totals add up: its query gives = 0",
    ]
    assert gathered["arguments"]["reads"] == ["ref('sales')"]


@pytest.mark.slow
def test_dbt_itself_passes_good_rows_and_fails_broken_ones(small: SmallMesh, tmp_path: Path) -> None:
    """`dbt test --select tag:contract` with a profile of its own: `totals` is as it should be, four rows of `sales` are not."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    database, shop = tmp_path / "plain.duckdb", small.domains / "shop"
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"create schema raw; create table raw.sales as from read_csv('{small.feed}')")
        connection.execute(
            "create table totals as select item, sum(amount)::decimal(18,2) as amount from raw.sales group by item"
        )
        connection.execute("create table sales as from raw.sales")
        connection.execute(
            "insert into sales values (1, 'tea', 5, '2024-01-09'), (31, 'pie', 5, '2024-01-09'), "
            "(32, 'tea', 2000, '2024-01-09'), (33, 'tea', 5, null)"
        )
    (tmp_path / "profiles.yml").write_text(f"kit: {{target: a, outputs: {{a: {{type: duckdb, path: {database}}}}}}}\n")
    arguments = ["test", "--select", "tag:contract", "--project-dir", str(shop), "--profiles-dir", str(tmp_path)]
    quiet = ["--target-path", str(tmp_path / "target"), "--log-level", "none", "--log-path", str(tmp_path / "logs")]
    try:
        done = dbtRunner().invoke([*arguments, *quiet])
    finally:
        DuckDBConnectionManager.close_all_connections()
    assert {node.node.name: (node.status.value, node.failures) for node in done.result} == {
        "unique_totals__item_": ("pass", 0),
        "totals_keeps_contract": ("pass", 0),
        "unique_sales__sale_id_": ("fail", 1),
        "accepted_values_sales__item___tea__cake": ("fail", 1),
        "sales_keeps_contract": ("fail", 2),  # of its rules: an amount too high and a day that is missing
    }
