import os
import subprocess
import sys

import click
import pytest
import typer

from kit.cli.options import complete_offered, complete_ports
from tests.support.small_mesh import SmallMesh


def test_names_are_completed(small: SmallMesh) -> None:
    shell = {"_KIT.CLI_COMPLETE": "", "_PYTHON _M KIT.CLI_COMPLETE": ""}
    code = (
        "from kit.cli.options import complete_products, complete_ports; print((complete_products('s'), complete_ports('plan')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=small.root, capture_output=True, text=True, check=True, env={**os.environ, **shell}
    )
    assert eval(done.stdout) == (
        [("shop", ""), ("shop.sales", ""), ("shop.totals", "")], [("plan.forecast", "")],
    )  # fmt: skip


def test_a_draft_is_completed_with_its_status_and_not_as_an_input(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.replace("domains/shop/contracts/totals.odcs.yaml", '"status": "active"', '"status": "draft"')
    monkeypatch.chdir(small.root)
    assert complete_ports("shop.") == [("shop.sales", ""), ("shop.totals", "draft, not yet offered to other products")]
    for target, offered in (("plan.more", ["shop.sales"]), ("shop.more", ["shop.sales", "shop.totals"])):
        context = typer.Context(click.Command("new"))
        context.params = {"target": target}
        assert [name for name, _ in complete_offered(context, "shop.")] == offered
