"""Git repositories for tests: commands with an author of their own, whatever the user has configured."""

import subprocess
from pathlib import Path

from tests.support.small_mesh import SmallMesh


def git(root: Path, *arguments: str, author: str = "n") -> str:
    who = ["-c", f"user.name={author}", "-c", "user.email=n@example.com", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def commit_all(small: SmallMesh) -> None:
    """Make the mesh a repository with one commit on `main`; its storage is ignored."""
    (small.root / ".gitignore").write_text("state\n")
    git(small.root, "init", "-b", "main")
    git(small.root, "add", ".")
    git(small.root, "commit", "-m", "first")
