"""The key of a person is followed by name, lineage and token."""

import json
from pathlib import Path

import polars as pl
import pytest

from kit.build import mask_key_fingerprint, masking_tokens
from kit.contracts import Contract
from kit.core.config import Config
from kit.core.errors import MaskError, UnknownName
from kit.mesh import Context
from kit.orchestration.erased_places import ErasureKey, find_places, key_texts, unsearched
from tests.support.small_mesh import SmallMesh, contract, write

SECRET = "a key for tests only"


def context(small: SmallMesh, **environment: str) -> Context:
    return Context(Config.load(small.root, environment)).with_mesh(small.mesh)


def test_a_key_follows_columns_of_other_names(small: SmallMesh) -> None:
    small.replace("domains/shop/models/marts/totals.sql", "select item,", "select item as item,")
    columns = ErasureKey.of(context(small), "sale_id", "4711").columns
    assert (columns["shop.raw.sales"], columns["shop.sales"], columns["shop.sales__quarantine"]) == (({"sale_id"},) * 3)
    assert "shop.totals" not in columns
    assert {"shop.raw.sales", "shop.totals", "plan.forecast"} <= ErasureKey.of(context(small), "item", "tea").columns.keys()


def test_a_count_of_keys_is_no_key(small: SmallMesh) -> None:
    small.replace("domains/shop/models/marts/totals.sql", "sum(amount)", "count(distinct sale_id)")
    columns = ErasureKey.of(context(small), "sale_id", "2").columns
    assert columns["shop.sales"] == {"sale_id"}
    assert "shop.totals" not in columns


def test_rows_with_the_token_of_a_key_are_found_without_the_value(small: SmallMesh) -> None:
    small.mask("shop/contracts/sales.odcs.yaml", sale_id="hmac")
    with pytest.raises(MaskError, match=r"shop\.sales\.sale_id has tokens of 'sale_id', which only KIT_MASK_KEY can find"):
        ErasureKey.of(context(small), "sale_id", "4711")
    number = int(masking_tokens(SECRET.encode(), "4711")[1])
    small.snapshot("shop", "sales", {"item": ["tea", "tea"], "amount": ["1.50", "2.50"]})
    (path,) = Path(small.store.folder("shop")).glob("*/sales/data.parquet")
    path.chmod(0o644)
    pl.DataFrame({"sale_id": [number, 4712], "item": ["tea", "cake"]}).write_parquet(path)
    here = context(small, KIT_MASK_KEY=SECRET)
    places, _ = find_places(here, ErasureKey.of(here, "sale_id", "4711"))
    assert [(place.kind, place.part, place.rows) for place in places if place.path == path] == [("port", "sale_id", 1)]


def test_tokens_of_an_earlier_key_are_found_with_it_and_named_without_it(small: SmallMesh) -> None:
    old = "an earlier key for tests"
    small.mask("shop/contracts/sales.odcs.yaml", sale_id="hmac")
    token = int(masking_tokens(old.encode(), "4711")[1])
    made_with = mask_key_fingerprint(old.encode())
    version = small.snapshot("shop", "sales", {"item": ["tea"], "amount": ["1.50"]}, mask_key=made_with)
    folder = small.store.folder("shop") / version
    for path in (folder / "sales/data.parquet", folder / "manifest.json"):
        path.chmod(0o644)
    pl.DataFrame({"sale_id": [token], "item": ["tea"]}).write_parquet(folder / "sales/data.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["ports"]["sales"]["masked"] = {"sale_id": "hmac"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    here = context(small, KIT_MASK_KEY=SECRET)
    key = ErasureKey.of(here, "sale_id", "4711")
    assert find_places(here, key)[0] == []
    (text,) = unsearched(here, key)
    assert text.startswith(f"shop: 1 snapshot ({version}) cannot be searched, with tokens of the key {made_with[:8]}; ")
    assert old not in text
    key = ErasureKey.of(here, "sale_id", "4711", (), [old])
    assert [(place.kind, place.version, place.rows) for place in find_places(here, key)[0]] == [("port", version, 1)]
    assert list(unsearched(here, key)) == []
    # A key of another column has nothing to do with these tokens.
    assert list(unsearched(here, ErasureKey.of(here, "amount", "1.50"))) == []


def test_the_other_hidden_values_of_a_person_are_searched_too(small: SmallMesh) -> None:
    small.personal_items()
    raw = small.config.storage / "raw/shop/sales/1.parquet"
    raw.parent.mkdir(parents=True)
    pl.DataFrame({"sale_id": [4711, 4712, 4713], "item": ["Mary Smith", "both", "both"]}).write_parquet(raw)
    record = small.config.storage / "runs/shop/1/record.json"
    record.parent.mkdir(parents=True)
    record.write_text('{"message": "Mary Smith failed"}')
    here = context(small)
    places, key = find_places(here, ErasureKey.of(here, "sale_id", "4711"))
    assert [(place.kind, place.path) for place in places] == [("raw data", raw), ("run record", record)]
    assert key.others == {"Mary Smith"}


def test_a_column_that_no_contract_has_is_refused_with_a_near_one(small: SmallMesh) -> None:
    with pytest.raises(UnknownName, match=r"no contract has a column 'sale'; there are: .*, sale_id, sold_on"):
        ErasureKey.of(context(small), "sale", "1")


def test_a_value_is_written_as_each_type_writes_it_and_never_rounded(tmp_path: Path) -> None:
    types = {"a": "bigint", "b": "varchar", "c": "decimal(8,2)", "d": "date"}
    write(tmp_path / "a.odcs.yaml", contract("a.b", "b", [(name, kind, {}) for name, kind in types.items()]))
    read = Contract.load(tmp_path / "a.odcs.yaml")
    assert key_texts(ErasureKey("a", "0042", {}, frozenset()), read, "abcd") == {"a": {"42"}, "b": {"0042"}, "c": {"42.00"}}
    assert key_texts(ErasureKey("a", "4.7", {}, frozenset()), read, "abcd") == {"b": {"4.7"}, "c": {"4.70"}}


def test_the_token_of_a_number_is_found_however_the_number_is_written(small: SmallMesh) -> None:
    small.mask("shop/contracts/sales.odcs.yaml", sale_id="hmac")
    key = ErasureKey.of(context(small, KIT_MASK_KEY=SECRET), "sale_id", "004711")
    assert {"004711", "4711", *masking_tokens(SECRET.encode(), "4711")} <= key.forms


def test_columns_of_products_that_are_not_asked_for_are_left_alone(small: SmallMesh) -> None:
    file = small.domains / "plan/contracts/forecast.odcs.yaml"
    file.write_text(file.read_text().replace('"item"', '"sale_id"'))
    for name in ("shop/sales", "plan/forecast"):
        table = small.config.storage / "products" / name.replace("/", "/20240101T000000Z-000001/") / "data.parquet"
        table.parent.mkdir(parents=True)
        pl.DataFrame({"sale_id": [4711]}).write_parquet(table)
    here = context(small)
    places, _ = find_places(here, ErasureKey.of(here, "sale_id", "4711", ["shop"]))
    assert [place.product for place in places] == ["shop"]
    places, _ = find_places(here, ErasureKey.of(here, "sale_id", "4711"))
    assert [place.product for place in places] == ["plan", "shop"]


def test_a_value_that_other_rows_have_too_is_not_searched(small: SmallMesh) -> None:
    small.personal_items()
    for name, rows in (("1", {"sale_id": [4711], "item": ["Germany"]}), ("2", {"sale_id": [4712], "item": ["Germany"]})):
        raw = small.config.storage / f"raw/shop/sales/{name}.parquet"
        raw.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(rows).write_parquet(raw)
    here = context(small)
    places, key = find_places(here, ErasureKey.of(here, "sale_id", "4711"))
    assert ([place.path.name for place in places], key.others) == (["1.parquet"], frozenset())
