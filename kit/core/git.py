"""The revision the mesh is at, the mesh as git has it at another one, and who changed a file of it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from zipfile import ZipFile

from kit.core.config import Config
from kit.core.errors import KitError


class Commit(NamedTuple):
    """One commit, by its short name; `day` as in 2024-01-31."""

    name: str
    day: str
    author: str
    subject: str


def log(config: Config, path: Path, most: int = 20) -> tuple[Commit, ...]:
    """The newest commits that changed a file; raises `KitError` where git cannot tell."""
    found = _git(config.root, "log", f"--max-count={most}", "--format=%h%x00%as%x00%an%x00%s", "--", str(path)) or b""
    return tuple(Commit(*line.split("\0")) for line in found.decode(errors="replace").splitlines())


@contextmanager
def merge_base_mesh(config: Config, ref: str) -> Iterator[Config]:
    """The mesh where the work tree parted from the branch, tag or commit `ref`, in a folder that is gone at the end.

    What others have done on `ref` since then is no change of this work tree. Neither it nor git's index is touched.
    Raises `KitError` when git cannot give it.
    """
    found = _git(config.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if found is None:
        branch = ref.removeprefix("origin/")
        raise KitError(
            f"git knows no revision '{ref}' here; fetch it with `git fetch origin {branch}` and compare with "
            f"`--against origin/{branch}`, or name a branch, tag or commit that is there"
        )
    # A clone cut short does not know where the two parted; then the revision itself is what there is to compare with.
    parted = _git(config.root, "merge-base", found.decode().strip(), "HEAD") or found
    name = parted.decode().strip()
    # All of it: what a product is made of may lie beside `domains`, as macros do.
    archive = _git(config.root, "archive", "--format=zip", name)
    if archive is None:
        raise KitError(f"git cannot give all files of the revision '{ref}' ({name[:8]}); `git fsck` tells what is missing")
    with TemporaryDirectory(prefix="kit-") as folder:
        with ZipFile(BytesIO(archive)) as files:
            files.extractall(folder)
        then = replace(config, root=Path(folder))
        if not then.domains.is_dir():
            raise KitError(f"the revision '{ref}' ({name[:8]}) has no folder 'domains'; name one that has, with --against")
        yield then


def current_commit(root: Path) -> str | None:
    """The commit the mesh is at, with `-dirty` when files differ from it; None outside a git checkout."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _git(root: Path, *arguments: str) -> bytes | None:
    """What git prints, None when it refuses; raises `KitError` outside a repository or without git."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False
        )
    except OSError:
        raise KitError("git is not installed; it knows the contracts to compare with") from None
    if b"not a git repository" in done.stderr:
        raise KitError(f"{root} is not in a git repository, so there is no other revision to compare with; run `git init`")
    if b"dubious ownership" in done.stderr:
        raise KitError(
            f"git refuses {root}, which belongs to somebody else; run `git config --global --add safe.directory {root}`"
        )
    return done.stdout if done.returncode == 0 else None
