import json
import os
import subprocess
import sys
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from kit.cli.diff_text import MARK
from kit.cli.main import app
from tests.conftest import ROOT
from tests.governance.test_diff import TOTALS, drop_amount, edit
from tests.support.repository import commit_all
from tests.support.small_mesh import SmallMesh

WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/contracts.yml").read_text())


@pytest.fixture
def dropped(small: SmallMesh) -> SmallMesh:
    """A work tree that drops a column of a port since the last commit."""
    commit_all(small)
    edit(small, TOTALS, drop_amount)
    return small


def test_a_diff_fails_until_the_versions_are_bumped(dropped: SmallMesh) -> None:
    done = dropped.kit("diff")
    assert done.returncode == 1
    assert done.stdout.splitlines()[:2] == [
        "shop.totals  1.0.0, must be 2.0.0",
        "  major   column amount  dropped",
    ]
    (product,) = json.loads(dropped.kit("diff", "--json", "--against", "HEAD").stdout)
    assert product["product"] == "shop"
    (port,) = product["ports"]
    assert (port["old"], port["new"], port["wanted"]) == ("1.0.0", "1.0.0", "2.0.0")
    assert port["changes"][0] == {
        "where": "column amount", "text": "dropped", "verdict": "major", "columns": ["amount"],
    }  # fmt: skip
    assert port["consumers"] == [
        {
            "name": "plan", "owner": "plan owner", "contact": "o@example.com", "notebooks": ["forecast"],
            "columns": ["amount"], "hit": True,
        }
    ]  # fmt: skip


def test_a_review_fails_only_with_strict(small: SmallMesh) -> None:
    commit_all(small)
    edit(small, TOTALS, lambda data: data.update(price={"priceAmount": 3}, version="1.0.1"))
    edit(small, "domains/shop/product.odps.yaml", lambda data: data.update(version="1.0.1"))
    edit(small, "domains/shop/product.odps.yaml", lambda data: data["outputPorts"][1].update(version="1.0.1"))
    runner = CliRunner(env={"KIT_ROOT": str(small.root)})
    assert [runner.invoke(app, arguments).exit_code for arguments in (["diff"], ["diff", "--strict"])] == [0, 1]


def test_the_workflow_fails_with_the_diff_and_keeps_its_words(dropped: SmallMesh) -> None:
    steps = {step["name"]: step for step in WORKFLOW["jobs"]["diff"]["steps"] if "name" in step}
    kit = dropped.root / ".venv/bin/kit"
    kit.parent.mkdir(parents=True)
    kit.write_text(f'#!/bin/sh\nexec {sys.executable} -m kit "$@"\n')
    kit.chmod(0o755)
    summary = dropped.root / "summary.md"
    given = {**os.environ, "BASE": "main", "GITHUB_STEP_SUMMARY": str(summary)}
    done = subprocess.run(["bash", "-e", "-c", steps["compare"]["run"]], cwd=dropped.root, env=given, check=False)
    assert done.returncode == 1
    assert summary.read_text() == (dropped.root / "contracts.md").read_text()
    assert summary.read_text().startswith(f"{MARK}\n### Contracts\n\n**2 problems to fix.**\n")


def test_the_job_that_may_write_to_a_pull_request_runs_no_code_of_it() -> None:
    assert WORKFLOW[True] == {"pull_request": None}  # YAML reads `on` as true
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in WORKFLOW["jobs"]["diff"]
    comment = WORKFLOW["jobs"]["comment"]
    assert comment["permissions"] == {"pull-requests": "write"}
    assert "github.event.pull_request.head.repo.full_name == github.repository" in comment["if"]
    assert [step.get("uses") for step in comment["steps"]] == ["actions/download-artifact@v4", None]
    assert MARK in comment["steps"][1]["run"]
    assert "No contract has changed" in comment["steps"][1]["run"]
    for job in WORKFLOW["jobs"].values():
        assert not [step["run"] for step in job["steps"] if "${{" in step.get("run", "")]


def test_check_finds_problems_without_a_build(small: SmallMesh) -> None:
    verdict, _, card = small.kit("check").stdout.partition("\n\n")
    assert verdict == "2 data products, 3 ports: nothing wrong"
    assert [line.split() for line in card.splitlines()[:3]] == [
        ["in", "%", "discover", "address", "understand", "trust", "access", "interop", "value", "secure"],
        ["shop", "75", "n/a", "33", "100", "n/a", "100", "50", "50"],
        ["plan", "75", "n/a", "40", "100", "n/a", "100", "0", "50"],
    ]
    small.replace("domains/shop/expectations/sales.extra.json", '"expectations"', '"expectation"')
    (small.domains / "shop/contracts/lost.odcs.yaml").write_text("{}")
    path = small.domains / "plan/notebooks/forecast.ipynb"
    data = json.loads(path.read_text())
    data["cells"][1]["execution_count"] = 3
    data["metadata"]["kernelspec"]["name"] = "julia"
    data["cells"][-1]["source"] = "1"
    path.write_text(json.dumps(data))
    done = small.kit("check", "--json")
    assert done.returncode == 1
    assert [item["problem"] for item in json.loads(done.stdout)["problems"]] == [
        "domains/shop/expectations/sales.extra.json: must hold a suite with a non-empty list 'expectations'",
        "domains/shop/contracts/lost.odcs.yaml: belongs to nothing in product.odps.yaml; declare it there or delete the file",
        "domains/plan/notebooks/forecast.ipynb: its kernel is 'julia'; notebooks use 'python3'",
        "domains/plan/notebooks/forecast.ipynb: cell 2 holds outputs; clear them before you commit "
        "(Edit, Clear Outputs of All Cells)",
        'domains/plan/notebooks/forecast.ipynb: never calls kit.output("forecast", frame)',
    ]


def test_doctor_names_problems_and_their_fix(small: SmallMesh) -> None:
    version = small.publish("shop")
    assert small.kit("doctor").returncode == 0
    lost = small.store.snapshot("shop", version).files("sales")[0]
    lost.unlink()
    done = small.kit("doctor", "--json", KIT_STORAGE="/proc/nowhere")
    assert done.returncode == 1
    assert {item["what"]: item["fix"] for item in json.loads(done.stdout) if item["fix"]} == {
        "storage": "make the folder writable, or set storage in [tool.kit]"
    }
    findings = {item["what"]: item for item in json.loads(small.kit("doctor", "--json").stdout) if item["fix"]}
    assert findings == {
        "data of shop": {
            "what": "data of shop",
            "seen": f"snapshot {version} is damaged: sales/{lost.name} is missing",
            "fix": "build again with `kit run shop --force`, or roll back with `kit rollback shop VERSION`",
            "severity": "error",
        }
    }


def test_a_proposal_is_printed_and_fails_nothing(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    policy = "[tool.kit.policy]\nowner_email = false\nclassified = false\nkeys = false\nservice_levels = []\n"
    policy += 'names = {port = "mart_.*"}\n'
    with (small.root / "pyproject.toml").open("a") as file:
        file.write(policy)
    done = CliRunner().invoke(app, ["check"])
    assert (done.exit_code, done.exception) == (0, None), done.stdout
    assert "2 data products, 3 ports: nothing wrong, 3 proposals" in done.stdout
    with (small.root / "pyproject.toml").open("a") as file:
        file.write('other_names = {"*" = "named before there was a policy"}\n')
    assert "2 data products, 3 ports: nothing wrong\n" in CliRunner().invoke(app, ["check"]).stdout
