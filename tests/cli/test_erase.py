import json

import polars as pl

from tests.support.small_mesh import SmallMesh


def test_a_look_prints_places_without_the_value_and_nothing_goes_without_consent(small: SmallMesh) -> None:
    raw = small.config.storage / "raw/shop/sales/1.parquet"
    raw.parent.mkdir(parents=True)
    pl.DataFrame({"sale_id": [4711001], "item": ["tea"]}).write_parquet(raw)
    look = small.kit("erase", "sale_id=4711001", "--dry-run")
    line = "  raw data of shop sales: state/raw/shop/sales/1.parquet (sale_id), 1 row\n"
    assert (look.returncode, look.stdout, look.stderr) == (0, line, "")
    (place,) = json.loads(small.kit("erase", "sale_id=4711001", "--dry-run", "--json").stdout)["found"]
    assert (place["product"], place["path"], place["rows"]) == ("shop", "state/raw/shop/sales/1.parquet", 1)
    refused = small.kit("erase", "sale_id=4711001", "--json")
    assert (refused.returncode, raw.exists()) == (1, True)
    assert refused.stderr == "error: nothing was erased; add --yes to erase without a question, or --dry-run to look only\n"
    nobody = small.kit("erase", "sale_id=4711002", "--yes")
    assert (nobody.returncode, nobody.stdout) == (0, "no row with this sale_id was found\n")
    assert not (small.config.storage / "erased.json").exists()


def test_wrong_arguments_are_one_sentence(small: SmallMesh) -> None:
    assert "write a column and a value, such as customer_id=4711" in small.kit("erase", "sale_id").stderr
    unknown = small.kit("erase", "sale=1", "--product", "shop")
    assert (unknown.returncode, unknown.stderr) == (
        1, "error: no contract of these products has a column 'sale'; there is: sale_id\n"
    )  # fmt: skip
