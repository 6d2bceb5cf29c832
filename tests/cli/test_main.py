import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
import typer.main

from kit.cli.main import app, main
from kit.core.version import __version__
from kit.storage.runs import current_user
from tests.support.ending import heed_hangups
from tests.support.limits import HANG
from tests.support.small_mesh import SALES, SmallMesh

COMMANDS = [
    "run",
    "worker",
    "dev",
    "lab",
    "status",
    "check",
    "history",
    "rollback",
    "prune",
    "erase",
    "read",
    "doctor",
    "report",
    "sync",
    "verify",
    "diff",
    "contract",
    "new",
    "promote",
    "notebook",
    "export",
    "source",
    "serve",
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


def test_help_lists_the_exit_codes(small: SmallMesh) -> None:
    out = " ".join(small.kit("--help", COLUMNS="200").stdout.split())
    assert (
        "Exit codes: 0 done, 1 something failed or is wrong, 2 wrong usage or nothing to compare with, 130 interrupted." in out
    )


@pytest.mark.parametrize("command", [["sync"], ["contract", "draft", "shop.lines", "--file", "rows.parquet", "--write"]])
def test_a_folder_that_cannot_be_written_is_one_message(
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
        1,
        f"error: {folder}: the file system is read-only; make it writable, or set `storage` in [tool.kit] to another folder\n",
    )


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
    assert "shop: last build failed: 'shop': 3 checks failed, nothing was published" in status.stdout

    small.feed_rows([row.replace("3.50", "4.50") for row in SALES])
    outcomes = json.loads(small.kit("run", "--json").stdout)
    assert [(outcome["product"], outcome["status"]) for outcome in outcomes] == [("shop", "published"), ("plan", "published")]

    history = json.loads(small.kit("history", "shop.totals", "--json").stdout)
    assert [entry["current"] for entry in history] == [True, False]
    back = small.kit("rollback", "shop", "-1", "--reason", "4.50 is\nwrong")
    assert back.returncode == 0
    assert back.stdout.startswith(f"shop now serves {history[1]['version']}, published ")
    assert json.loads(small.kit("read", "shop.totals", "--json").stdout)[0] == {"item": "cake", "amount": "170.00"}
    move = json.loads(small.kit("history", "shop.totals", "--json").stdout)[0]
    assert (move["event"], move["version"], move["source"]) == ("rollback", history[1]["version"], history[0]["version"])
    assert (move["user"], move["reason"]) == (current_user(), "4.50 is wrong")
    told = f"rolled back from {history[0]['version']} by {current_user()} at "
    for command in (("history", "shop.totals"), ("status",)):
        assert told in (text := small.kit(*command).stdout) and "UTC: 4.50 is wrong" in text
    new = json.loads(small.kit("read", "shop.totals", "--version", history[0]["version"], "--json").stdout)[0]
    assert new == {"item": "cake", "amount": "171.00"}

    pruned = small.kit("prune", "--keep", "1")
    assert pruned.stdout.splitlines() == [
        f"shop: 0 snapshots, 1 raw file deleted; kept {history[1]['version']}, it is current",
        "plan: 1 snapshot, 1 run deleted",
        "3 runs of Dagster deleted",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "shops"], 1, "error: there is no data product 'shops'; did you mean shop? there are: plan, shop"),
        (
            ["run", "shop.total"],
            1,
            "error: 'shop' has no port 'total'; did you mean shop.totals? there are: shop.sales, shop.totals",
        ),
        (["read", "plan.forecast"], 1, "error: 'plan' has no published snapshot yet; build it with `kit run plan`"),
        (["history", "plan.nothing"], 1, "error: 'plan' has no port 'nothing'; there are: plan.forecast"),
        (["rollback", "plan", "x"], 1, "error: 'plan' has no snapshot 'x'; write a version or its beginning"),
        (["rollback", "shop.sales", "-1"], 1, "error: 'sales' moves with all ports of its product: `kit rollback shop -1`"),
        (["rollback", "nobody.sales", "x"], 1, "error: there is no data product 'nobody"),
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


def test_outside_a_mesh_the_error_names_the_remedy(tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    command = [sys.executable, "-m", "kit", "status"]
    done = subprocess.run(command, cwd=empty, capture_output=True, text=True, check=False, env={**os.environ, "KIT_ROOT": ""})
    assert done.returncode == 1
    assert done.stderr == (
        f"error: no data mesh found in {empty} or above it; go into a clone (its pyproject.toml has a [tool.kit] table) "
        "or set KIT_ROOT to one\n"
    )


def test_a_broken_domain_is_shown_everywhere_and_stops_no_other(small: SmallMesh) -> None:
    (small.domains / "bad").mkdir()
    (small.domains / "bad" / "product.odps.yaml").write_text("kind: DataProduct\nkind: Again\n")
    message = "domains/bad/product.odps.yaml:2: the key 'kind' is there twice; keep one"
    run = small.kit("run")
    assert run.returncode == 1
    assert f"bad is broken: {message}" in run.stderr
    assert " published " in run.stdout
    check = small.kit("check")
    assert (check.returncode, check.stdout.partition("\n\n")[0]) == (1, f"bad: {message}")
    assert f"bad: {message}" in small.kit("status").stdout
    assert message in small.kit("doctor").stdout
    named = small.kit("run", "bad.port")
    assert (named.returncode, named.stderr) == (1, f"bad is broken: {message}\n")
    assert small.kit("run", "shop").returncode == 0
    assert small.kit("read", "shop.totals").returncode == 0


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_a_terminal_without_unicode_gets_every_output(small: SmallMesh, environment: dict[str, str]) -> None:
    product = small.domains / "shop/product.odps.yaml"
    product.write_text(product.read_text(encoding="utf-8").replace("shop owner", "Änne"), encoding="utf-8")
    commands = [
        ["--help"],
        ["status"],
        ["status", "--json"],
        ["check"],
        ["history", "shop.sales"],
        ["read", "nö.pe"],
        ["run", "…"],
    ]
    code = (
        "import runpy, sys\n"
        f"for command in {commands!a}:\n"
        "    sys.argv = ['kit', *command]\n"
        "    try: runpy.run_module('kit', run_name='__main__')\n"
        "    except SystemExit: pass\n"
    )
    environment = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", code], cwd=small.root, capture_output=True, env=environment, check=True)
    shown = (done.stdout + done.stderr).decode("ascii")
    assert "Traceback" not in shown
    assert "\\xc4nne" in shown
    assert "no data product 'n\\xf6'" in shown


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_while_modules_are_imported_ends_with_a_sentence(number: int, code: int) -> None:
    program = (
        "import os, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'kit.cli.console':\n"
        f"            os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "sys.argv = ['kit', 'run', '--no-worker']\n"
        "from kit.__main__ import main\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "interrupted\n")


def test_the_package_is_imported_before_anything_that_an_interrupt_could_break_off() -> None:
    code = "import sys; before = {*sys.modules}; import kit; print({*sys.modules} - before); print(kit.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{{'kit'}}\n{__version__}\n"


@pytest.mark.parametrize("place", ["kit.core", "kit.cli.main", "kit.mesh", "kit.storage.store", "duckdb", "kit.lineage"])
def test_ctrl_c_at_any_moment_is_one_sentence(place: str, small: SmallMesh) -> None:
    program = (
        "import os, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {place!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "sys.argv = ['kit', 'read', 'shop.sales'] if 'duckdb' in sys.argv else ['kit', 'check']\n"
        "from kit.__main__ import main\n"
        "main()\n"
    )
    if place == "duckdb":
        small.publish("shop")
    environment = {**os.environ, "KIT_WORKER": "off"}
    ended = subprocess.run(
        [sys.executable, "-c", program, place], cwd=small.root, env=environment, capture_output=True, text=True, timeout=HANG
    )
    assert (ended.returncode, ended.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("block", ["build._ending_when_interrupted()", "suppress()"])
def test_a_second_signal_while_an_interrupted_command_ends_changes_no_exit_code(block: str, number: int) -> None:
    if block == "suppress()" and number != signal.SIGINT:
        pytest.skip("commands that build nothing end at once")
    program = (
        "import atexit, os, signal, sys, typer\n"
        "from contextlib import suppress\n"
        "from kit import __main__ as program\n"
        "from kit.cli import build, main\n"
        "def signalled():\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "class Late:\n"
        "    def __del__(self, signalled=signalled):\n"
        "        signalled()\n"
        "def command():\n"
        f"    with {block}:\n"
        "        signalled()\n"
        "        signal.pause()\n"
        "main.main = lambda: typer.run(command)\n"
        "sys.argv = ['kit']\n"
        "atexit.register(signalled)\n"
        "late = Late()\n"
        "try:\n"
        "    program.execute()\n"
        "finally:\n"
        "    signalled()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, preexec_fn=heed_hangups, timeout=HANG
    )
    sentence = "interrupted; readers keep the snapshots they had\n" if "build" in block else ""
    assert (ended.returncode, ended.stderr.removesuffix("interrupted\n")) == (128 + number, sentence)
