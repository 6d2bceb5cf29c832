from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kit.build.build import build
from kit.build.code_age import OlderCode, check_code_age
from kit.build.data_code import data_code
from kit.build.plan import BuildPlan, BuildRequest
from kit.core.config import Config
from kit.core.git import current_commit
from kit.storage.snapshot import Snapshot
from tests.support.repository import commit_all, git
from tests.support.small_mesh import SmallMesh


@pytest.fixture
def repository(small: SmallMesh) -> SmallMesh:
    commit_all(small)
    git(small.root, "commit", "--allow-empty", "-m", "second")
    return small


def planned(commit: str | None, code: str | None = "other") -> BuildPlan:
    manifest: dict[str, Any] = {"git_commit": commit} | ({"code": code} if code else {})
    inputs: Any = None
    return BuildPlan(None, inputs, "own", "", None, Snapshot("shop", "v7", Path("v7"), manifest), {}, {})


def hint(small: SmallMesh, plan: BuildPlan, *, allow_older: bool = False) -> str:
    commit = partial(current_commit, small.root)
    return check_code_age(small.config, small.product("shop"), plan, commit, allow_older=allow_older)


def test_older_code_does_not_replace_newer_code(repository: SmallMesh) -> None:
    old, new = git(repository.root, "rev-parse", "HEAD~1"), git(repository.root, "rev-parse", "HEAD")
    git(repository.root, "checkout", old)
    for commit in (new, f"{new}-dirty"):
        with pytest.raises(OlderCode) as error:
            hint(repository, planned(commit))
        assert str(error.value) == (
            f"'shop': its snapshot v7 was made by the code of commit {commit.replace(new, new[:8])}, which is newer than this "
            f"one, {old[:8]}; nothing was built. Update this clone (`git pull`), or build with the code of this one: "
            "`kit run shop --older-code`"
        )
    assert hint(repository, planned(new), allow_older=True) == ""
    assert hint(repository, planned(new, "own")) == ""  # the product itself is the same


def test_newer_and_the_same_code_replace(repository: SmallMesh) -> None:
    old, new = git(repository.root, "rev-parse", "HEAD~1"), git(repository.root, "rev-parse", "HEAD")
    assert [hint(repository, planned(commit)) for commit in (old, new, None)] == ["", "", ""]
    assert hint(repository, planned("0" * 40, None)) == ""  # an earlier kit did not record its code
    assert hint(repository, replace(planned(new), current=None)) == ""
    dirty = hint(repository, planned(f"{new}-dirty"))
    assert dirty == f"snapshot v7 was made by uncommitted changes at commit {new[:8]}-dirty, which this clone does not have"


def test_code_of_another_branch_does_not_replace(repository: SmallMesh) -> None:
    root, other = repository.root, git(repository.root, "rev-parse", "HEAD")
    git(root, "checkout", "-b", "side", "HEAD~1")
    git(root, "commit", "--allow-empty", "-m", "third")
    own = git(root, "rev-parse", "HEAD")[:8]
    with pytest.raises(OlderCode) as error:
        hint(repository, planned(other))
    assert str(error.value) == (
        f"'shop': its snapshot v7 was made by the code of commit {other[:8]} of 'main', which this one, {own}, does not "
        "contain; nothing was built. Merge the two, or replace it by the code of this one: `kit run shop --older-code`"
    )
    replaced = hint(repository, planned(other), allow_older=True)
    assert replaced.startswith(f"snapshot v7 was made by the code of commit {other[:8]}, which is on another branch")


def test_an_amended_commit_replaces_with_a_hint(repository: SmallMesh) -> None:
    root, before = repository.root, git(repository.root, "rev-parse", "HEAD")
    git(root, "commit", "--amend", "--allow-empty", "-m", "amended")
    own = git(root, "rev-parse", "HEAD")[:8]
    assert hint(repository, planned(before)) == (
        f"snapshot v7 was made by the code of commit {before[:8]}, which is on another branch than this one, {own}, or was "
        "amended since; two clones with different code replace each other's snapshots"
    )


def test_code_that_this_clone_has_not_fetched_is_not_replaced(repository: SmallMesh) -> None:
    own = git(repository.root, "rev-parse", "HEAD")[:8]
    with pytest.raises(OlderCode) as error:
        hint(repository, planned("0" * 40))
    assert str(error.value) == (
        f"'shop': its snapshot v7 was made by the code of commit 00000000, which this clone at {own} does not have: it may be "
        "newer; nothing was built. Update this clone (`git pull`), or build with the code of this one: "
        "`kit run shop --older-code`"
    )
    assert hint(repository, planned("0" * 40), allow_older=True) == ""


def test_a_shallow_clone_replaces_what_it_cannot_compare_with_a_hint(repository: SmallMesh, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--depth", "1", repository.root.as_uri(), "shallow")
    config, own = Config.load(tmp_path / "shallow", {}), git(repository.root, "rev-parse", "HEAD")[:8]
    assert check_code_age(config, repository.product("shop"), planned("0" * 40), lambda: own, allow_older=False) == (
        f"snapshot v7 was made by the code of commit 00000000, which this shallow clone at {own} does not have; it may be "
        "newer: see `git fetch --unshallow`"
    )


def test_builds_with_older_code_and_with_that_of_another_branch_are_refused(small: SmallMesh) -> None:
    commit_all(small)
    path = "domains/shop/models/marts/totals.sql"
    small.replace(path, "order by item", "order by item desc")
    git(small.root, "commit", "-am", "second")
    newest = small.publish("shop", force=True)
    assert (small.store.snapshot("shop", newest).manifest["code"]) == data_code(small.config, small.product("shop"))
    git(small.root, "checkout", "HEAD~1")
    refused = build(small.config, small.product("shop"))
    assert (refused.status, refused.may_pass) == ("failed", "")
    assert "which is newer than this one" in refused.message
    assert build(small.config, small.product("shop"), BuildRequest(older_code=True)).status == "published"
    git(small.root, "checkout", "-b", "side")
    small.replace(path, "order by item", "order by amount")
    git(small.root, "commit", "-am", "third")
    built = build(small.config, small.product("shop"))
    assert (built.status, built.message) == ("published", "")  # a descendant of what was published last
    git(small.root, "checkout", "main")
    assert "of 'side', which this one" in build(small.config, small.product("shop")).message
    diverged = build(small.config, small.product("shop"), BuildRequest(older_code=True))
    assert (diverged.status, "which is on another branch" in diverged.message) == ("published", True)
