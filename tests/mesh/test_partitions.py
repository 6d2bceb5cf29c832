from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from kit.core.errors import InvalidFile, UnknownName
from kit.core.yaml import parse_yaml
from kit.mesh.partitions import Partitions, in_lookback
from tests.support.small_mesh import SmallMesh

FORM = "is no declaration of partitions; write {column: COLUMN, start: 2024-01-31} for days or {column: COLUMN, keys: [a, b]}"
DOCUMENT = parse_yaml(Path("p.yaml"), "a: 1\nhow:\n  start: x\n  keys:\n  - a\n  - b\n")


def of(given: Any) -> Partitions:
    return Partitions.from_document(DOCUMENT, ["how"], given)


def test_what_can_be_declared() -> None:
    assert of({"column": "day", "start": "2024-01-31"}) == Partitions("day", start=date(2024, 1, 31))
    days = of({"column": "day", "start": "2024-01-31", "lookback": 30, "inputs": {"shop.sales": "sold_on"}})
    assert days == Partitions("day", date(2024, 1, 31), lookback=30, inputs={"shop.sales": "sold_on"})
    assert of({"column": "shop", "keys": ["a", 7, "B-1.x_y"]}) == Partitions("shop", keys=("a", "7", "B-1.x_y"))
    assert len(of({"column": "shop", "keys": list(range(10_000))}).keys) == 10_000


KEY = "cannot name a partition; use letters, digits and _ . - inside, at most 64"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, f"p.yaml:3: how: {FORM}"),
        ("day", f"p.yaml:3: how: {FORM}"),
        ([], f"p.yaml:3: how: {FORM}"),
        ({}, f"p.yaml:3: how: {FORM}"),
        ({"column": "day"}, f"p.yaml:3: how: {FORM}"),
        ({"start": "2024-01-31"}, f"p.yaml:3: how: {FORM}"),
        ({"column": "day", "start": "2024-01-31", "keys": ["a"]}, f"p.yaml:3: how: {FORM}"),
        ({"column": "day", "start": "2024-01-31", "end": "2024-02-01"}, f"p.yaml:3: how: {FORM}"),
        ({"column": "The Day", "start": "2024-01-31"}, f"p.yaml:3: how: {FORM}"),
        ({"column": None, "keys": ["a"]}, f"p.yaml:3: how: {FORM}"),
        ({"column": "true", "start": True}, "p.yaml:3: how.start: 'True' is not a date such as 2024-01-31"),
        ({"column": "day", "start": "2024-02-30"}, "p.yaml:3: how.start: '2024-02-30' is not a date such as 2024-01-31"),
        ({"column": "day", "start": "20240131"}, "p.yaml:3: how.start: '20240131' is not a date such as 2024-01-31"),
        ({"column": "day", "start": "2024-W05-3"}, "p.yaml:3: how.start: '2024-W05-3' is not a date such as 2024-01-31"),
        ({"column": "day", "start": None}, "p.yaml:3: how.start: 'None' is not a date such as 2024-01-31"),
        *(
            (
                {"column": "day", "start": "2024-01-31", "lookback": days},
                f"p.yaml:3: how.lookback: {days!r} is not the number of newest days that changed inputs make due, such as 30; "
                "all without it",
            )
            for days in (0, -1, 1.5, True, None, "30")
        ),
        ({"column": "shop", "keys": ["a"], "lookback": 3}, "p.yaml:3: how.lookback: only days (`start`) have a lookback"),
        *(
            (
                {"column": "shop", "keys": ["a"], "inputs": inputs},
                "p.yaml:3: how.inputs: must name the column of each input that has the partition: {PRODUCT.PORT: COLUMN}",
            )
            for inputs in (None, ["shop.sales"], {"shop.sales": "The Day"}, {"shop.sales": None})
        ),
        ({"column": "shop", "keys": "a"}, "p.yaml:5: how.keys: must be a list of 1 to 10,000 keys"),
        ({"column": "shop", "keys": []}, "p.yaml:5: how.keys: must be a list of 1 to 10,000 keys"),
        ({"column": "shop", "keys": list(range(10_001))}, "p.yaml:5: how.keys: must be a list of 1 to 10,000 keys"),
        ({"column": "shop", "keys": ["a", "a"]}, "p.yaml:5: how.keys: a key is listed twice; keep one"),
        ({"column": "shop", "keys": [7, "7"]}, "p.yaml:5: how.keys: a key is listed twice; keep one"),
        (
            {"column": "shop", "keys": ["a", "A"]},
            "p.yaml:5: how.keys: 'a' and 'A' differ only in case, which some file systems ignore; rename one",
        ),
        *(
            ({"column": "shop", "keys": ["a", key]}, f"p.yaml:6: how.keys.1: '{key}' {KEY}".replace("\n", "\\n"))
            for key in ("", ".a", "a/b", "..", "a..b", "a b", "-a", "ü", "a" * 65, None, [], {}, "a\n", True, 1.5)
        ),
    ],
)
def test_what_is_refused(given: Any, says: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        of(given)
    assert str(caught.value) == says


DAYS = Partitions("day", start=date(2024, 2, 27))
KEYS = Partitions("shop", keys=("b", "a"))


def test_days_are_those_that_are_over() -> None:
    assert DAYS.all(datetime(2024, 3, 1, 23, 59)) == ("2024-02-27", "2024-02-28", "2024-02-29")
    assert DAYS.all(datetime(2024, 2, 27)) == ()
    assert DAYS.all(datetime(2020, 1, 1)) == ()


def test_keys_are_as_declared() -> None:
    assert KEYS.all(datetime(2024, 3, 1)) == ("b", "a")


def test_some_are_selected_or_all() -> None:
    now = datetime(2024, 3, 1)
    assert KEYS.select("shop", ("a",), now) == ("a",)
    assert KEYS.select("shop", (), now) == ("b", "a")
    assert DAYS.select("shop", ("2024-02-28",), now) == ("2024-02-28",)


@pytest.mark.parametrize(
    ("partitions", "asked", "says"),
    [
        (KEYS, ("a", "c"), "'shop' has no partition 'c'; there are: b, a"),
        (DAYS, ("2024-03-01",), "'shop' has no partition '2024-03-01'; there are: 2024-02-27 to 2024-02-29"),
        (
            Partitions("n", keys=tuple(map(str, range(30)))),
            ("x",),
            f"'shop' has no partition 'x'; there are: {', '.join(map(str, range(20)))}, …",
        ),
        (
            Partitions("day", start=date(2024, 3, 1)),
            (),
            "'shop' has no partitions yet; its first day, 2024-03-01, must be over",
        ),
    ],
)
def test_what_cannot_be_selected(partitions: Partitions, asked: tuple[str, ...], says: str) -> None:
    with pytest.raises(UnknownName) as caught:
        partitions.select("shop", asked, datetime(2024, 3, 1))
    assert str(caught.value) == says


def test_a_product_with_partitions_masks_its_sources_not_its_ports(small: SmallMesh) -> None:
    """Partitions carried over are masked already, and the contract is held against all of them together."""
    small.partitioned_shop()
    small.mask("shop/sources/sales.odcs.yaml", amount={"generalise": 10})
    assert not small.mesh.broken
    small.mask("shop/contracts/sales.odcs.yaml", amount={"generalise": 10})
    [broken] = small.mesh.broken
    assert broken.finding.message.endswith(
        "'sales.amount' is masked, but this product has partitions; mask the column in the contract of its source or in the "
        "provider, and write `mask: inherited` here"
    )


def test_consecutive_partitions_are_ranges() -> None:
    noon = datetime(2024, 1, 10, 12)
    days = Partitions("day", start=date(2024, 1, 1))
    asked = {"2024-01-03", "2024-01-02", "2024-01-09", "2024-01-05"}
    assert days.ranges(asked, noon) == [
        ("2024-01-02", "2024-01-03"), ("2024-01-05", "2024-01-05"), ("2024-01-09", "2024-01-09")
    ]  # fmt: skip
    assert days.ranges((), noon) == []
    assert Partitions("shop", keys=("b", "a", "c")).ranges(["a", "b"], noon) == [("b", "a")]


def test_the_lookback_counts_the_days_before_today() -> None:
    noon = datetime(2024, 1, 10, 12)
    assert [in_lookback(f"2024-01-{day:02d}", 2, noon) for day in (7, 8, 9)] == [False, True, True]
    assert in_lookback("2000-01-01", None, noon)
