import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from kit.core.errors import AuditFailed, KitError, NotPublished, UnknownName
from kit.notebooks import asset
from kit.storage import snapshot_lock
from tests.support.kernels import in_kernel
from tests.support.limits import HANG
from tests.support.small_mesh import FORECAST, SmallMesh


@pytest.fixture
def plan(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> SmallMesh:
    """The small mesh, seen from the folder of plan's notebooks, as a kernel started by hand sees it."""
    monkeypatch.chdir(small.domains / "plan" / "notebooks")
    monkeypatch.setattr(snapshot_lock, "_held", set())
    yield small  # type: ignore[misc]
    for lease in snapshot_lock._held:
        lease.close()


FRAME = pl.DataFrame({"item": ["cake", "tea"], "amount": [1.0, 2.0]})


def test_by_hand_inputs_are_the_current_snapshots(plan: SmallMesh) -> None:
    version = plan.publish("shop")
    inputs = asset.inputs()
    assert inputs.versions == {"shop.totals": version}
    assert inputs.read("shop.totals")["item"].to_list() == ["cake", "tea"]
    assert isinstance(inputs.scan("shop.totals"), pl.LazyFrame)


def test_inputs_stay_what_they_were_while_the_provider_moves_on(plan: SmallMesh) -> None:
    plan.publish("shop")
    inputs = asset.inputs()
    before = inputs.read("shop.totals")
    plan.replace("feed/sales.csv", "1,tea,1.50,", "1,tea,9.50,")
    plan.publish("shop")
    plan.store.prune("shop", 1)
    assert inputs.read("shop.totals").equals(before)


def test_only_declared_inputs_can_be_read(plan: SmallMesh) -> None:
    plan.publish("shop")
    with pytest.raises(UnknownName) as error:
        asset.inputs().read("shop.sales")
    assert str(error.value) == ("'shop.sales' is no declared input; there are: shop.totals. Declare it in product.odps.yaml")


def test_an_input_without_a_snapshot_says_what_to_run(plan: SmallMesh) -> None:
    with pytest.raises(NotPublished) as error:
        asset.inputs()
    assert str(error.value) == "'shop' has no published snapshot yet; build it with `kit run shop`"


def test_by_hand_the_output_is_checked_and_shown_not_published(plan: SmallMesh) -> None:
    plan.publish("shop")
    preview = asset.output("forecast", FRAME)
    assert preview is not None
    assert preview.passed
    verdict = "plan.forecast: 2 rows, 6 of 6 checks passed. A build would publish it."
    assert repr(preview).startswith(verdict)
    html = preview._repr_html_()
    assert verdict in html
    assert "<td>2.0</td>" in html
    assert plan.store.current("plan") is None


def test_by_hand_a_bad_output_is_shown_with_its_rows(plan: SmallMesh) -> None:
    plan.publish("shop")
    preview = asset.output("forecast", FRAME.with_columns(amount=pl.lit(-1.0)))
    assert preview is not None
    assert not preview.passed
    assert "A build would refuse it." in repr(preview)
    assert "row:      item=cake, amount=-1.0" in preview._repr_html_()


def test_a_bad_output_ends_a_notebook_whose_verdict_nobody_sees(plan: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    plan.publish("shop")
    in_kernel(monkeypatch, attended=False)
    assert asset.output("forecast", FRAME).passed
    with pytest.raises(
        AuditFailed, match=r"^plan\.forecast: 2 rows, 5 of 6 checks passed\. A build would refuse it\.\nfailed "
    ):
        asset.output("forecast", FRAME.with_columns(amount=-pl.col("amount")))


def test_a_kernel_is_in_the_domain_of_its_notebook_else_of_its_folder(
    plan: SmallMesh, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plan.publish("shop")
    own, other = plan.domains / "plan/notebooks/a.ipynb", plan.domains / "shop/notebooks/b.ipynb"
    for folder in (plan.root, plan.domains / "shop", tmp_path_factory.mktemp("outside")):
        monkeypatch.chdir(folder)
        in_kernel(monkeypatch, session=own)
        assert list(asset.inputs().files) == ["shop.totals"]
        assert asset.output("forecast", FRAME).checks
    in_kernel(monkeypatch, session=other)
    monkeypatch.chdir(own.parent)
    with pytest.raises(UnknownName, match="'shop' has no notebook port 'forecast'; there are: none"):
        asset.output("forecast", FRAME)
    in_kernel(monkeypatch, session=plan.root / "notebooks/explore.ipynb")
    assert list(asset.inputs().files) == ["shop.totals"]


def test_an_output_with_other_columns_is_refused(plan: SmallMesh) -> None:
    plan.publish("shop")
    with pytest.raises(KitError) as error:
        asset.output("forecast", FRAME.with_columns(amount=pl.lit(1), more=pl.lit(1.0)))
    assert str(error.value) == (
        "'plan.forecast' breaks its contract: column 'more' (double) is not in the contract; "
        "column 'amount' is integer, the contract says double"
    )


def test_an_output_that_is_no_port_is_refused(plan: SmallMesh) -> None:
    with pytest.raises(UnknownName) as error:
        asset.output("forecasts", FRAME)
    assert str(error.value) == "'plan' has no notebook port 'forecasts'; did you mean forecast? there are: forecast"


def test_outside_a_domain_folder_there_are_no_inputs(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    with pytest.raises(KitError) as error:
        asset.inputs()
    assert str(error.value) == f"{small.root} lies in no domain folder; keep asset notebooks in domains/<product>/notebooks/"


def test_outside_a_domain_folder_the_output_is_only_shown(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    made = asset.output("forecast", FRAME)
    assert made is not None
    assert made.verdict() == (
        "forecast: 2 rows. Nothing was checked: this notebook lies in no domain folder, and plan.forecast is made elsewhere; "
        "`kit run` builds it"
    )
    preview = asset.output("prediction", FRAME)
    assert preview is not None
    assert not preview.passed
    verdict = "prediction: 2 rows. No product makes this port yet: kit promote NOTEBOOK --product PRODUCT --port prediction"
    assert repr(preview).startswith(f"{verdict}\nshape: (2, 2)")
    assert f"<b>{verdict}</b>" in preview._repr_html_()


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (FRAME.lazy(), "kit.output takes a polars or pandas DataFrame, not a LazyFrame; collect() it first"),
        (FRAME["item"], "kit.output takes a polars or pandas DataFrame, not a Series; to_frame() it first"),
        (42, "kit.output takes a polars or pandas DataFrame, not a int; make it one"),
        (
            FRAME.to_pandas().groupby("item").sum(),
            "the index of the frame holds item, which a port would lose; reset_index() first",
        ),
    ],
)
def test_what_is_no_plain_frame_is_refused(frame: object, says: str) -> None:
    with pytest.raises(KitError) as error:
        asset.output("forecast", frame)
    assert str(error.value) == says


def test_a_pandas_frame_is_taken_too(plan: SmallMesh) -> None:
    plan.publish("shop")
    preview = asset.output("forecast", FRAME.to_pandas())
    assert preview is not None
    assert preview.passed


def test_the_same_notebook_runs_unchanged_by_hand(small: SmallMesh, tmp_path: Path) -> None:
    """With a plain Jupyter client, no build and nothing of the kit around it."""
    small.publish("shop")
    path = small.domains / "plan/notebooks/forecast.ipynb"
    before = path.read_bytes()
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--output-dir", str(tmp_path), str(path)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "KIT_ROOT": str(small.root)}, timeout=HANG)
    shown = json.loads((tmp_path / "forecast.ipynb").read_text())["cells"][len(FORECAST)]["outputs"][0]["data"]
    assert "".join(shown["text/plain"]).startswith("plan.forecast: 2 rows, 6 of 6 checks passed. A build would publish it.")
    assert path.read_bytes() == before
    assert small.store.current("plan") is None
