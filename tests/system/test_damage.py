"""Every file of a storage, damaged in every way, under every command: one sentence, no silence, and a way back."""

import contextlib
import gc
import io
import json
import os
import shutil
import stat
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from kit.cli import console as terminal
from kit.cli.main import main
from tests.support.small_mesh import SmallMesh

FILES = [
    "products/shop/current.json", "products/shop/CURRENT/manifest.json", "products/shop/CURRENT/sales/data.parquet",
    "products/shop/OLD/manifest.json", "products/shop/catalog.yaml", "runs/shop/LAST/record.json", "index.json", "catalog.yaml",
    "raw/shop/sales/DATA.parquet",
]  # fmt: skip
DAMAGE: dict[str, Callable[[Path, Path], object]] = {
    "empty": lambda path, _: path.write_bytes(b""),
    "truncated": lambda path, _: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "object": lambda path, _: path.write_text("{}"),
    "list": lambda path, _: path.write_text("[]"),
    "null": lambda path, _: path.write_text("null"),
    "garbage": lambda path, _: path.write_bytes(b"\x80\xffgarbage" * 30),
    "newer": lambda path, _: path.write_text(json.dumps({**_json(path), "form": 99})),
    "swapped": lambda path, other: shutil.copyfile(other, path),
    "deleted": lambda path, _: path.unlink(),
    "folder": lambda path, _: (path.unlink(), path.mkdir()),
}
BRIEFLY = ("empty", "garbage", "swapped", "deleted", "folder")
UNHARMED = {("index.json", "deleted"), ("runs/shop/LAST/record.json", "deleted")}
"""Damage that changes nothing for anybody: the file is written again when it is needed."""


def _json(path: Path) -> dict[str, object]:
    return json.loads(path.read_bytes()) if path.suffix == ".json" else {"version": 2}


class Done(NamedTuple):
    """The end of a command in this process: its code, both streams, and the traceback that would have been printed."""

    code: int
    text: str
    trace: str


def kit(*arguments: str) -> Done:
    out, code, trace = io.StringIO(), 0, ""
    before = sys.argv
    sys.argv, terminal.console.file, terminal.errors.file = ["kit", *arguments], out, out
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            main()
    except SystemExit as end:
        code = int(end.code or 0)
    except Exception:
        trace = traceback.format_exc()
    finally:
        sys.argv, terminal.console.file, terminal.errors.file = before, None, None
    return Done(code, out.getvalue(), trace)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mesh with two products, of which one has two snapshots."""
    small = SmallMesh(tmp_path_factory.mktemp("whole"))
    small.publish("shop")
    small.publish("plan")
    with small.store.open("shop") as first:  # a second snapshot of the same files, without another build
        staging = small.store.stage("shop", "again", list(first.manifest["ports"]))
        for port in first.manifest["ports"]:
            for path in first.paths(port):
                shutil.copyfile(path, staging / port / path.name)
        own = {"product", "version", "parent", "created_at"}
        manifest = {name: value for name, value in first.manifest.items() if name not in own}
        small.store.publish("shop", staging, manifest, parent=first.version)
    assert small.build("plan").status == "up to date"
    assert small.build("shop").status == "up to date"
    return small.root


@pytest.fixture
def mesh(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "mesh"
    shutil.copytree(whole, root)
    monkeypatch.chdir(root)
    monkeypatch.setenv("KIT_ROOT", str(root))
    return root


def placed(root: Path, name: str) -> tuple[Path, Path]:
    """The file to damage, and another one of its kind."""
    state = root / "state"
    old, current = sorted(path.name for path in (state / "products/shop").iterdir() if (path / "manifest.json").is_file())
    name = name.replace("CURRENT", current).replace("OLD", old)
    name = name.replace("LAST", max(path.parent.name for path in (state / "runs/shop").glob("*/record.json")))
    name = name.replace("DATA", next((state / "raw/shop/sales").glob("*.parquet")).stem)
    path = state / name
    others = [item for item in sorted(state.rglob(f"*{path.suffix}")) if item != path]
    return path, next(
        item for item in others if item.name == path.name or path.suffix == ".parquet" or path.name == "index.json"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "damage"),
    [(name, damage) for name in FILES for damage in (DAMAGE if "shop/CURRENT/m" in name or "current" in name else BRIEFLY)],
)
def test_damage_is_named_and_repaired(mesh: Path, name: str, damage: str) -> None:
    path, other = placed(mesh, name)
    path.chmod(0o644)
    DAMAGE[damage](path, other)
    commands = {
        command: kit(*command.split())
        for command in (
            "status", "read shop.sales", "read plan.forecast", "history shop.sales", "verify --all", "check", "run shop",
            "prune --keep 1",
        )
    }  # fmt: skip
    for command, done in commands.items():
        assert not done.trace, f"{command}\n{done.trace}"
        assert "Traceback" not in done.text
    assert commands["read plan.forecast"].code == 0
    if (name, damage) not in UNHARMED:
        assert commands["verify --all"].code == 1, commands["verify --all"].text
    used = name.startswith(("products/shop/current", "products/shop/CURRENT"))
    for command in ("read shop.sales", "run shop"):
        assert commands[command].code == used, commands[command].text
    assert "0 snapshots deleted" in commands["prune --keep 1"].text or not used or damage == "deleted"
    assert used == ("broken" in commands["status"].text)
    fixed = kit("doctor", "--fix")
    assert not fixed.trace, fixed.trace
    if damage == "newer":
        return
    if name.endswith(".parquet") and used:
        assert kit("rollback", "shop", "-1").code == 0
    assert kit("read", "shop.sales").code == 0
    assert kit("verify").code == 0, kit("verify").text


@contextlib.contextmanager
def unprivileged(root: Path) -> Iterator[None]:
    """Be the owner of a mesh who is not root, whom file modes do not stop."""
    if os.geteuid() != 0:
        yield
        return
    for path in (root, *root.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    modes = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in root.parents}
    for folder, mode in modes.items():
        if mode & 0o011 != 0o011:
            folder.chmod(mode | 0o011)
    gc.collect()  # semaphores of other tests are not that user's to delete
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)


@pytest.mark.parametrize("name", [FILES[0], FILES[1], FILES[2], FILES[5]])
def test_a_file_that_may_not_be_read_is_named_and_not_replaced(mesh: Path, name: str) -> None:
    commands = ("status", "read shop.sales", "read plan.forecast", "verify", "check", "doctor --fix")
    for command in commands:  # imports everything: the interpreter may lie where another user cannot read
        assert kit(*command.split()).code == 0
    path, _ = placed(mesh, name)
    content = path.read_bytes()
    with unprivileged(mesh):
        path.chmod(0)
        done = {command: kit(*command.split()) for command in commands}
        path.chmod(0o444)
    for command, end in done.items():
        assert not end.trace, f"{command}\n{end.trace}"
    assert done["read plan.forecast"].code == 0
    assert "Permission denied" in done["verify"].text
    assert (done["verify"].code, done["doctor --fix"].code) == (1, 1)
    assert done["read shop.sales"].code == (not name.startswith("runs"))
    assert path.read_bytes() == content
    assert kit("verify").code == 0
