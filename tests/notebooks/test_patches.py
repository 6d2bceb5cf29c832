"""Patches that a model wrote, tried on a file by git."""

import subprocess
from pathlib import Path

import pytest

import kit
from kit.core import KitError

TEXT = "def price(value):\n    return value\n\n\ndef tax(value):\n    return value * 2\n"
PATCH = """\
--- a/shop/price.py
+++ b/shop/price.py
@@ -3,4 +3,4 @@ def price(value):


 def tax(value):
-    return value * 2
+    return value * 3
"""


def problem(patch: str, path: str = "shop/price.py", text: str = TEXT) -> str:
    return kit.patch_problem(patch.replace("\n\n\n def", "\n \n \n def"), path, text)


def test_a_patch_that_git_can_apply_has_no_problem() -> None:
    assert problem(PATCH) == ""
    assert problem("diff --git a/shop/price.py b/shop/price.py\n" + PATCH) == ""


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        (PATCH.replace("* 2", "* 5"), "does not apply to shop/price.py: patch failed: shop/price.py:3"),
        (PATCH.replace("-3,4 +3,4", "-3,9 +3,9"), "does not apply to shop/price.py: corrupt patch at "),
        (PATCH.replace("shop/price.py", "shop/other.py"), "changes shop/other.py, not shop/price.py"),
        (PATCH + PATCH.replace("price.py", "other.py"), "changes shop/other.py, shop/price.py, not shop/price.py"),
        (PATCH.replace("b/shop/price.py", "b/../../etc/passwd"), "changes ../../etc/passwd, not shop/price.py"),
        ("", "does not apply to shop/price.py: No valid patches in input"),
        ("Sorry, I cannot help with that.", "does not apply to shop/price.py: No valid patches in input"),
        ("--- a/x\0y\n", "does not apply to shop/price.py: "),
        ("--- /dev/null\n+++ b/shop/new.py\n@@ -0,0 +1 @@\n+x = 1\n", "changes shop/new.py, not shop/price.py"),
    ],
)
def test_a_patch_of_no_use_has_its_reason(patch: str, reason: str) -> None:
    found = problem(patch)
    assert found.startswith(f"the patch {reason}")
    assert "/tmp" not in found


def test_it_is_tried_also_where_the_temporary_folder_is_in_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`git apply` in a folder of a repository leaves out files of other folders, and ends with 0."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "inner").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "inner"))
    assert problem(PATCH) == ""
    assert problem(PATCH.replace("* 2", "* 5")).startswith("the patch does not apply to shop/price.py")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.py", "a/../../x.py", ""])
def test_a_path_outside_of_the_folder_is_refused(path: str) -> None:
    with pytest.raises(KitError, match=r"is no path of a file below a folder, such as package/module.py"):
        kit.patch_problem(PATCH, path, TEXT)


def test_without_git_nothing_is_called_applicable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KitError, match="git is not installed, and no patch can be tried without it"):
        problem(PATCH)
