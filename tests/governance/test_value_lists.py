"""Lists of values of columns that are personal, wherever drafts and people wrote them."""

import json
from typing import Any

from kit.governance.check import check_mesh
from kit.governance.value_lists import check_value_lists
from kit.scaffold.hidden_names import hidden_names
from kit.scaffold.new import new_port
from kit.sync.sync import sync
from tests.support.contracts import valid
from tests.support.small_mesh import SmallMesh, write

SHOP = "domains/shop"


def found(small: SmallMesh) -> list[tuple[str, str]]:
    findings = list(check_value_lists(small.context))
    assert {(item.product, item.severity) for item in findings} <= {("shop", "warning"), ("plan", "warning")}
    return sorted(
        (str(item.path.relative_to(small.domains)), item.message.partition(": ")[2]) for item in findings if item.path
    )


def edit_item(small: SmallMesh, path: str, **fields: Any) -> None:
    file = small.domains / path
    data = json.loads(file.read_text())
    column = next(item for item in data["schema"][0]["properties"] if item["name"] == "item")
    column.update(fields)
    file.write_text(json.dumps(data, indent=1))


def test_lists_of_all_kinds_are_named_with_file_port_and_column(small: SmallMesh) -> None:
    assert found(small) == []
    small.publish("shop")
    small.personal_items()
    edit_item(small, "shop/contracts/totals.odcs.yaml", enum=[{"value": "tea"}, {"value": "cake"}], examples=["tea"])
    rule = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "item", "value_set": ["tea", "cake"]}}
    write(small.root / SHOP / "expectations/sales.extra.json", json.dumps({"name": "sales.extra", "expectations": [rule]}))
    need = small.need([("item", "varchar", {"quality": [valid("tea", "cake")]})])
    assert need.is_file()
    sync(small.context)
    write(
        small.root / SHOP / "models/stock.yml",
        "sources:\n- name: raw\n  tables:\n  - name: sales\n    columns:\n"
        "    - {name: item, data_tests: [accepted_values: {values: [tea, cake]}]}\n",
    )
    write(small.root / SHOP / "models/sources.yml", "version: 2\n")
    assert found(small) == [
        ("plan/consumes/shop.totals.odcs.yaml", "shop.totals: validValues lists values of 'item', which is hidden"),
        ("shop/contracts/sales.odcs.yaml", "shop.sales: validValues lists values of 'item', which is hidden"),
        ("shop/contracts/totals.odcs.yaml", "shop.totals: enum lists values of 'item', which is hidden"),
        ("shop/contracts/totals.odcs.yaml", "shop.totals: examples lists values of 'item', which is hidden"),
        ("shop/expectations/sales.extra.json", "value_set lists values of 'item', which is hidden"),
        ("shop/models/stock.yml", "accepted_values lists values of 'item', which is hidden"),
        ("shop/sources/sales.odcs.yaml", "shop.raw.sales: validValues lists values of 'item', which is hidden"),
    ]


def test_codes_that_a_person_describes_or_named_before_are_none(small: SmallMesh) -> None:
    small.personal_items()
    assert found(small) == []  # never published in clear, and the rule has a name
    for path in ("sources/sales", "contracts/sales"):
        edit_item(small, f"shop/{path}.odcs.yaml", quality=[{k: v for k, v in valid("tea").items() if k != "name"}])
    assert len(found(small)) == 2
    for path in ("sources/sales", "contracts/sales"):
        edit_item(small, f"shop/{path}.odcs.yaml", quality=[{**valid("tea"), "description": "Codes of goods, of no person."}])
    assert found(small) == []


def test_comments_of_a_draft_are_named_and_new_drafts_have_none(small: SmallMesh) -> None:
    write(small.root / "people.csv", "id,mail,born\n" + "".join(f"{n},m{n % 2}@example.com,1990-01-02\n" for n in range(40)))
    new_port(small.context, "shop.people", str(small.root / "people.csv"))
    contract = small.root / SHOP / "contracts/people.odcs.yaml"
    text = contract.read_text()
    assert "m0@example.com" in text
    head, mail, rest = text.partition("- name: mail")
    contract.write_text(head + mail + rest.replace("TODO: public, internal, confidential, personal?", "personal", 1))
    (line,) = [item for item in check_value_lists(small.context) if item.path == contract]
    assert line.message == "shop.people: a comment of its draft has values of 'mail', which is hidden"
    assert line.line is not None
    assert "Seen: 2 values" in text.splitlines()[line.line - 1]
    assert line in check_mesh(small.context)
    # A draft of today has no values of the column, neither of this contract nor of another one.
    assert "mail" in hidden_names(small.domains)
    (small.root / "people.csv").rename(small.root / "friends.csv")
    new_port(small.context, "shop.friends", str(small.root / "friends.csv"))
    drafted = (small.root / SHOP / "contracts/friends.odcs.yaml").read_text()
    assert "m0@example.com" not in drafted
    assert "# Nothing is proposed from its values: a contract of the mesh hides this column." in drafted


def test_the_removal_says_what_it_does_not_edit(small: SmallMesh) -> None:
    small.publish("shop")
    small.personal_items()
    sync(small.context)
    small.build("shop")
    done = small.kit("prune", "--personal")
    assert done.returncode == 0, done.stderr
    place = "domains/shop/sources/sales.odcs.yaml"
    words = " ".join(done.stderr.split())
    assert f"shop: not edited: {place}:" in words
    assert "shop.raw.sales: validValues lists values of 'item', which is hidden" in words
    small.mask("shop/contracts/sales.odcs.yaml")  # the files are as they were
    assert "tea" in (small.root / place).read_text()
