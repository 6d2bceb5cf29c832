import re
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest

from kit.core.config import Config
from kit.core.errors import KitError, RevisionError
from kit.core.git import Commit, current_commit, log, merge_base_mesh, relation_of_commits
from tests.support.files import write
from tests.support.repository import git


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A mesh of one file in a repository with one commit."""
    write(tmp_path / "pyproject.toml", "[tool.kit]\nstorage = 'state'\n")
    write(tmp_path / "domains/shop/product.odps.yaml", "first\n")
    git(tmp_path, "init", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    return Config.load(tmp_path, {})


@pytest.fixture
def branch(config: Config) -> Config:
    """The mesh on the branch `mine`, whose commit is newer than one that only `main` has."""
    path = config.domains / "shop/product.odps.yaml"
    git(config.root, "switch", "-c", "mine")
    git(config.root, "switch", "main")
    write(path, "theirs\n")
    git(config.root, "commit", "-am", "theirs")
    git(config.root, "switch", "mine")
    write(config.root / "mine", "")
    git(config.root, "add", ".")
    git(config.root, "commit", "-m", "mine")
    return config


def test_the_commits_of_a_file_newest_first(config: Config) -> None:
    path = config.domains / "shop/product.odps.yaml"
    for number in range(3):
        write(path, f"{number}\n")
        git(config.root, "commit", "-am", f"change {number}: a | b", author="Ann Óther")
    write(config.root / "other", "")
    git(config.root, "add", ".")
    git(config.root, "commit", "-m", "another file")
    newest = git(config.root, "log", "-1", "--format=%h", "--", str(path))
    commits = log(config, path, limit=2)
    assert commits[0] == Commit(newest, str(date.today()), "Ann Óther", "change 2: a | b")
    assert [commit.subject for commit in commits] == ["change 2: a | b", "change 1: a | b"]
    assert log(config, config.root / "nothing") == ()


def test_the_mesh_at_the_merge_base_has_the_files_of_the_branch_point(branch: Config) -> None:
    path = branch.domains / "shop/product.odps.yaml"
    write(path, "not committed\n")
    with merge_base_mesh(branch, "main") as past:
        assert (past.domains / "shop/product.odps.yaml").read_text() == "first\n"
        assert past.storage == branch.storage
    assert not past.root.exists()
    assert path.read_text() == "not committed\n"


def test_git_that_cannot_help_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "pyproject.toml", "[tool.kit]\n")
    config = Config.load(tmp_path, {})

    def message(ref: str) -> str:
        with pytest.raises(KitError) as caught, merge_base_mesh(config, ref):
            pass
        return str(caught.value)

    assert message("main") == (
        f"{tmp_path} is not in a git repository, so there is no other revision to compare with; run `git init`"
    )
    git(tmp_path, "init", "-b", "main")
    git(tmp_path, "commit", "--allow-empty", "-m", "empty")
    assert "git knows no revision 'origin/main' here; add a remote" in message("origin/main")
    assert "git knows no revision '--upload-pack=x' here" in message("--upload-pack=x")
    assert message("main").endswith("has no folder 'domains'; name another one with --against")
    monkeypatch.setenv("PATH", "")
    assert message("main") == "git is not installed; install it to compare with another revision"


def _advised(root: Path, ref: str) -> str:
    """Run the git command that the error about `ref` advises; return the revision that it says to compare with."""
    with pytest.raises(RevisionError) as caught, merge_base_mesh(Config.load(root, {}), ref):
        pass
    assert caught.value.exit_code == 2
    text = str(caught.value)
    for command in re.findall(r"`git ([^`]+)`", text):
        git(root, *command.split())
    against = re.search(r"`--against ([^`]+)`", text)
    return against[1] if against else ref


@pytest.mark.parametrize("remote", ["origin", "upstream"])
@pytest.mark.parametrize(
    "options",
    [("--depth=1",), ("--depth=1", "--no-single-branch"), ("--single-branch",)],
    ids=["shallow", "shallow-all", "single"],
)
def test_the_advice_of_a_clone_without_the_merge_base_leads_to_it(
    branch: Config, tmp_path_factory: pytest.TempPathFactory, remote: str, options: tuple[str, ...]
) -> None:
    clone = tmp_path_factory.mktemp("clones") / "clone"
    git(branch.root, "clone", f"--origin={remote}", "--branch=mine", *options, branch.root.as_uri(), str(clone))
    for ref in ("main", f"{remote}/main"):
        against = ref
        for _ in range(3):  # a shallow clone of one branch first lacks the branch, then its history
            with suppress(RevisionError), merge_base_mesh(Config.load(clone, {}), against) as past:
                assert (past.domains / "shop/product.odps.yaml").read_text() == "first\n"
                break
            against = _advised(clone, against)
        else:
            pytest.fail(f"{ref}: the advice does not lead to the merge base")
    assert against == f"{remote}/main"


def test_a_known_remote_branch_of_the_name_is_proposed_without_a_fetch(
    branch: Config, tmp_path_factory: pytest.TempPathFactory
) -> None:
    clone = tmp_path_factory.mktemp("clones") / "clone"
    git(branch.root, "clone", "--branch=mine", branch.root.as_uri(), str(clone))
    assert _advised(clone, "main") == "origin/main"
    with merge_base_mesh(Config.load(clone, {}), "origin/main") as past:
        assert past.domains.is_dir()


def test_histories_without_a_common_commit_are_not_compared(config: Config) -> None:
    git(config.root, "switch", "--orphan", "other")
    git(config.root, "commit", "--allow-empty", "-m", "other")
    with pytest.raises(RevisionError, match="'main' and HEAD have no commit in common"), merge_base_mesh(config, "main"):
        pass


def test_the_current_commit_says_whether_files_differ(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = git(config.root, "rev-parse", "HEAD")
    assert current_commit(config.root) == commit
    git(config.root, "tag", "v1")
    write(config.domains / "shop/product.odps.yaml", "changed\n")
    assert current_commit(config.root) == f"{commit}-dirty"
    monkeypatch.setenv("PATH", "")
    assert current_commit(config.root) is None


def test_without_a_repository_there_is_no_current_commit(tmp_path: Path) -> None:
    assert current_commit(tmp_path) is None


def test_the_order_of_two_commits(config: Config) -> None:
    root = config.root
    first = git(root, "rev-parse", "HEAD")
    git(root, "commit", "--allow-empty", "-m", "second")
    second = git(root, "rev-parse", "HEAD")
    git(root, "checkout", "-b", "side", first)
    git(root, "commit", "--allow-empty", "-m", "third")
    third = git(root, "rev-parse", "HEAD")
    found = [relation_of_commits(root, *pair) for pair in ((first, first), (first, second), (second, first), (second, third))]
    assert found == ["same", "older", "newer", "diverged"]
    assert relation_of_commits(root, first, "0" * 40) == "absent"


def test_a_shallow_clone_does_not_know_the_order(config: Config, tmp_path: Path) -> None:
    git(config.root, "commit", "--allow-empty", "-m", "second")
    first, second = git(config.root, "rev-parse", "HEAD~1"), git(config.root, "rev-parse", "HEAD")
    git(tmp_path, "clone", "--depth", "1", config.root.as_uri(), "shallow")
    assert relation_of_commits(tmp_path / "shallow", second, first) == "unknown"


def test_without_a_repository_the_order_is_not_known(tmp_path: Path) -> None:
    assert relation_of_commits(tmp_path, "a" * 40, "b" * 40) == "unknown"
