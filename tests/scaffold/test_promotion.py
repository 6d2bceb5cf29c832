import json
import os
import subprocess
import sys
from typing import Any

import pytest

from kit.build.build import Outcome, check_due
from kit.build.plan import BuildRequest
from kit.core.errors import KitError
from kit.mesh.context import Context
from kit.scaffold.asset_notebook import to_asset_notebook
from kit.scaffold.changes import FileChange, apply_changes
from kit.scaffold.promotion import Promotion, plan_promotion, promote
from kit.storage.runs import BuildStatus, Runs
from tests.scaffold.test_new import tree
from tests.support.findings import assert_names
from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh, notebook, write

EXPLORED = [
    "import kit\nimport polars as pl\n\ncat = kit.open()",
    "factor = 3  # growth",
    "%load_ext kit\ntotals = cat.read('shop.totals')\nsales = kit.scan('shop.sales').select(pl.len()).collect().item()",
    "best = %sql select max(amount)::double as amount from shop.totals",
    "totals.select('item', amount=pl.col('amount').cast(pl.Float64) * factor)",
]
PATH = "notebooks/explore.ipynb"


@pytest.fixture
def mesh(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> SmallMesh:
    monkeypatch.chdir(small.root)
    explored(small, *EXPLORED)
    return small


def explored(small: SmallMesh, *cells: str) -> None:
    write(small.root / PATH, json.dumps(notebook(list(cells))))


def planned(small: SmallMesh, product: str = "plan", port: str | None = "tripled", frame: str | None = None) -> Promotion:
    return plan_promotion(Context(small.config), PATH, product, port, frame, lambda text: None)


def test_a_plan_shows_all_that_changes_and_writes_nothing(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    before = tree(mesh.root)
    promotion = planned(mesh)
    assert tree(mesh.root) == before
    assert (promotion.port, promotion.reads) == ("plan.tripled", ("shop.totals 1.0.0", "shop.sales 1.0.0"))
    assert [(item.name, item.type, item.default) for item in promotion.parameters] == [("factor", "int", 3)]
    diff = list(promotion.diff())
    start = diff.index("--- notebooks/explore.ipynb")
    assert diff[start : diff.index("--- domains/plan/product.odps.yaml")] == [
        "--- notebooks/explore.ipynb", "+++ domains/plan/notebooks/tripled.ipynb",
        "@@ -4,8 +4,8 @@", " import polars as pl", " ", " cat = kit.open()",
        "-# %%", "-factor = 3  # growth", "+# %% [parameters]", "+factor: int = 3  # growth",
        " # %%", " %load_ext kit", " totals = cat.read('shop.totals')",
        "@@ -13,4 +13,4 @@", " # %%", " best = %sql select max(amount)::double as amount from shop.totals", " # %%",
        "-totals.select('item', amount=pl.col('amount').cast(pl.Float64) * factor)",
        "+kit.output(\"tripled\", totals.select('item', amount=pl.col('amount').cast(pl.Float64) * factor))",
    ]  # fmt: skip
    assert diff[:2] == ["--- /dev/null", "+++ domains/plan/contracts/tripled.odcs.yaml"]
    assert [line.partition("  ")[0] for line in promotion.generated()] == [
        "catalog.yaml", "domains/lineage.svg", "domains/plan/catalog.yaml", "domains/plan/expectations/tripled.json",
        "domains/plan/README.md",
    ]  # fmt: skip
    first = promotion.open_points[0]
    assert (first.product, first.path, first.line) == ("plan", mesh.domains / "plan/contracts/tripled.odcs.yaml", 9)
    assert first.message == "schema.0.description: still to be written (TODO: One row per …)"


@pytest.mark.parametrize(
    ("product", "port", "cells", "says"),
    [
        ("plans", "a", ["1"],
         f"there is no data product 'plans'; did you mean plan? there are: plan, shop. `kit new plans --from {PATH}` makes it"),
        ("x", "a", ["1"], f"there is no data product 'x'; there are: plan, shop. `kit new x --from {PATH}` makes it"),
        ("plan", "forecast", ["1"],
         "'plan.forecast' is made by domains/plan/notebooks/forecast.ipynb, which was never promoted; choose another name with "
         "--port, or replace that notebook with --replace"),
        ("shop", "totals", ["1"], "'shop.totals' is made by a dbt model; choose another name with --port"),
        ("plan", "raw", ["1"], "'raw' cannot name a port; use a-z, 0-9 and _, a letter first, at most 63, not 'raw'"),
        ("shop", "a", ["kit.read('plan.forecast')"], "'plan.forecast' is itself made from 'shop'; products cannot"),
        ("plan", "a", ["kit.read('shop.none')"], "'shop' has no port 'none'; there are: shop.sales, shop.totals"),
        (
            "plan", "a", ["import requests\nkit.read(name)\n!ls", "pl.read_csv('x.csv')"],
            f"{PATH} cannot be an asset as it stands:\n"
            "  cell 2, line 1: imports requests, but an asset reads ports only; bring it in as a source (ingest.py)\n"
            "  cell 2, line 2: computes the name of a port; write it out, as in kit.read('product.port')\n"
            "  cell 2, line 3: '!ls' runs code that cannot be checked; write Python\n"
            "  cell 3, line 1: reads a file, 'x.csv'; make a port of it (kit new NAME --from FILE) and read that",
        ),
        (
            "plan", "a", ["files = !ls\nfiles?", "frame"],
            f"{PATH} cannot be an asset as it stands:\n"
            "  cell 2, line 1: 'files = !ls' runs code that cannot be checked; write Python\n"
            "  cell 2, line 2: 'files?' shows help; delete it",
        ),
        (
            "plan", "a", ["import no_such_module", "frame"],
            f"{PATH} cannot be an asset as it stands:\n  cell 2, line 1: imports 'no_such_module', which is not installed; run "
            "`pip install no_such_module` and add it to pyproject.toml",
        ),
        ("plan", "a", ["kit.read('shop.sales')"], "'shop' has no published snapshot yet; build it with `kit run shop`"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_before_anything_runs(
    mesh: SmallMesh, product: str, port: str, cells: list[str], says: str
) -> None:
    explored(mesh, "import kit", *cells)
    before = tree(mesh.root)
    with pytest.raises(KitError) as caught:
        planned(mesh, product, port)
    assert str(caught.value).startswith(says)
    assert tree(mesh.root) == before


def test_a_product_in_partitions_is_left_to_a_person(mesh: SmallMesh) -> None:
    mesh.partition("plan", "item", keys=["tea"])
    with pytest.raises(KitError, match="'plan' is cut into partitions; a contract drafted from one would not hold for all"):
        planned(mesh)


def test_a_cell_that_fails_is_said_by_the_notebook_that_was_explored(mesh: SmallMesh) -> None:
    explored(mesh, "import kit", "[1, 2]")
    with pytest.raises(KitError) as caught:
        planned(mesh)
    assert_names(caught.value, type(caught.value), f"{PATH}: cell 2", "NotATable", "not a list", "--frame NAME")
    assert not (mesh.domains / "plan/notebooks/tripled.ipynb").exists()


def test_a_build_that_fails_leaves_everything_as_it_was(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    mesh.publish("plan")
    descriptor = mesh.domains / "plan/product.odps.yaml"
    text = descriptor.read_bytes()
    changes = (FileChange.from_file(descriptor, text + b"\n"), FileChange.from_file(mesh.domains / "plan/more/new.txt", b"new"))
    place = mesh.domains / "plan/notebooks/tripled.ipynb"
    promotion = Promotion(mesh.root / PATH, "plan.tripled", place, (), (), to_asset_notebook(mesh.root / PATH), changes, ())
    seen = []

    def fails(now: Context, product: str) -> Outcome:
        seen.append((product, descriptor.read_bytes(), (mesh.domains / "plan/more/new.txt").read_text()))
        return Outcome("plan", BuildStatus.FAILED, 0, message="1 check failed")

    before = tree(mesh.root)
    with pytest.raises(KitError) as caught:
        promote(mesh.config, promotion, fails)
    assert str(caught.value).startswith("1 check failed\nnothing was written")
    assert seen == [("plan", text + b"\n", "new")]
    assert tree(mesh.root) == before
    assert not (mesh.domains / "plan/more").exists()
    record = Runs(mesh.config.storage).last("plan")
    assert record is not None
    assert record.status == "up to date"


@pytest.mark.slow
def test_a_promoted_notebook_is_a_port_and_runs_by_hand_unchanged(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    done = mesh.kit("promote", PATH, "--product", "plan", "--port", "tripled", "--json", check=True)
    told = json.loads(done.stdout)
    assert told["version"] == mesh.store.read_pointer("plan").version
    assert {name: told[name] for name in ("notebook", "port", "reads", "parameters")} == {
        "notebook": str(mesh.root / PATH), "port": "plan.tripled", "reads": ["shop.totals 1.0.0", "shop.sales 1.0.0"],
        "parameters": {"factor": {"type": "int", "default": 3}},
    }  # fmt: skip
    made = mesh.mesh.port("plan.tripled")
    assert (made.notebook, [item.name for item in made.reads]) == (
        mesh.domains / "plan/notebooks/tripled.ipynb", ["shop.totals", "shop.sales"],
    )  # fmt: skip
    with mesh.store.open("plan") as snapshot:
        assert {name: entry["rows"] for name, entry in snapshot.manifest["ports"].items()} == {"forecast": 2, "tripled": 2}
    settled = check_due(mesh.config, mesh.product("plan"), BuildRequest()).outcome
    assert settled is not None
    assert settled.status == "up to date"
    path = mesh.domains / "plan/notebooks/tripled.ipynb"
    before = path.read_bytes()
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--output-dir", str(mesh.root), str(path)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "KIT_ROOT": str(mesh.root)}, timeout=HANG)
    shown = json.loads((mesh.root / "tripled.ipynb").read_text())["cells"][-1]["outputs"][0]["data"]
    assert "A build would publish it." in "".join(shown["text/plain"]).splitlines()[0]
    assert path.read_bytes() == before


def promoted(small: SmallMesh, **how: Any) -> Promotion:
    """Promote the explored notebook and write its files, without a build."""
    promotion = plan_promotion(Context(small.config), PATH, "plan", "tripled", None, lambda text: None, **how)
    apply_changes(promotion.changes)
    return promotion


@pytest.mark.slow
def test_a_notebook_is_promoted_again_with_what_changed(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    first = promoted(mesh)
    assert first.is_draft
    place, contract = first.place, mesh.domains / "plan/contracts/tripled.odcs.yaml"
    before = tree(mesh.root)
    again = promoted(mesh)
    assert (again.is_unchanged, again.changes, again.port, again.reads) == (True, (), "plan.tripled", first.reads)
    assert tree(mesh.root) == before

    mesh.replace("domains/plan/contracts/tripled.odcs.yaml", "TODO: One row per …", "One row per item.")
    explored(mesh, *EXPLORED[:-1], EXPLORED[-1].replace("* factor)", "* factor, more=pl.lit(1))"))
    changed = promoted(mesh)
    diff = list(changed.diff())
    shown = "domains/plan/notebooks/tripled.ipynb"
    start = diff.index(f"--- {shown}")
    assert diff[start + 1] == f"+++ {shown}"
    assert [line[:30] for line in diff[start + 3 :] if line[0] in "+-"] == [
        '-kit.output("tripled", totals.',
        '+kit.output("tripled", totals.',
    ]
    assert "+++ domains/plan/contracts/tripled.odcs.yaml" in diff
    assert "One row per item." in contract.read_text()
    assert "name: more" in contract.read_text()
    assert any("more" in str(point) or "classification" in str(point) for point in changed.open_points)
    assert promoted(mesh).is_unchanged

    explored(mesh, *EXPLORED[:-1], "totals.select('item')")
    with pytest.raises(KitError) as caught:
        promoted(mesh)
    text = str(caught.value)
    assert text.startswith("the table does not fit the contract of the port; change the contract or the notebook first:\n")
    assert "domains/plan/contracts/tripled.odcs.yaml" in text
    assert "the data has no column amount" in text
    assert place.is_file()


@pytest.mark.slow
def test_what_a_person_edited_is_not_replaced_unasked(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    place = promoted(mesh).place
    place.write_text(place.read_text().replace("growth", "growth by hand"))
    explored(mesh, *EXPLORED[:-1], EXPLORED[-1].replace("* factor", "* 2"))
    with pytest.raises(KitError) as caught:
        promoted(mesh)
    assert str(caught.value) == (
        f"domains/plan/notebooks/tripled.ipynb was edited after its promotion; carry the edits over into {PATH}, then replace "
        "it with --replace"
    )
    assert not promoted(mesh, replace_edited=True).is_unchanged
    other = mesh.root / "notebooks/other.ipynb"
    other.write_text((mesh.root / PATH).read_text().replace("* 2", "* 5"))
    with pytest.raises(KitError, match=f"which was promoted from {PATH}; choose another name with --port"):
        plan_promotion(Context(mesh.config), str(other), "plan", "tripled", None, lambda text: None)
    with pytest.raises(KitError, match=r"makes 'plan.tripled' already; edit it there, and build it with `kit run plan`"):
        plan_promotion(Context(mesh.config), str(place), "plan", None, None, lambda text: None)


@pytest.mark.slow
def test_what_it_installs_is_to_be_declared(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    explored(mesh, "%pip install -q polars 'no-such-package==1.1'", "!pip install polars", *EXPLORED)
    promotion = planned(mesh)
    assert not any("install" in line for line in promotion.asset.after)
    told = [str(point) for point in promotion.open_points if "install" in str(point)]
    assert told == [
        f"{PATH}: cell 1, line 1: `%pip install -q polars 'no-such-package==1.1'` is left out, since no build installs "
        "packages; add 'no-such-package==1.1' to the dependencies in pyproject.toml"
    ]


def test_a_draft_of_another_product_is_no_input(mesh: SmallMesh) -> None:
    mesh.replace("domains/shop/contracts/totals.odcs.yaml", '"status": "active"', '"status": "draft"')
    with pytest.raises(KitError) as caught:
        planned(mesh)
    assert str(caught.value) == (
        "'shop.totals' is draft, not yet offered to other products; ask shop owner (o@example.com) to finish its contract and "
        "write 'status: active' there"
    )
