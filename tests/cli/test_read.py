import io
import json
import os
import subprocess
import sys

import polars as pl

from tests.support.small_mesh import SmallMesh


def test_a_query_that_fails_is_one_message(small: SmallMesh) -> None:
    small.publish("shop")
    done = small.kit("read", "shop.totals", "--sql", "select nothing from totals")
    assert done.returncode == 1
    assert done.stderr == "error: the query failed: there is no column 'nothing'; there are: amount, item\n"
    words = small.kit("read", "shop.totals", "--sql", "selec").stderr
    assert words.startswith("error: the query failed: syntax error at ')'; did you mean select?")
    words = small.kit("read", "shop.totals", "--sql", "select * from sales").stderr
    assert words.startswith("error: the query failed: it reads no table but totals, as in: select * from totals; there is no")
    assert words.splitlines()[0].endswith("'sales'")
    words = small.kit("read", "shop.totals", "--sql", "select * form totals").stderr
    assert words.startswith("error: the query failed: syntax error at 'totals'; did you mean from?")
    assert small.kit("read", "shop.totals", "--sql", "drop table totals").returncode == 1


def test_text_of_the_data_is_shown_as_it_is(small: SmallMesh) -> None:
    small.publish("shop")
    done = small.kit("read", "shop.totals", "--sql", "select '[red] [/x] :smile:' as \"[b]\" -- a comment;\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["[b]               ", "[red] [/x] :smile:"]


def test_history_of_a_port_that_does_not_exist_is_refused(small: SmallMesh) -> None:
    small.publish("shop")
    done = small.kit("history", "shop.typo")
    assert (done.returncode, done.stderr) == (1, "error: 'shop' has no port 'typo'; there are: shop.sales, shop.totals\n")


def test_json_has_all_rows_unless_a_limit_is_asked_for(small: SmallMesh) -> None:
    small.publish("shop")
    assert len(json.loads(small.kit("read", "shop.sales", "--json").stdout)) == 30
    assert len(json.loads(small.kit("read", "shop.sales", "--json", "--limit", "7").stdout)) == 7
    assert json.loads(small.kit("read", "shop.sales", "--json", "--sql", "select 1 where false").stdout) == []
    assert small.kit("read", "shop.sales").stdout.splitlines()[-1].endswith(", first 20 rows")


def test_csv_and_parquet_have_all_rows_for_pipes(small: SmallMesh) -> None:
    small.publish("shop")
    lines = small.kit("read", "shop.sales", "--csv", check=True).stdout.splitlines()
    assert (len(lines), lines[0]) == (31, "sale_id,item,amount,sold_on")
    few = small.kit(
        "read", "shop.sales", "--csv", "--limit", "1", "--sql", "select sale_id from sales order by 1 -- first", check=True
    )
    assert few.stdout == "sale_id\n1\n"
    command = [sys.executable, "-m", "kit", "read", "shop.sales", "--parquet"]
    done = subprocess.run(
        command, cwd=small.root, env={**os.environ, "KIT_ROOT": str(small.root)}, capture_output=True, check=True
    )
    assert pl.read_parquet(io.BytesIO(done.stdout)).height == 30
    wrong = small.kit("read", "shop.sales", "--csv", "--json")
    assert (wrong.returncode, wrong.stderr) == (1, "error: --json, --csv and --parquet are three forms; choose one\n")
    failing = small.kit("read", "shop.sales", "--csv", "--sql", "select amont from sales")
    assert (failing.returncode, failing.stdout) == (1, "")
    assert "did you mean amount?" in failing.stderr


def test_json_of_a_query_that_fails_is_one_message(small: SmallMesh) -> None:
    small.publish("shop")
    done = small.kit("read", "shop.totals", "--json", "--sql", "select item::integer as n from totals")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: the query failed: Could not convert string")
