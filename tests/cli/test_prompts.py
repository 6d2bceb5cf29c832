import os
import pty
import subprocess
import sys
from pathlib import Path

from kit.mesh.mesh import Mesh
from tests.support.small_mesh import SmallMesh

NOBODY = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "TERM": "dumb"}


def at_a_terminal(root: Path, arguments: list[str], answers: list[str]) -> tuple[int, list[str]]:
    """What `kit` says to a person who gives these answers, and its exit code."""
    ours, theirs = pty.openpty()
    os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
    command = [sys.executable, "-m", "kit", *arguments]
    with subprocess.Popen(
        command, cwd=root, env={**os.environ, **NOBODY}, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 4096):
                said += part
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    return process.returncode, [line.strip() for line in said.decode().splitlines()]


def test_a_bad_answer_is_asked_again(small: SmallMesh) -> None:
    names, owners = ["Big", "shop", "port", "tearoom"], ["Ann", "Ann Lee <ann@example.com>"]
    answers = [*names, *owners, "", "gone.csv", "shop.nothing", "shop.totals"]
    code, said = at_a_terminal(small.root, ["new"], answers)
    assert code == 0, said
    assert [line.partition("Error: ")[2].partition(";")[0] for line in said if "Error: " in line] == [
        "'Big' cannot name a data product",
        "domains/shop: exists already",
        "'port' is a word of this command",
        "'Ann' is not an owner",
        "there is no file gone.csv",
        "'shop' has no port 'nothing'",
    ]
    assert "written: domains/tearoom/product.odps.yaml" in said
    product = Mesh.load(small.domains).product("tearoom")
    assert (product.owner, product.owner_contact, product.domain) == ("Ann Lee", "ann@example.com", "tearoom")
    assert [item.port for item in product.inputs] == ["shop.totals"]
