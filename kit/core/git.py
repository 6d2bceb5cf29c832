"""Git: the current commit of the mesh, the mesh at another revision, and the commits that changed a file."""

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
    """One commit: `name` is its abbreviated hash, `day` has the form 2024-01-31."""

    name: str
    day: str
    author: str
    subject: str


def log(config: Config, path: Path, limit: int = 20) -> tuple[Commit, ...]:
    """Return the newest commits that changed a file; raises `KitError` outside of a git repository or without git."""
    lines = _git(config.root, "log", f"--max-count={limit}", "--format=%h%x00%as%x00%an%x00%s", "--", str(path)) or b""
    return tuple(Commit(*line.split("\0")) for line in lines.decode(errors="replace").splitlines())


@contextmanager
def merge_base_mesh(config: Config, ref: str) -> Iterator[Config]:
    """Mesh at the merge base of `HEAD` and the branch, tag or commit `ref`, in a temporary folder.

    Later commits on `ref` are not part of it. The work tree and git's index stay unchanged. Raises `KitError` when git
    cannot provide the files.
    """
    commit = _git(config.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if commit is None:
        branch = ref.removeprefix("origin/")
        raise KitError(
            f"git knows no revision '{ref}' here; fetch it with `git fetch origin {branch}` and compare with "
            f"`--against origin/{branch}`, or name an existing branch, tag or commit"
        )
    # A shallow clone may lack the merge base; the revision itself is used then.
    name = (_git(config.root, "merge-base", commit.decode().strip(), "HEAD") or commit).decode().strip()
    # The whole repository, since a product may use files outside of `domains`, such as macros.
    archive = _git(config.root, "archive", "--format=zip", name)
    if archive is None:
        raise KitError(f"git cannot provide all files of the revision '{ref}' ({name[:8]}); `git fsck` lists the missing ones")
    with TemporaryDirectory(prefix="kit-") as folder:
        with ZipFile(BytesIO(archive)) as files:
            files.extractall(folder)
        past = replace(config, root=Path(folder))
        if not past.domains.is_dir():
            raise KitError(f"the revision '{ref}' ({name[:8]}) has no folder 'domains'; name another one with --against")
        yield past


def current_commit(root: Path) -> str | None:
    """Return the hash of the current commit, with `-dirty` when files differ from it; None outside of a git repository."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _git(root: Path, *arguments: str) -> bytes | None:
    """Return the output of a git command, None when it fails; raises `KitError` outside of a repository or without git."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False
        )
    except OSError:
        raise KitError("git is not installed; install it to compare with another revision") from None
    if b"not a git repository" in done.stderr:
        raise KitError(f"{root} is not in a git repository, so there is no other revision to compare with; run `git init`")
    if b"dubious ownership" in done.stderr:
        raise KitError(
            f"git refuses {root}, which belongs to another user; run `git config --global --add safe.directory {root}`"
        )
    return done.stdout if done.returncode == 0 else None
