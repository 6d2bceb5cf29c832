"""No secret and no value of a hidden column in what builds print, record and leave in the storage."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kit.sync.sync import sync
from tests.support.builds import dbt_targets
from tests.support.limits import HANG
from tests.support.small_mesh import FORECAST, SALES, SmallMesh, write

TOKEN = "hunter2/hunter2'ä"
SECRET = b"hunter2"
CARD = b"ZZ47"
INGEST = """
import base64, logging, os, sys, warnings
token = os.environ["MY_TOKEN"]
def sales():
    print(token, repr(token), base64.b64encode(token.encode()).decode())
    logging.warning("with %s", token)
    warnings.warn(token)
    sys.stdout.write(token[:9])
    sys.stdout.flush()
    sys.stdout.write(token[9:])
    return "../../feed/sales.csv"
"""
TEMPLATE = """{{ config(materialized="view") }}
{% do log(env_var("MY_TOKEN"), info=true) %}{{ print(env_var("MY_TOKEN")) }}
select '{{ env_var("MY_TOKEN") | replace("'", "''") }}' as token
"""
QUERY = """{{ config(materialized="table") }}
{% set cards = run_query("select card from " ~ source("raw", "sales")).columns[0].values() if execute else [] %}
select '{{ cards | join(" ") }}' as cards
"""
ALIASED = "{{ config(severity='warn') }} select card as item, card as sale_id from {{ ref('sales') }}"
CELLS = ["import os\nprint(os.environ['MY_TOKEN'])", *FORECAST]


def found(small: SmallMesh, text: bytes) -> list[str]:
    """The files of the storage that contain a text, without the tables: these are data."""
    files = (path for path in small.config.storage.rglob("*") if path.is_file() and path.suffix != ".parquet")
    return [str(path) for path in files if text in path.read_bytes()]


def run(small: SmallMesh, *arguments: str) -> str:
    """What a forced build prints."""
    done = small.kit("run", "--force", *arguments, MY_TOKEN=TOKEN)
    return done.stdout + done.stderr


@pytest.fixture
def shop(small: SmallMesh) -> SmallMesh:
    """A mesh whose product has a personal column `card` and uses a secret wherever it can."""
    for folder in ("contracts", "sources"):
        path = small.domains / "shop" / folder / "sales.odcs.yaml"
        contract = json.loads(path.read_text())
        card = {"name": "card", "logicalType": "string", "physicalType": "varchar", "classification": "personal"}
        contract["schema"][0]["properties"].append({**card, "description": "the card that paid"})
        path.write_text(json.dumps(contract))
    small.feed_rows([f"{SALES[0]},card", *(f"{row},ZZ47{row.partition(',')[0]}" for row in SALES[1:])])
    write(small.domains / "shop/ingest.py", INGEST)
    write(small.domains / "shop/models/staging/stg_token.sql", TEMPLATE)
    write(small.domains / "shop/models/staging/stg_cards.sql", QUERY)
    write(small.domains / "shop/tests/aliased.sql", ALIASED)
    small.notebook("plan", "forecast", CELLS, "factor: float = 2.0\n")
    sync(small.context)
    return small


@pytest.mark.slow
def test_a_good_build_and_a_bad_one_keep_secrets_and_hidden_values(shop: SmallMesh) -> None:
    shown = run(shop)
    assert shown.count(" published ") == 2, shown
    assert "[MY_TOKEN]" in shown
    bad = "{{ config(materialized='view') }} select error(card) as x from {{ source('raw', 'sales') }}"
    write(shop.domains / "shop/models/staging/stg_bad.sql", bad)
    write(shop.domains / "shop/tests/bad.sql", "select * from {{ ref('stg_bad') }}")
    shop.replace(
        "domains/shop/models/marts/totals.sql", "select item", "select item, (select min(x) from {{ ref('stg_bad') }})"
    )
    failed = run(shop, "shop")
    assert "masked" in failed
    for text in (shown, failed, shop.kit("status").stdout):
        assert SECRET.decode() not in text
        assert CARD.decode() not in text
    assert found(shop, SECRET) == []
    assert found(shop, CARD) == []


@pytest.mark.heavy
def test_a_build_that_is_killed_leaves_neither(shop: SmallMesh) -> None:
    slow = "(select count(*) from range(100000000) a, range(100000) b where a.range * 7 = b.range) >= 0"
    shop.replace("domains/shop/models/marts/sales.sql", " order by", f" where {slow} order by")
    environment = {**os.environ, "MY_TOKEN": TOKEN}
    with Path(os.devnull).open("wb") as nothing:
        process = subprocess.Popen([sys.executable, "-m", "kit", "run", "shop"], cwd=shop.root, env=environment, stdout=nothing)
    deadline = time.monotonic() + HANG
    while not dbt_targets(shop.config.storage, "shop") and time.monotonic() < deadline:
        time.sleep(0.1)
    targets = dbt_targets(shop.config.storage, "shop")
    assert targets
    time.sleep(2)  # the view with the token exists
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert found(shop, SECRET) == []
