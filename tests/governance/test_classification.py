"""What is made from a sensitive column is classified no lower, unless a mask, a summary or a dated exemption permits it."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from kit.core.policy import Exemption, Policy
from kit.governance.classification import check_classification
from kit.mesh.context import Context
from tests.support.findings import pairs
from tests.support.small_mesh import SmallMesh, contract, descriptor, write

_PERSONAL = {"classification": "personal"}
_MASKED = {"customProperties": [{"property": "mask", "value": "hmac"}]}


@pytest.fixture(autouse=True)
def here(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    """`shop.sales.item` is personal; `leak` copies it under another name, through a model that is no port."""
    monkeypatch.chdir(small.root)
    small.personal_items()
    _leak(small, "item", {"classification": "public"})


def _leak(small: SmallMesh, expression: str, fields: dict[str, Any], group: str = "") -> None:
    leak = small.domains / "leak"
    write(leak / "product.odps.yaml", descriptor("leak", inputs=["shop.sales"], outputs={"copies": "dbt"}))
    columns: list[tuple[str, str, dict[str, Any]]] = [
        ("sale_id", "bigint", {"classification": "internal"}), ("thing", "varchar", fields),
    ]  # fmt: skip
    write(leak / "contracts/copies.odcs.yaml", contract("leak.copies", "copies", columns))
    write(leak / "dbt_project.yml", (small.domains / "shop/dbt_project.yml").read_text().replace("shop", "leak"))
    write(leak / "models/sources.yml", "sources: [{name: shop, tables: [{name: sales}]}]\n")
    write(leak / "models/staging/step.sql", "select * from {{ source('shop', 'sales') }}\n")
    write(leak / "models/marts/copies.sql", f"select sale_id, {expression} as thing from {{{{ ref('step') }}}} {group}\n")


def found(small: SmallMesh, **policy: Any) -> list[tuple[str, str]]:
    assert small.mesh.broken == ()
    config = replace(small.config, policy=Policy(**policy) if policy else None)
    context = Context(config).with_mesh(small.mesh)
    return [
        (name, message.partition("properties.")[2]) for name, message in pairs(check_classification(context)) if name != "plan"
    ]


LEAK = (
    "leak",
    "1: 'thing' is public, but comes from shop.sales.item, which is personal; classify it as personal, mask or summarise it, "
    "or let the platform exempt it with reason and date in [tool.kit.policy.lowered]",
)


@pytest.mark.parametrize("expression", ["item", "upper(item)", "max(item)", "coalesce(item, 'none') || '!'"])
def test_a_copy_of_a_personal_column_is_not_public(small: SmallMesh, expression: str) -> None:
    _leak(small, expression, {"classification": "public"}, "group by all" if "max" in expression else "")
    assert found(small) == [LEAK]


@pytest.mark.parametrize(
    ("expression", "fields"),
    [
        ("item", _PERSONAL),
        ("item", {"classification": "internal", **_MASKED}),
        ("count(distinct item)::varchar", {"classification": "public"}),
        ("(item is not null)::varchar", {"classification": "public"}),
        ("'a constant'", {"classification": "public"}),
        ("item", {"classification": "TODO: ask"}),
    ],
)
def test_a_mask_a_summary_and_the_same_classification_pass(small: SmallMesh, expression: str, fields: dict[str, Any]) -> None:
    _leak(small, expression, fields, "group by all" if "count" in expression else "")
    assert found(small) == []


def test_tokens_of_the_provider_may_be_classified_lower(small: SmallMesh) -> None:
    small.mask("shop/contracts/sales.odcs.yaml", item="hmac")
    assert found(small) == []


def test_an_unclassified_copy_of_a_personal_column_is_found(small: SmallMesh) -> None:
    _leak(small, "item", {})
    assert [
        name for name, message in found(small) if "'thing' is not classified, but comes from shop.sales.item" in message
    ] == ["leak"]


def test_the_platform_exempts_with_reason_and_date(small: SmallMesh) -> None:
    exemption = Exemption("names of products, not of people", date(2026, 1, 31))
    assert found(small, lowered={"leak.*.thing": exemption}) == []
    assert found(small, lowered={"other.*": exemption}) == [LEAK]


def test_a_source_is_classified_as_its_copies_are(small: SmallMesh) -> None:
    _leak(small, "item", _PERSONAL)
    small.replace("domains/shop/sources/sales.odcs.yaml", '"personal"', '"internal"')
    assert found(small) == [
        ("shop", "1: 'item' is internal, but its copy shop.sales.item is personal; classify it as personal here too, "
         "so that no message, sample or quarantine quotes it"),
    ]  # fmt: skip


def test_a_notebook_cannot_make_a_personal_column_public(small: SmallMesh) -> None:
    context = small.context
    messages = [message for name, message in pairs(check_classification(context)) if name == "plan"]
    assert len(messages) == 1
    assert "'item' is not classified, but comes from shop.totals.item, which is personal" in messages[0]
