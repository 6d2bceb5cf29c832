"""Control groups, read from files like those of the system."""

import subprocess
import sys
from pathlib import Path

from kit.core.cgroups import content, hierarchies
from tests.conftest import ROOT


def test_the_own_group_and_those_above_are_read_in_both_versions(tmp_path: Path) -> None:
    for path, text in {"a/b/memory.max": "5\n", "memory.max": "max\n", "cpu,cpuacct/x/cpu.shares": "7\n"}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "own").write_text("3:cpu,cpuacct:/x\n1:name=systemd:/elsewhere\n0::/a/b\n")
    cpu, named, unified = hierarchies(str(tmp_path), str(tmp_path / "own"))
    assert (cpu.controllers, cpu.is_known, [cpu.value(place, "cpu.shares") for place in cpu.places()]) == (
        ("cpu", "cpuacct"), True, ["7", ""],
    )  # fmt: skip
    assert (named.is_known, named.line) == (False, "1:name=systemd:/elsewhere")
    assert [(place, unified.value(place, "memory.max")) for place in unified.places()] == [
        ("/a/b", "5"),
        ("/a", ""),
        ("", "max"),
    ]


def test_a_system_without_groups_has_no_hierarchies(tmp_path: Path) -> None:
    assert hierarchies(str(tmp_path), str(tmp_path / "none")) == []
    assert content(str(tmp_path)) == ""


def test_it_imports_little() -> None:
    code = "from kit.core.cgroups import hierarchies; print({'ast', 'json', 'yaml', 'kit.core.config'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout == "set()\n"
