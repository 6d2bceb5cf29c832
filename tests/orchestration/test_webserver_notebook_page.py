import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from kit.core.errors import MaskError
from kit.orchestration.webserver import NotebookApp
from kit.storage.store import Store
from tests.support.small_mesh import notebook, write


async def dagster(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"dagster"})


def get(storage: Path, address: str, **query: str) -> tuple[int, str]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": address, "query_string": urlencode(query).encode()}
    asyncio.run(NotebookApp(dagster, storage)(scope, None, send))  # type: ignore[arg-type]
    return sent[0]["status"], sent[1]["body"].decode()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    path = tmp_path / "runs/plan/r1/notebooks/forecast.ipynb"
    write(path, json.dumps(notebook(["x = 1"])))
    write(tmp_path / "runs/plan/r1/record.json", "{}")
    write(tmp_path / "other.ipynb", json.dumps(notebook(["secret = 1"])))
    (tmp_path / "runs/link.ipynb").symlink_to(tmp_path / "other.ipynb")
    write(tmp_path / "runs/plan/r1/notebooks/broken.ipynb", "{")
    return path


def test_an_executed_copy_is_shown(tmp_path: Path, copy: Path) -> None:
    status, page = get(tmp_path, "/dagster/notebook", path=str(copy), repoLocName="mesh")
    assert status == 200
    assert "<title>forecast</title>" in page


@pytest.mark.parametrize(
    "path", ["", "other.ipynb", "runs/../other.ipynb", "runs/link.ipynb", "runs/plan/r1/record.json", "runs/gone.ipynb", "a\0b"]
)
def test_no_other_file_is(tmp_path: Path, copy: Path, path: str) -> None:
    assert get(tmp_path, "/dagster/notebook", path=str(tmp_path / path)) == (
        404, "no executed notebook of this mesh; its run may have been pruned\n"
    )  # fmt: skip


def test_a_copy_that_may_show_a_masked_column_is_refused(tmp_path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(_: Store, product: str, run_id: str) -> None:
        asked.append((product, run_id))
        raise MaskError("it shows e-mail addresses")

    monkeypatch.setattr(Store, "refuse_exposed_run", refuse)
    assert get(tmp_path, "/dagster/notebook", path=str(copy)) == (403, "it shows e-mail addresses\n")
    assert asked == [("plan", "r1")]


def test_a_broken_copy_is_an_error_with_the_reason(tmp_path: Path, copy: Path) -> None:
    status, said = get(tmp_path, "/dagster/notebook", path=str(copy.with_name("broken.ipynb")))
    assert (status, "not valid JSON" in said) == (404, True)


def test_all_else_is_dagsters(tmp_path: Path) -> None:
    assert get(tmp_path, "/dagster/assets/plan/notebook") == (299, "dagster")
