"""What is older than the build since which a column is hidden is named, and removed from the whole storage."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from kit.build.build import build
from kit.core.errors import MaskError
from kit.governance.classification import check_late
from kit.storage.late_classification import shown_before
from kit.storage.value_search import find_values
from tests.support.findings import pairs
from tests.support.small_mesh import SALES, SmallMesh, write

_PLANTED = "planted@example.com"
KEY = "a key for tests only"


@pytest.fixture
def late(small: SmallMesh) -> SmallMesh:
    """A mesh that published and printed a value, whose column is classified and masked only then."""
    shutil.rmtree(small.domains / "plan")  # another mask is a new major version for its reader
    small.feed_rows([line.replace("tea", _PLANTED) for line in SALES])
    for path in ("shop/contracts/sales", "shop/contracts/totals", "shop/sources/sales"):
        _without_rules(small.domains / f"{path}.odcs.yaml")
    small.publish("shop")
    run = small.config.storage / "runs/shop" / small.store.current("shop").manifest["run_id"]  # type: ignore[union-attr]
    write(run / "notebooks/sales.ipynb", json.dumps({"cells": [_PLANTED]}))
    return small


def _without_rules(path: Path) -> None:
    data = json.loads(path.read_text())
    data["schema"][0].pop("quality", None)
    for column in data["schema"][0]["properties"]:
        if column["name"] == "item":
            column.pop("quality", None)
            column.pop("enum", None)
    path.write_text(json.dumps(data))


def _classify(small: SmallMesh) -> None:
    small.personal_items()
    for path in ("contracts/sales", "contracts/totals"):
        small.mask(f"shop/{path}.odcs.yaml", item="hmac")


def _left(small: SmallMesh) -> set[str]:
    return {place.kind for place in find_values(small.config, [_PLANTED]) if place.kind != "raw data"}


def test_late_classification_reaches_the_whole_storage(late: SmallMesh) -> None:
    assert list(shown_before(late.context)) == []
    assert _left(late) >= {"port", "executed notebook"}
    first = late.store.versions("shop")[0]
    _classify(late)
    [(product, message)] = pairs(check_late(late.context))
    assert (product, message) == (
        "shop", "the published snapshot still shows item, which is personal or masked by now; "
        "`kit run shop --downstream`, then `kit prune --personal`",
    )  # fmt: skip
    for options in ((), ("--dry-run",)):
        early = late.kit("prune", "--personal", *options)
        assert (early.returncode, early.stdout, early.stderr) == (
            1, "", "shop: no snapshot hides item yet: build it with `kit run shop`\n"
        )  # fmt: skip

    late.write_suites("shop")
    outcome = build(replace(late.config, mask_key=KEY), late.product("shop"))
    assert outcome.status == "published", outcome.message
    with pytest.raises(MaskError):
        late.store.rollback("shop", first)
    [(_, message)] = pairs(check_late(late.context))
    assert message == (
        "1 snapshot, 1 run may show values of item, from before it was personal or masked; `kit prune --personal`"
    )
    look = late.kit("prune", "shop", "--personal", "--dry-run")
    assert (look.returncode, look.stdout, look.stderr) == (
        0, "shop: 1 snapshot, 1 run would be deleted, older than the hiding of item\n", ""
    )  # fmt: skip
    assert len(late.store.versions("shop")) == 2
    (removed,) = json.loads(late.kit("prune", "--personal", "--json", check=True).stdout)
    assert (removed["product"], removed["columns"], removed["snapshots"], removed["problem"]) == ("shop", ["item"], [first], "")
    again = late.kit("prune", "--personal")
    assert (again.returncode, again.stdout) == (0, "nothing is left from before a column was classified\n")
    assert _left(late) == set()
    assert list(shown_before(late.context)) == []
    assert late.store.versions("shop") == [outcome.version]


def test_a_column_hidden_from_the_first_snapshot_on_leaves_nothing(small: SmallMesh) -> None:
    small.personal_items()
    small.publish("shop")
    assert list(shown_before(small.context)) == []
    assert small.build("shop", force=True).status == "published"
    assert list(shown_before(small.context)) == []
