import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pytest
import typer.main

from kit.cli.console import print_rows
from kit.cli.main import app, main
from kit.core.version import __version__
from tests.support.small_mesh import SALES, SmallMesh

COMMANDS = [
    "run",
    "dev",
    "lab",
    "status",
    "check",
    "history",
    "rollback",
    "prune",
    "read",
    "doctor",
    "report",
    "sync",
    "diff",
    "contract",
    "new",
    "promote",
    "notebook",
]


def test_there_is_a_command_for_each_thing_and_each_has_help() -> None:
    group = typer.main.get_command(app)
    assert sorted(group.commands) == sorted(COMMANDS)  # type: ignore[attr-defined]
    for command in group.commands.values():  # type: ignore[attr-defined]
        assert command.help
        assert all(getattr(parameter, "help", "") for parameter in command.params), command.name


def test_the_version_is_printed_anywhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kit", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"kit {__version__}\n"


def test_help_tells_the_exit_codes(small: SmallMesh) -> None:
    out = " ".join(small.kit("--help", COLUMNS="200").stdout.split())
    assert "Exit codes: 0 done, 1 something failed or is wrong, 2 wrong usage, 130 interrupted." in out


@pytest.mark.parametrize("command", [["sync"], ["contract", "draft", "shop.lines", "--file", "rows.parquet", "--write"]])
def test_a_folder_that_cannot_be_written_is_one_sentence(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.chdir(small.root)
    (small.domains / "shop/catalog.yaml").unlink()
    duckdb.sql("copy (select 1 as id) to 'rows.parquet'")
    opened = Path.open

    def read_only(path: Path, mode: str = "r", **options: Any) -> Any:
        if "w" in mode and path.is_relative_to(small.domains):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, mode, **options)

    monkeypatch.setattr(Path, "open", read_only)
    monkeypatch.setattr(sys, "argv", ["kit", *command])
    with pytest.raises(SystemExit) as end:
        main()
    folder = "domains/shop" if command == ["sync"] else "domains/shop/contracts"
    assert (end.value.code, capsys.readouterr().err) == (
        1, f"error: {folder}: a file there cannot be read or written: Read-only file system\n",
    )  # fmt: skip


def test_a_whole_working_day(small: SmallMesh) -> None:
    """Build, look, read, break, repair, go back, clean up: what each command prints and exits with."""
    done = small.kit("run")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "2 data products: shop, plan"
    assert [line.split()[:2] for line in lines if " published " in line] == [
        ["shop", "published"],
        ["plan", "published"],
    ]
    assert any(
        line.split()[:3] == ["shop", "sales", "shop"] and "of 1 d, data 1 d of 2 d" in line.replace("\N{NO-BREAK SPACE}", " ")
        for line in lines
    )
    start = lines.index("Three things to try next")
    assert [line for line in lines[start + 1 :] if "activate" not in line] == [
        "  kit read plan.forecast",
        '  kit read shop.totals --sql "select count(*) as n from totals"',
        "  edit domains/shop/models/marts/totals.sql, then: kit run shop --downstream",
    ]

    rows = json.loads(small.kit("status", "--json").stdout)
    assert [(row["port"], row["state"], row["rows"], row["latency_hours"]) for row in rows] == [
        ("sales", "fresh", 30, 48.0),
        ("totals", "fresh", 2, None),
        ("forecast", "fresh", 2, None),
    ]
    assert rows[0]["data_age_hours"] == 24.0

    assert small.kit("read", "shop.totals").stdout.splitlines()[:3] == ["item  amount", "cake  170.00", "tea   310.00"]
    query = "select sum(amount) as total from totals"
    assert json.loads(small.kit("read", "shop.totals", "--sql", query, "--json").stdout) == [{"total": "480.00"}]

    small.feed_rows(SALES[:4])
    failed = small.kit("run", "shop", "--downstream")
    assert failed.returncode == 1
    assert "failed  raw.sales: rows: rows are between 20 and 100  (contract)\n        observed: 3\n" in failed.stderr
    assert " up to date " in next(line for line in failed.stdout.splitlines() if line.split()[0] == "plan")
    status = small.kit("status")
    assert "shop: last build failed: 'shop': 2 checks failed, nothing was published" in status.stdout

    small.feed_rows([row.replace("3.50", "4.50") for row in SALES])
    outcomes = json.loads(small.kit("run", "--json").stdout)
    assert [(outcome["product"], outcome["status"]) for outcome in outcomes] == [("shop", "published"), ("plan", "published")]

    history = json.loads(small.kit("history", "shop.totals", "--json").stdout)
    assert [entry["current"] for entry in history] == [True, False]
    back = small.kit("rollback", "shop", history[1]["version"])
    assert back.returncode == 0
    assert back.stdout.startswith(f"shop now serves {history[1]['version']}, published ")
    assert json.loads(small.kit("read", "shop.totals", "--json").stdout)[0] == {"item": "cake", "amount": "170.00"}
    new = json.loads(small.kit("read", "shop.totals", "--version", history[0]["version"], "--json").stdout)[0]
    assert new == {"item": "cake", "amount": "171.00"}

    pruned = small.kit("prune", "--keep", "1")
    assert pruned.stdout.splitlines() == [
        f"shop: 0 snapshots deleted; kept {history[1]['version']}, it is current",
        "plan: 1 snapshots deleted",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "shops"], 1, "error: there is no data product 'shops'; there are: plan, shop"),
        (["run", "shop.total"], 1, "error: 'shop' has no port 'total'; there are: shop.sales, shop.totals"),
        (["read", "plan.forecast"], 1, "error: 'plan' has no published snapshot yet; build it with `kit run plan`"),
        (["history", "plan.nothing"], 1, "error: 'plan' has no port 'nothing'; there are: plan.forecast"),
        (["rollback", "plan", "x"], 1, "error: 'plan' has no snapshot 'x'; there are: none"),
        (["rollback", "nobody", "x"], 1, "error: there is no data product 'nobody'; there are: plan, shop"),
        (["run", "-p", "horizon"], 2, "'horizon' is not NAME=VALUE"),
        (["prune", "--keep", "0"], 2, "Invalid value for '--keep'"),
        (["prune"], 2, "Missing option '--keep'"),
        (["fly"], 2, "No such command 'fly'"),
    ],
)
def test_wrong_use_is_one_message_and_an_exit_code(small: SmallMesh, arguments: list[str], code: int, says: str) -> None:
    done = small.kit(*arguments, COLUMNS="200")
    assert done.returncode == code
    assert says in " ".join(done.stderr.replace("│", "").split())
    assert "Traceback" not in done.stderr


def test_outside_a_mesh_it_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    command = [sys.executable, "-m", "kit", "status"]
    done = subprocess.run(command, cwd=empty, capture_output=True, text=True, check=False, env={**os.environ, "KIT_ROOT": ""})
    assert done.returncode == 1
    assert done.stderr == (
        f"error: no data mesh found in {empty} or above it; go into a clone (its pyproject.toml has a [tool.kit] table) "
        "or set KIT_ROOT to one\n"
    )


def test_a_query_that_fails_is_one_message(small: SmallMesh) -> None:
    small.publish("shop")
    done = small.kit("read", "shop.totals", "--sql", "select nothing from totals")
    assert done.returncode == 1
    assert done.stderr.startswith('error: the query failed: Binder Error: Referenced column "nothing" not found')
    assert small.kit("read", "shop.totals", "--sql", "drop table totals").returncode == 1


def test_a_broken_domain_is_shown_everywhere_and_stops_nobody(small: SmallMesh) -> None:
    (small.domains / "bad").mkdir()
    (small.domains / "bad" / "product.odps.yaml").write_text("kind: DataProduct\nkind: Again\n")
    message = "domains/bad/product.odps.yaml:2: the key 'kind' stands twice; keep one"
    run = small.kit("run")
    assert run.returncode == 1
    assert f"bad is broken: {message}" in run.stderr
    assert " published " in run.stdout
    check = small.kit("check")
    assert (check.returncode, check.stdout.partition("\n\n")[0]) == (1, f"bad: {message}")
    assert f"bad: {message}" in small.kit("status").stdout
    assert message in small.kit("doctor").stdout
    named = small.kit("run", "bad")
    assert (named.returncode, named.stderr) == (1, f"error: the data product 'bad' is broken: {message}\n")
    assert small.kit("run", "shop").returncode == 0
    assert small.kit("read", "shop.totals").returncode == 0


def test_check_finds_what_needs_no_build(small: SmallMesh) -> None:
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


def test_selection_downstream_and_upstream(small: SmallMesh) -> None:
    outcomes = json.loads(small.kit("run", "plan.forecast", "--upstream", "--json").stdout)
    assert [outcome["product"] for outcome in outcomes] == ["shop", "plan"]
    outcomes = json.loads(small.kit("run", "shop", "--downstream", "--json").stdout)
    assert [(outcome["product"], outcome["status"]) for outcome in outcomes] == [("shop", "up to date"), ("plan", "up to date")]


def test_a_parameter_nobody_declares_is_refused(small: SmallMesh) -> None:
    small.publish("shop")
    done = small.kit("run", "plan", "-p", "horizon=3")
    assert done.returncode == 1
    assert done.stderr == "error: no notebook of plan has a parameter 'horizon'\n"


def test_a_second_build_at_the_same_time_is_told_who_is_at_it(small: SmallMesh) -> None:
    with small.store.build_lock("shop"):
        done = small.kit("run", "shop")
    assert done.returncode == 1
    assert done.stderr == f"'shop' is being built by process {os.getpid()}; wait for it, or stop it and run again\n"


def test_doctor_names_what_is_wrong_and_the_fix(small: SmallMesh) -> None:
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
        "snapshot shop": {
            "what": "snapshot shop",
            "seen": f"1 files are missing, first {lost}",
            "fix": "build it anew with `kit run shop --force`",
            "severity": "error",
        }
    }


def test_names_are_completed(small: SmallMesh) -> None:
    shell = {"_KIT.CLI_COMPLETE": "", "_PYTHON _M KIT.CLI_COMPLETE": ""}
    code = (
        "from kit.cli.options import complete_products, complete_ports; print(complete_products('s'), complete_ports('plan'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=small.root, capture_output=True, text=True, check=True, env={**os.environ, **shell}
    )
    assert done.stdout == "['shop', 'shop.sales', 'shop.totals'] ['plan.forecast']\n"


def test_an_interrupted_build_exits_130_and_the_next_one_works(small: SmallMesh) -> None:
    small.notebook("plan", "forecast", ["import time; time.sleep(60)", "import kit; kit.output('forecast', 1)"])
    small.publish("shop")
    command = [sys.executable, "-m", "kit", "run", "plan"]
    process = subprocess.Popen(command, cwd=small.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    kernels: list[psutil.Process] = []
    deadline = time.monotonic() + 60
    while not kernels and time.monotonic() < deadline:
        time.sleep(0.2)
        children = psutil.Process(process.pid).children(recursive=True)
        kernels = [child for child in children if "ipykernel_launcher" in " ".join(child.cmdline())]
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip().endswith("interrupted; readers keep the snapshots they had")
    assert kernels
    assert psutil.wait_procs(kernels, timeout=10)[1] == []
    assert small.build("shop").status == "up to date"


def test_text_of_the_data_is_shown_as_it_is(small: SmallMesh) -> None:
    small.publish("shop")
    done = small.kit("read", "shop.totals", "--sql", "select '[red] [/x] :smile:' as \"[b]\" -- a comment;\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["[b]               ", "[red] [/x] :smile:"]


def test_parameters_go_to_those_that_declare_them(small: SmallMesh) -> None:
    outcomes = json.loads(small.kit("run", "-p", "factor=3", "--json").stdout)
    assert [(outcome["product"], outcome["status"]) for outcome in outcomes] == [("shop", "published"), ("plan", "published")]
    assert json.loads(small.kit("read", "plan.forecast", "--json").stdout)[0] == {"item": "cake", "amount": 510.0}


def test_storage_that_cannot_be_written_is_one_message(small: SmallMesh) -> None:
    done = small.kit("run", "shop", KIT_STORAGE="/proc/nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith("error: the storage cannot be written: /proc/nowhere/dagster: ")
    assert "Traceback" not in done.stderr


def test_history_of_a_port_that_does_not_exist_is_refused(small: SmallMesh) -> None:
    small.publish("shop")
    done = small.kit("history", "shop.typo")
    assert (done.returncode, done.stderr) == (1, "error: 'shop' has no port 'typo'; there are: shop.sales, shop.totals\n")


def test_an_interrupt_during_dbt_stops_the_run(small: SmallMesh) -> None:
    promised = "sale_id + 0 * slow.n as sale_id, item, amount, sold_on"
    small.replace("domains/shop/models/marts/sales.sql", "select *", f"select {promised}")
    slow = "cross join (select count(*) as n from range(100000) a, range(10000000) b where a.range + b.range < 0) slow"
    small.replace("domains/shop/models/marts/sales.sql", "order by", f"{slow} order by")
    command = [sys.executable, "-m", "kit", "run"]
    process = subprocess.Popen(command, cwd=small.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(small.config.storage.glob("runs/shop/*/dbt/manifest.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, out + err
    assert "plan" not in [line.split()[0] for line in out.splitlines()[1:] if line]


def test_doctor_names_the_snapshots_of_a_domain_that_is_gone(small: SmallMesh) -> None:
    import shutil

    small.publish("shop")
    small.publish("plan")
    shutil.rmtree(small.domains / "plan")
    small.kit("sync", check=True)
    findings = [item for item in json.loads(small.kit("doctor", "--json").stdout) if item["fix"]]
    folder = small.store.folder("plan")
    assert findings == [
        {
            "what": "snapshots of plan",
            "seen": "there is no such domain",
            "fix": f"delete {folder} when nobody reads it any more, or bring back domains/plan",
            "severity": "error",
        }
    ]


def test_beside_long_texts_the_short_ones_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(["row_number", "rule", "payload"], [(1, "r" * 40, "p" * 300), (2, "", "q" * 30)])
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["row_number", "rule", "payload"]
    assert first.split() == ["1", "r" * 40, f"{'p' * 71}…"]
    assert second.split() == ["2", "q" * 30]
