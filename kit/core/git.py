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
from kit.core.errors import KitError, RevisionError


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


class Remote(NamedTuple):
    """The remote of a clone: its URL as git has it, which may contain a password, and the folder of the mesh in it.

    `prefix` is empty or ends with a slash.
    """

    url: str
    prefix: str


def remote(root: Path) -> Remote | None:
    """Return the remote `origin` of the clone that contains the mesh; None without one, or without git."""
    try:
        url, prefix = _git(root, "config", "--get", "remote.origin.url"), _git(root, "rev-parse", "--show-prefix")
    except KitError:
        return None
    return Remote(url.decode().strip(), (prefix or b"").decode().strip()) if url else None


@contextmanager
def merge_base_mesh(config: Config, ref: str) -> Iterator[Config]:
    """Mesh at the merge base of `HEAD` and the branch, tag or commit `ref`, in a temporary folder.

    Later commits on `ref` are not part of it. The work tree and git's index stay unchanged. Raises `RevisionError` when
    this clone lacks the revision or the merge base, `KitError` when git cannot provide the files.
    """
    name = _merge_base(config.root, ref)
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


def relation_of_commits(root: Path, commit: str, other: str) -> str:
    """Return whether a commit is `older` or `newer` than the other one, the `same`, or has `diverged` from it.

    `absent` when this clone has its whole history, but not the other commit; `unknown` when it has not enough history to know.
    """
    if commit == other:
        return "same"
    try:
        whole = (_git(root, "rev-parse", "--is-shallow-repository") or b"").strip() == b"false"
        if _git(root, "cat-file", "-e", f"{other}^{{commit}}") is None:
            return "absent" if whole else "unknown"
        for relation, first, second in (("older", commit, other), ("newer", other, commit)):
            if _git(root, "merge-base", "--is-ancestor", first, second) is not None:
                return relation
    except KitError:  # no repository, or one that git refuses
        return "unknown"
    return "diverged" if whole else "unknown"


def branch_of(root: Path, commit: str) -> str:
    """Return a branch or tag that contains a commit; empty for one that was amended or rebased away."""
    try:
        found = _git(root, "for-each-ref", "--contains", commit, "--count=1", "--format=%(refname:short)")
    except KitError:
        return ""
    return (found or b"").decode(errors="replace").strip()


def _merge_base(root: Path, ref: str) -> str:
    """Return the hash of the newest commit that `HEAD` and `ref` have in common."""
    remote, branch = _remote_branch(root, ref)
    tracking = f"{remote}/{branch}"
    # A refspec, since a clone of a single branch would keep no other branch that it fetches.
    fetch = f"{remote} +refs/heads/{branch}:refs/remotes/{tracking}"
    commit = _revision(root, ref)
    if commit is None:
        known = remote and ref != tracking and _revision(root, tracking)
        if known:
            fix = f"compare with `--against {tracking}`, which it knows"
        elif remote:
            fix = f"fetch it with `git fetch {fetch}` and compare with `--against {tracking}`"
        else:
            fix = "add a remote with `git remote add`"
        raise RevisionError(f"git knows no revision '{ref}' here; {fix}, or name an existing branch, tag or commit")
    base = _git(root, "merge-base", commit, "HEAD")
    if base is not None:
        return base.decode().strip()
    if _revision(root, "HEAD") is None:
        raise RevisionError("this repository has no commit yet; commit the mesh, then compare")
    if (_git(root, "rev-parse", "--is-shallow-repository") or b"").strip() != b"true":
        raise RevisionError(
            f"'{ref}' and HEAD have no commit in common, so changes of this branch cannot be told from others; "
            "name a revision of the same history with --against"
        )
    fix = f"`git fetch --unshallow {fetch}`" if remote else "`git fetch --unshallow` from the repository it was cloned from"
    other = f" and compare with `--against {tracking}`" if remote and ref == branch else ""
    raise RevisionError(
        f"this clone is shallow and has no commit that '{ref}' and HEAD have in common, so changes of this branch cannot be "
        f"told from those on '{ref}'; get the history with {fix}{other} (in a CI job: check out with full depth)"
    )


def _remote_branch(root: Path, ref: str) -> tuple[str, str]:
    """Return the remote and the branch there that `ref` most likely means; an empty remote when there is none."""
    remotes = (_git(root, "remote") or b"").decode().split()
    for remote in remotes:
        if ref.startswith(f"{remote}/"):
            return remote, ref.removeprefix(f"{remote}/")
    upstream = (_git(root, "rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}") or b"").decode().strip()
    preferred = [name for name in remotes if upstream.startswith(f"{name}/") or name == "origin"]
    return next(iter((*preferred, *remotes)), ""), ref.removeprefix("origin/")


def _revision(root: Path, name: str) -> str | None:
    """Return the hash of the commit that a name means in this clone, or None."""
    commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return commit.decode().strip() if commit else None


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
