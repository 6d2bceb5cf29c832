"""Comparison of the code of a build with the code that made the snapshot it would replace."""

from collections.abc import Callable

from kit.build.plan import BuildPlan
from kit.core import Config, KitError, branch_of, relation_of_commits
from kit.mesh import DataProduct


class OlderCode(KitError):
    """The code of the current snapshot is newer than that of this build, or may be."""


def check_code_age(
    config: Config, product: DataProduct, planned: BuildPlan, commit: Callable[[], str | None], *, allow_older: bool
) -> str:
    """Return a hint when the order of the two codes is not known, or they belong to different branches; else an empty text.

    `commit` returns that of this build. Raises `OlderCode` when the current snapshot was made by newer code, by a commit of
    another branch that still exists, or by one that this clone does not have although it has its whole history, unless
    `allow_older`.
    """
    manifest = planned.current.manifest if planned.current else {}
    made_by, made_code = manifest.get("git_commit"), manifest.get("code")
    here = commit() if made_by and made_code not in (None, planned.code) else None
    if planned.current is None or not made_by or not here:
        return ""
    version, own, other = planned.current.version, _short(here), _short(made_by)
    relation = relation_of_commits(config.root, here.partition("-")[0], made_by.partition("-")[0])
    if relation in ("older", "absent") and not allow_older:
        newer = (
            f"is newer than this one, {own}" if relation == "older" else f"this clone at {own} does not have: it may be newer"
        )
        raise OlderCode(
            f"'{product.name}': its snapshot {version} was made by the code of commit {other}, which {newer}; nothing was "
            f"built. Update this clone (`git pull`), or build with the code of this one: `kit run {product.name} --older-code`"
        )
    if relation == "diverged" and not allow_older and (branch := branch_of(config.root, made_by.partition("-")[0])):
        raise OlderCode(
            f"'{product.name}': its snapshot {version} was made by the code of commit {other} of '{branch}', which this one, "
            f"{own}, does not contain; nothing was built. Merge the two, or replace it by the code of this one: "
            f"`kit run {product.name} --older-code`"
        )
    if relation == "unknown":
        return (
            f"snapshot {version} was made by the code of commit {other}, which this shallow clone at {own} does not have; it "
            "may be newer: see `git fetch --unshallow`"
        )
    if relation == "diverged":
        return (
            f"snapshot {version} was made by the code of commit {other}, which is on another branch than this one, {own}, or "
            "was amended since; two clones with different code replace each other's snapshots"
        )
    if relation == "same" and made_by != here and "-" in made_by:
        return f"snapshot {version} was made by uncommitted changes at commit {other}, which this clone does not have"
    return ""


def _short(commit: str) -> str:
    digest, dash, dirty = commit.partition("-")
    return f"{digest[:8]}{dash}{dirty}"
