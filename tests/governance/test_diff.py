import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from kit.contracts.compatibility import ContractChange
from kit.contracts.contract import Version
from kit.core.config import Config
from kit.core.policy import Exemption, Policy
from kit.governance.diff import Consumer, diff
from tests.support.small_mesh import SmallMesh

TOTALS = "domains/shop/contracts/totals.odcs.yaml"
DROPPED = ContractChange("column amount", "dropped", "major", frozenset({"amount"}))
Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture
def then(small: SmallMesh, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The small mesh as it was before a test changes it."""
    root = tmp_path_factory.mktemp("then")
    shutil.copytree(small.domains, root / "domains")
    return replace(small.config, root=root)


def edit(small: SmallMesh, path: str, change: Edit) -> None:
    file = small.root / path
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def columns(data: dict[str, Any]) -> list[dict[str, Any]]:
    return data["schema"][0]["properties"]  # type: ignore[no-any-return]


def drop_amount(data: dict[str, Any]) -> None:
    columns(data).pop()
    data["schema"][0]["quality"].clear()


def versions(small: SmallMesh, version: str, product: str = "1.0.0") -> None:
    """Give `shop.totals` a version, in its contract and its product, and the product one of its own."""
    edit(small, TOTALS, lambda data: data.update(version=version))
    edit(small, "domains/shop/product.odps.yaml", lambda data: data.update(version=product))
    edit(small, "domains/shop/product.odps.yaml", lambda data: data["outputPorts"][1].update(version=version))


def test_a_tree_compared_with_itself_is_empty(small: SmallMesh, then: Config) -> None:
    assert diff(then, small.config) == ()
    file = small.root / TOTALS
    file.write_text(json.dumps(json.loads(file.read_text()), indent=3))
    assert diff(then, small.config) == ()


def test_a_dropped_column_hits_who_uses_it_and_needs_a_major_version(small: SmallMesh, then: Config) -> None:
    edit(small, TOTALS, drop_amount)
    (found,) = diff(then, small.config)
    plan = Consumer("plan", "plan owner", "o@example.com", ("forecast",), ("amount",), True)
    one = Version(1, 0, 0)
    (port,) = found.ports
    assert (port.port, port.old, port.new, port.required) == ("shop.totals", one, one, Version(2, 0, 0))
    assert port.changes[0] == DROPPED
    assert port.consumers == (plan,)
    assert found.problems == (
        "shop.totals is version 1.0.0, after 1.0.0; its changes need 2.0.0 or higher",
        "the product shop is version 1.0.0, after 1.0.0; the changes of its ports need 2.0.0 or higher",
    )
    versions(small, "2.0.0", "2.0.0")
    (found,) = diff(then, small.config)
    assert found.problems == ()
    assert found.ports[0].affected == (plan,)


def test_who_does_not_use_a_column_is_not_hit(small: SmallMesh, then: Config) -> None:
    cells = ["import kit", "frame = kit.inputs().read('shop.totals').select('item')", "kit.output('forecast', frame)"]
    shutil.copy(small.notebook("plan", "forecast", cells), then.domains / "plan/notebooks/forecast.ipynb")
    edit(small, TOTALS, drop_amount)
    (found,) = diff(then, small.config)
    assert [(item.name, item.columns, item.affected) for item in found.ports[0].consumers] == [("plan", (), False)]


def test_a_reader_whose_descriptor_has_an_error_now_is_still_affected(small: SmallMesh, then: Config) -> None:
    edit(small, TOTALS, drop_amount)
    small.replace("domains/plan/product.odps.yaml", '"kind"', '[ "kind"')
    (found,) = diff(then, small.config)
    assert [item.name for item in found.ports[0].affected] == ["plan"]
    shutil.rmtree(small.domains / "plan")
    found = next(item for item in diff(then, small.config) if item.product == "shop")
    assert found.ports[0].affected == ()


def test_a_reader_that_was_broken_before_may_be_affected(small: SmallMesh, then: Config) -> None:
    edit(small, TOTALS, drop_amount)
    path = then.domains / "plan/product.odps.yaml"
    path.write_text(path.read_text().replace('"kind"', '[ "kind"'))
    (found,) = diff(then, small.config)
    assert (found.ports[0].consumers, found.ports[0].possible_consumers) == ((), ("plan",))


def test_who_asks_for_the_new_version_has_moved(small: SmallMesh, then: Config) -> None:
    edit(small, TOTALS, drop_amount)
    versions(small, "2.0.0", "2.0.0")
    edit(small, "domains/plan/product.odps.yaml", lambda data: data["inputPorts"][0].update(version="2.0.0"))
    (found,) = diff(then, small.config)
    assert [(item.name, item.affected) for item in found.ports[0].consumers] == [("plan", False)]


def test_an_older_version_beside_the_new_one_goes_on_to_serve(small: SmallMesh, then: Config) -> None:
    small.two_majors()
    (found,) = diff(then, small.config)
    new, kept = found.ports
    assert (new.port, new.required, new.affected) == ("shop.totals", Version(2, 0, 0), ())
    assert (kept.port, kept.old, kept.changes) == (
        "shop.totals_v1", None, (ContractChange("port", "added; keeps version 1 of shop.totals until 2024-03-31", "minor"),),
    )  # fmt: skip
    edit(small, "domains/shop/contracts/totals_v1.odcs.yaml", drop_amount)
    (found,) = diff(then, small.config)
    assert [item.name for item in found.ports[1].affected] == ["plan"]
    assert found.problems[0].startswith("shop.totals_v1 must keep what shop.totals 1.0.0 promised: column amount dropped")


def test_a_port_is_removed_only_when_nobody_reads_it(small: SmallMesh, then: Config) -> None:
    (small.root / TOTALS).unlink()
    (found,) = diff(then, small.config)
    assert [(port.port, port.new, port.problem) for port in found.ports] == [
        ("shop.totals", None, "shop.totals is gone, but still read by plan (o@example.com); keep it until they have moved")
    ]
    edit(small, "domains/plan/product.odps.yaml", lambda data: data.update(inputPorts=[]))
    edit(small, "domains/shop/product.odps.yaml", lambda data: data.update(version="2.0.0"))
    (found,) = diff(then, small.config)
    assert found.problems == ()


def test_a_port_under_another_name_is_named(small: SmallMesh, then: Config) -> None:
    (small.root / TOTALS).rename(small.domains / "shop/contracts/sums.odcs.yaml")
    edit(small, "domains/shop/contracts/sums.odcs.yaml", lambda data: data["schema"][0].update(name="sums"))
    (found,) = diff(then, small.config)
    assert [(port.port, port.changes[0].text) for port in found.ports] == [
        ("shop.sums", "added; it is shop.totals under another name"),
        ("shop.totals", "removed"),
    ]


def test_what_cannot_be_read_is_said(small: SmallMesh, then: Config) -> None:
    sales = "domains/shop/contracts/sales.odcs.yaml"
    (then.root / sales).write_text("[]")
    (small.root / TOTALS).write_text("[]")
    (found,) = diff(then, small.config)
    assert [(port.port, [change.verdict for change in port.changes], bool(port.problem)) for port in found.ports] == [
        ("shop.sales", ["review"], False),
        ("shop.totals", [], True),
    ]


def test_words_are_a_patch_and_the_unknown_is_for_a_person(small: SmallMesh, then: Config) -> None:
    edit(small, TOTALS, lambda data: data.update(description={"usage": "sum it"}, price={"priceAmount": 3}))
    versions(small, "1.0.1", "1.0.1")
    (found,) = diff(then, small.config)
    assert found.ports[0].changes == (
        ContractChange("file", "description.usage changed", "patch"),
        ContractChange("file", "price.priceAmount changed", "review"),
    )
    assert (found.problems, found.reviews) == ((), 1)


def _classify(small: SmallMesh, classification: str, version: str = "1.0.1") -> None:
    versions(small, version, version)
    edit(small, TOTALS, lambda data: columns(data)[0].update(classification=classification))


def test_weaker_protection_needs_an_approval_of_the_policy(small: SmallMesh, tmp_path_factory: pytest.TempPathFactory) -> None:
    _classify(small, "personal", "1.0.0")
    root = tmp_path_factory.mktemp("then")
    shutil.copytree(small.domains, root / "domains")
    then = replace(small.config, root=root)
    _classify(small, "public")
    (found,) = diff(then, small.config)
    assert [text.partition(";")[0] for text in found.problems] == [
        "shop.totals: 'item' is protected less: classification personal → public"
    ]
    approval = {"shop.totals.item": Exemption("names of products", date(2026, 1, 31))}
    (found,) = diff(then, replace(small.config, policy=Policy(lowered=approval)))
    assert found.problems == ()
    assert found.reviews == 1


def test_a_policy_that_is_deleted_or_relaxed_is_a_problem(small: SmallMesh) -> None:
    def problems(new: Policy | None) -> list[str]:
        products = diff(replace(small.config, policy=Policy()), replace(small.config, policy=new))
        return [text for product in products for text in product.problems]

    assert problems(Policy(described=1.0)) == []
    assert problems(None) == [
        "the policy asks for less: [tool.kit.policy] is gone; keep it, and relax single settings with a reason and a date"
    ]
    (text,) = problems(Policy(classified=False))
    assert text.startswith("the policy asks for less: 'classified' is relaxed; approve it with [tool.kit.policy.lowered] ")
    approval = {"policy.classified": Exemption("a trial", date(2026, 1, 31))}
    assert problems(Policy(classified=False, lowered=approval)) == []


def test_another_owner_is_a_change_to_review(small: SmallMesh, then: Config) -> None:
    member = {"username": "new@example.com", "name": "New", "role": "owner"}
    edit(small, "domains/shop/product.odps.yaml", lambda data: data.update(team=[member]))
    (found,) = diff(then, small.config)
    assert (found.product, found.ports, found.problems, found.reviews) == ("shop", (), (), 1)
    assert found.changes[0].where == "owner"
    assert found.changes[0].text.endswith("→ New (new@example.com)")
