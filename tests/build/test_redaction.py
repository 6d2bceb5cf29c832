from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from kit.build.redaction import hidden_values, redact, without_values
from kit.contracts.check import Check
from kit.quality.audit_target import audit_targets
from tests.support.small_mesh import SmallMesh, write

CLOCK = datetime(2024, 1, 10)


def told(small: SmallMesh, check: Check) -> tuple[str, tuple[dict[str, object], ...]]:
    """What a check of `shop` observes and shows."""
    product = small.product("shop")
    raw, ports = audit_targets(product)
    [found] = redact(raw + ports, CLOCK, [check])
    assert (found.table, found.rule, found.origin, found.passed) == (check.table, check.rule, check.origin, check.passed)
    return found.observed, found.samples


def check(rule: str, observed: str = "", *samples: dict[str, object], table: str = "sales", origin: str = "contract") -> Check:
    return Check(table, rule, origin, False, observed=observed, samples=samples)


def test_a_product_that_masks_nothing_tells_all(small: SmallMesh) -> None:
    seen = check("item is unique", "2 of 3 rows break it", {"item": "tea"})
    assert told(small, seen) == ("2 of 3 rows break it", ({"item": "tea"},))


def test_samples_show_only_what_no_contract_masks(small: SmallMesh) -> None:
    small.mask("shop/contracts/sales.odcs.yaml", item="hmac")
    samples = {"sale_id": 1, "item": "tea"}, {"sale_id, item": "(1, 'tea')"}, {"unique_field": "tea", "amount": 2}
    assert told(small, check("amount is between 0 and 1000", "3 of 5 rows break it", *samples)) == (
        "3 of 5 rows break it",
        ({"sale_id": 1, "item": "masked"}, {"sale_id, item": "masked"}, {"unique_field": "masked", "amount": 2}),
    )  # fmt: skip
    # The same name in another table, before the masking and in a model that no contract knows.
    for table in ("raw.sales", "totals", "stg_sales"):
        assert told(small, check("a rule", "", {"item": "tea"}, table=table))[1] == ({"item": "masked"},)


@pytest.mark.parametrize(("rule", "origin"), [("a_test_of_the_team", "dbt"), ("totals add up", "contract"), ("rows", "suite")])
def test_a_query_can_give_a_hidden_column_the_name_of_another_one(small: SmallMesh, rule: str, origin: str) -> None:
    small.mask("shop/contracts/sales.odcs.yaml", item="hmac")
    for table in ("sales", "totals"):
        aliased = check(rule, "3 rows", {"sale_id": "tea"}, {"amount": "tea"}, table=table, origin=origin)
        assert told(small, aliased)[1] == ({"sale_id": "masked"}, {"amount": "masked"})


def test_personal_columns_are_hidden_as_masked_ones(small: SmallMesh) -> None:
    path = small.domains / "shop/contracts/sales.odcs.yaml"
    path.write_text(path.read_text().replace('"name": "item"', '"name": "item", "classification": "personal"'))
    seen = check("amount is between 0 and 1000", "", {"sale_id": 1, "item": "tea"})
    assert told(small, seen)[1] == ({"sale_id": 1, "item": "masked"},)


def test_a_message_quotes_no_value_of_a_hidden_column(tmp_path: Path) -> None:
    pl.DataFrame({"card": ["ZZ12", "M", "", None], "other": ["seen", "x", "y", "z"]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"card": [20251231, 3]}).write_parquet(tmp_path / "b.parquet")
    write(tmp_path / "broken.parquet", "")
    tables = {name: [tmp_path / f"{name}.parquet"] for name in ("a", "b", "broken", "missing")}
    message = "Could not convert 'ZZ12' (XZZ12, ZZ12!) or 'M' of Me to 20251231 at line 3, 'seen'"
    assert without_values(message, hidden_values([message], tables, {"card"})) == (
        "Could not convert 'masked' (XZZ12, masked!) or 'masked' of Me to masked at line 3, 'seen'"
    )
    assert without_values(message, hidden_values([message], tables, {"nothing"})) == message


def test_values_that_a_port_inherits_are_tokens_and_shown(small: SmallMesh) -> None:
    small.mask("shop/contracts/totals.odcs.yaml", item="inherited")
    assert told(small, check("a rule", "", {"item": "0fa3"}, table="totals"))[1] == ({"item": "0fa3"},)


@pytest.mark.parametrize(
    ("rule", "origin", "observed", "seen"),
    [
        ("item is one of 2 values", "contract", "1,000 of 2,000 rows break it", "1,000 of 2,000 rows break it"),
        ("rows: rows are between 20 and 100", "contract", "3", "3"),
        ("has the contract's 4 columns and types", "contract", "column 'item' is missing", "column 'item' is missing"),
        ("the newest sold_on is at most 2 days old and not in the future", "contract", "2024-01-01", "2024-01-01"),
        ("column mean to be between: column=amount, min_value=5, max_value=50", "suite", "57.1", "57.1"),
        ("column unique value count to be between: column=item, min_value=2", "suite", "1", "masked"),
        ("a rule of unknown columns", "contract", '"tea"', "masked"),
        ("a rule of dbt", "dbt", "3 rows", "3 rows"),
        ("unit test adds", "dbt", "actual differs from expected: tea", "actual differs from expected: tea"),
    ],
)
def test_what_was_observed_is_told_when_it_cannot_be_a_masked_value(
    small: SmallMesh, rule: str, origin: str, observed: str, seen: str
) -> None:
    small.mask("shop/contracts/sales.odcs.yaml", item="hmac")
    assert told(small, check(rule, observed, origin=origin))[0] == seen
