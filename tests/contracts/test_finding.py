import pickle
from pathlib import Path

import pytest

from kit.contracts.finding import Finding
from kit.core.errors import InvalidFile, KitError, NotebookError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding("shop", None, None, "no owner"), "no owner"),
        (Finding("shop", Path("a.yaml"), None, "no owner", "name one"), "a.yaml: no owner; name one"),
        (Finding("shop", Path("a.yaml"), 3, "no owner", detail="-x\n+y"), "a.yaml:3: no owner\n-x\n+y"),
        (
            Finding("shop", Path("a.ipynb"), 3, "reads it", "declare it", cell=2),
            "a.ipynb: cell 2, line 3: reads it; declare it",
        ),
        (Finding("shop", Path("a.ipynb"), None, "is empty", cell=2), "a.ipynb: cell 2: is empty"),
    ],
)
def test_the_text_of_a_finding(finding: Finding, text: str) -> None:
    assert str(finding) == text


def test_a_path_below_the_working_folder_is_relative(folder: Path) -> None:
    assert str(Finding("shop", folder / "domains/a.yaml", 3, "no owner")) == "domains/a.yaml:3: no owner"


def test_a_finding_has_the_place_of_its_error(folder: Path) -> None:
    error = InvalidFile("no owner", folder / "a.yaml", 3, "team.0")
    finding = Finding.from_error("shop", error, "name one")
    assert finding == Finding("shop", folder / "a.yaml", 3, "team.0: no owner", "name one")
    assert str(finding) == f"{error}; name one" == "a.yaml:3: team.0: no owner; name one"


def test_an_error_of_another_library_has_no_place() -> None:
    assert Finding.from_error("shop", OSError("disk full")) == Finding("shop", None, None, "disk full")


def test_json_has_the_parts_and_the_whole_text() -> None:
    assert Finding("shop", Path("a.yaml"), 3, "no owner", "name one", "warning").to_json() == {
        "product": "shop", "path": "a.yaml", "line": 3, "message": "no owner", "fix": "name one", "severity": "warning",
        "cell": None, "detail": "", "problem": "a.yaml:3: no owner; name one",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KitError("disk full"), "disk full"),
        (NotebookError("is empty", Path("a.ipynb")), "a.ipynb: is empty"),
        (InvalidFile("no owner", Path("a.yaml"), 3, "team"), "a.yaml:3: team: no owner"),
        (InvalidFile("no owner", Path("a.json"), field="team"), "a.json: team: no owner"),
    ],
)
def test_an_error_begins_with_its_place_and_survives_pickling(error: KitError, text: str) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (str(error), str(copy), vars(copy)) == (text, text, vars(error))
