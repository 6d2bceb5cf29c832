import hmac
import tracemalloc
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kit.build import masking
from kit.build.build import Outcome, build
from kit.contracts.contract import Contract
from kit.core import database
from kit.core.config import Config
from kit.core.errors import MaskError
from kit.storage.runs import Runs
from tests.support.small_mesh import SALES, SmallMesh, contract, write

KEY = "a key for tests only"


def masked(value: Any, **more: Any) -> dict[str, Any]:
    return {"customProperties": [{"property": "mask", "value": value}], **more}


def people(folder: Path, *columns: tuple[str, str, dict[str, Any]]) -> Contract:
    path = folder / "people.odcs.yaml"
    write(path, contract("shop.people", "people", list(columns)))
    return Contract.load(path)


def rows(promise: Contract, folder: Path, values: str, key: str = KEY) -> list[tuple[Any, ...]]:
    """What is published of an SQL `values` list."""
    plain, target = folder / "plain.parquet", folder / "target.masked"
    casts = ", ".join(f"c{i}::{column.type} as {column.name}" for i, column in enumerate(promise.columns))
    names = ", ".join(f"c{i}" for i, _ in enumerate(promise.columns))
    with database.connect() as connection:
        connection.execute(f"copy (select {casts} from (values {values}) as v({names})) to '{plain}' (format parquet)")
    masking.write(promise, plain, target, key.encode())
    with database.connect() as connection:
        return connection.execute(f"select * from read_parquet('{target}')").fetchall()


def token_of(value: str, key: str = KEY) -> str:
    """The token by Python's own implementation."""
    return hmac.digest(key.encode(), value.encode(), "sha256").hex()[:32]


def test_tokens_stand_for_values(tmp_path: Path) -> None:
    promise = people(tmp_path, ("mail", "varchar", masked("hmac")), ("n", "integer", {}))
    found = rows(promise, tmp_path, "('ann@example.com', 1), ('bob@example.com', 2), ('ann@example.com', 3), (null, 4)")
    by_number = {number: token for token, number in found}
    assert by_number[1] == by_number[3] == token_of("ann@example.com")
    assert by_number[4] is None
    assert by_number[2] not in (None, by_number[1])
    assert {len(token) for token in by_number.values() if token} == {32}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["people.odcs.yaml", "plain.parquet", "target.masked"]


@pytest.mark.parametrize(
    "key", [KEY, "k" * 63, "k" * 64, "k" * 65, "schlüssel €𝄞 " * 9, "a 'quoted' \\x41 key $inner"],
    ids=["short", "63", "a block", "longer than a block", "Unicode", "quotes"],
)  # fmt: skip
def test_tokens_are_those_of_hmac(tmp_path: Path, key: str) -> None:
    promise = people(tmp_path, ("a", "varchar", masked("hmac")), ("n", "bigint", masked("hmac")), ("i", "integer", {}))
    texts = ["", " ", "7", "-7", "Äß€𝄞", "e\u0301", "é", "it's", "\\x41", "x" * 5_000, "nul\0byte", "line\nline", None]
    numbers = [0, 7, -7, 2**63 - 1, -(2**63), *range(100, 107), None]
    values = [
        f"({database.literal(text) if text is not None else 'null'}, {'null' if number is None else number}, {i})"
        for i, (text, number) in enumerate(zip(texts, numbers, strict=True))
    ]
    assert masking.tokens(key.encode(), "7") == (token_of("7", key), str(int(token_of("7", key)[:16], 16) >> 1))
    found = sorted(rows(promise, tmp_path, ", ".join(values), key), key=lambda row: row[2])
    assert found == [
        (
            None if text is None else token_of(text, key),
            None if number is None else int(token_of(str(number), key)[:16], 16) >> 1,
            i,
        )
        for i, (text, number) in enumerate(zip(texts, numbers, strict=True))
    ]


def test_values_are_not_loaded_into_python(tmp_path: Path) -> None:
    promise = people(tmp_path, ("a", "varchar", masked("hmac")))
    plain, target = tmp_path / "plain.parquet", tmp_path / "target.masked"
    with database.connect() as connection:
        connection.execute(f"copy (select i::varchar as a from range(60_000) as r(i)) to '{plain}' (format parquet)")
    tracemalloc.start()
    try:
        masking.write(promise, plain, target, KEY.encode())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_two_values_with_one_token_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_token", lambda _: "left(value, 1) || left(hex($inner || $outer), 0)")
    promise = people(tmp_path, ("a", "varchar", masked("hmac")))
    with pytest.raises(MaskError, match=r"^two values of 'a' have the same token; make the column a varchar$"):
        rows(promise, tmp_path, "('ab'), ('ac')")
    assert not list(tmp_path.glob("*.masked"))


def test_a_token_is_that_of_the_text_whatever_the_type(tmp_path: Path) -> None:
    """A column that one product keeps as text and another one as a number still joins."""
    promise = people(tmp_path, ("a", "varchar", masked("hmac")), ("b", "bigint", masked("hmac")))
    [(text, number)] = rows(promise, tmp_path, "('7', 7)")
    assert text == token_of("7")
    assert number == int(text[:16], 16) // 2
    assert 0 <= number < 2**63
    with database.connect() as connection:  # as a query finds one from the other
        query = f"select ('0x' || left('{text}', 16))::ubigint >> 1"
        assert connection.execute(query).fetchone() == (number,)


def test_the_order_of_rows_tells_nothing(tmp_path: Path) -> None:
    """Rows sorted by what was masked would tell the smallest value from the next."""
    values = ", ".join(f"({i})" for i in range(50))
    for promise in (
        people(tmp_path, ("id", "bigint", masked("hmac"))),
        people(tmp_path, ("id", "bigint", masked("hmac", primaryKey=True))),
    ):
        found = [row[0] for row in rows(promise, tmp_path, values)]
        assert found == sorted(found)
        assert found == sorted(int(token_of(str(i))[:16], 16) >> 1 for i in range(50))


def test_dropped_values_are_null_and_generalised_ones_are_coarse(tmp_path: Path) -> None:
    promise = people(
        tmp_path, ("gone", "json", masked("drop")), ("day", "date", masked({"generalise": "month"})),
        ("seen", "timestamp with time zone", masked({"generalise": "day"})), ("age", "integer", masked({"generalise": 10})),
        ("big", "bigint", masked({"generalise": 1000})), ("pay", "decimal(10,2)", masked({"generalise": 2.5})),
        ("zip", "varchar", masked({"generalise": 2})),
    )  # fmt: skip
    values = (
        "('{}', date '2024-05-17', timestamptz '2024-05-17 23:59:00+00', 37, 9007199254740993, 9.99, '10115'), "
        "(null, null, null, -1, null, -0.01, '1')"
    )
    found = rows(promise, tmp_path, values)
    assert [(str(r[1]), r[3], r[4], str(r[5]), r[6]) for r in found] == [
        ("2024-05-01", 30, 9007199254740000, "7.50", "10"),
        ("None", -10, None, "-2.50", "1"),
    ]
    assert [row[0] for row in found] == [None, None]
    assert found[0][2].astimezone(UTC).isoformat() == "2024-05-17T00:00:00+00:00"


def test_what_masking_would_break_is_not_written(tmp_path: Path) -> None:
    promise = people(tmp_path, ("n", "tinyint", masked({"generalise": 100})))
    with pytest.raises(MaskError, match=r"^shop\.people: could not be masked: OutOfRangeException"):
        rows(promise, tmp_path, "(-128)")
    promise = people(tmp_path, ("n", "integer", {"required": True}), ("m", "varchar", masked("hmac")))
    with pytest.raises(MaskError, match=r"it would break its contract: 'n' is required and has nulls$"):
        rows(promise, tmp_path, "(null, 'x')")
    assert not list(tmp_path.glob("*.masked"))


def test_without_a_key_of_some_length_nothing_begins(small: SmallMesh) -> None:
    small.mask("shop/sources/sales.odcs.yaml", item="hmac")
    product = small.product("shop")
    told = "'shop' masks shop.raw.sales.item, but the environment variable KIT_MASK_KEY"
    for environ, problem in ({}, "is not set"), ({"KIT_MASK_KEY": "short"}, "has only 5 characters"):
        with pytest.raises(MaskError) as caught:
            masking.key(Config.load(small.root, environ), product)
        assert str(caught.value).startswith(f"{told} {problem}; nothing was published. Set it to the key")
    config = Config.load(small.root, {"KIT_MASK_KEY": KEY})
    assert masking.key(config, product) == KEY.encode()
    assert KEY not in repr(config)
    assert masking.key(Config.load(small.root, {}), small.product("plan")) is None


def test_fingerprints_tell_keys_apart() -> None:
    assert masking.fingerprint(b"one") != masking.fingerprint(b"two")
    assert KEY not in masking.fingerprint(KEY.encode())


@pytest.mark.slow
def test_masked_products_join_like_real_ones_and_show_nothing(small: SmallMesh) -> None:
    small.mask("shop/contracts/sales.odcs.yaml", sale_id="hmac", item="hmac")
    small.mask("shop/contracts/totals.odcs.yaml", item="hmac", amount={"generalise": 100})
    shop = small.domains / "shop"
    for path in [path for path in shop.rglob("*") if path.is_file()]:
        write(small.domains / "store" / path.relative_to(shop), path.read_text().replace("shop", "store"))

    def publish(name: str, key: str) -> Outcome:
        return build(Config.load(small.root, {"KIT_MASK_KEY": key}), small.product(name))

    def query(sql: str) -> list[tuple[Any, ...]]:
        files = {name: small.store.current(name) for name in ("shop", "store")}
        tables = {f"{name}.{port}": at.files(port) for name, at in files.items() if at for port in ("sales", "totals")}
        with database.connect() as connection:
            database.add_views(connection, tables)
            connection.execute(f"create view feed as from read_csv('{small.feed}')")
            return connection.execute(sql).fetchall()

    first, second = publish("shop", KEY), publish("store", KEY)
    assert [first.status, second.status] == ["published", "published"], first.message + second.message
    join = "select a.amount, b.amount from {} a join {} b using (sale_id, item) order by all"
    assert query(join.format("shop.sales", "store.sales")) == query(join.format("feed", "feed"))
    totals = "select sum(s.amount), any_value(t.amount) from shop.sales s join shop.totals t using (item) group by item"
    assert sorted(query(totals)) == [
        (Decimal("170.00"), Decimal("100.00")), (Decimal("310.00"), Decimal("300.00")),
    ]  # fmt: skip
    real = "(select sale_id::varchar from feed union select item from feed)"
    assert query(f"select count(*) from shop.sales where item in {real} or sale_id::varchar in {real}") == [(0,)]
    assert first.snapshot is not None
    manifest = first.snapshot.manifest
    assert manifest["mask_key"] == masking.fingerprint(KEY.encode())
    assert manifest["ports"]["sales"]["masked"] == {"sale_id": "hmac", "item": "hmac"}
    assert publish("shop", KEY).status == "up to date"

    refused = publish("shop", "")
    assert (refused.status, refused.message.splitlines()) == ("failed", [refused.message])
    assert "KIT_MASK_KEY is not set; nothing was published" in refused.message
    small.feed_rows([SALES[0], *(row.replace("tea", "ada lovelace") for row in SALES[1:])])
    broken = publish("shop", KEY)
    assert (broken.status, "item is one of 2 values" in broken.message) == ("failed", True)
    record = Runs(small.config.storage).last("shop")
    assert record is not None
    assert len([check for check in record.checks if check.blocks]) > 0
    assert "lovelace" not in broken.message + repr(record)
    current = small.store.current("shop")
    assert current is not None
    assert current.version == first.version

    small.feed_rows(SALES)
    assert publish("shop", "another key for tests").status == "published"
    assert query(join.format("shop.sales", "store.sales")) == []
