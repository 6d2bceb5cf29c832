"""`kit.patch_problem`: whether a patch that a language model wrote applies to a file."""

import os
import subprocess
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from kit.core import KitError

_SECONDS = 60


def patch_problem(patch: str, path: str, text: str) -> str:
    """Return why git cannot apply a patch to the file `path` with this text, and only to it; empty when it can.

    Nothing is changed: `git apply --check` tries it on a copy in a temporary folder. Raises `KitError` without git.

    >>> kit.patch_problem(patch, "click/types.py", text)
    """
    place = PurePosixPath(path)
    if place.is_absolute() or ".." in place.parts or not place.name:
        raise KitError(f"'{path}' is no path of a file below a folder, such as package/module.py")
    with TemporaryDirectory(prefix="kit-") as folder:
        tree = Path(folder, "tree")
        file = tree / path
        file.parent.mkdir(parents=True)
        file.write_bytes(text.encode(errors="replace"))
        named = _git(tree, patch, "--numstat", "-z")
        if not named.returncode:
            changed = sorted({name for line in named.stdout.split("\0") if (name := line.split("\t")[-1])})
            if changed != [path]:
                return f"the patch changes {', '.join(changed) or 'nothing'}, not {path}"
            named = _git(tree, patch, "--check")
        reason = " ".join(named.stderr.split()).removeprefix("error: ")
    return f"the patch does not apply to {path}: {reason[:300]}" if named.returncode else ""


def _git(tree: Path, patch: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Call `git apply` outside of any repository: in a folder of one it applies nothing, and reports success."""
    folder = str(tree.parent)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath), "HOME": folder, "LC_ALL": "C", "GIT_CEILING_DIRECTORIES": folder,
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
    }  # fmt: skip
    try:
        return subprocess.run(
            ["git", "apply", *options, "-"], cwd=tree, env=environment, input=patch, capture_output=True,
            encoding="utf-8", errors="replace", timeout=_SECONDS, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise KitError("git is not installed, and no patch can be tried without it; install git") from None
    except subprocess.TimeoutExpired:
        raise KitError(f"git did not try the patch within {_SECONDS} seconds") from None
