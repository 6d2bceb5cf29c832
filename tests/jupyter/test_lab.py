"""`kit lab`, and what a person sees of it in a browser."""

import json
import signal
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import expect

from kit.core.errors import KitError
from kit.jupyter import lab
from tests.support.lab import SECONDS, LabPage, needs_browser, running_lab
from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh


def test_without_jupyterlab_the_error_names_the_remedy(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "find_spec", lambda name: None)
    with pytest.raises(KitError) as error, lab.lab(small.config, 8888, browser=False):
        raise AssertionError("it started")
    assert str(error.value) == "`kit lab` needs the package jupyterlab; run `make install`"


def test_its_state_is_private(small: SmallMesh) -> None:
    folder = lab.place(small.config).folder
    assert (folder, folder.stat().st_mode & 0o777) == (small.root / ".mesh" / "lab", 0o700)


@pytest.mark.parametrize("has_tour", [True, False])
def test_it_opens_on_the_tour_where_there_is_one(small: SmallMesh, has_tour: bool) -> None:
    if has_tour:
        (small.root / "notebooks").mkdir()
        (small.root / lab.START).touch()
    files: Any = lab._files(small.config, Path("place"), {}, "secret")
    opens = files["jupyter_lab_config.json"]["LabApp"]["default_url"]
    assert opens == ("/lab/tree/notebooks/00_start.ipynb" if has_tour else "/lab")


@pytest.mark.slow
def test_settings_of_the_user_neither_weaken_it_nor_change(small: SmallMesh, tmp_path: Path) -> None:
    user, data = tmp_path / "user", tmp_path / "data"
    kernel = data / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps({"argv": ["/elsewhere"], "display_name": "elsewhere", "language": "python"}))
    user.mkdir()
    for name in ("jupyter_server_config.py", "jupyter_lab_config.py"):
        (user / name).write_text(
            "c.ServerApp.ip = '0.0.0.0'\nc.ServerApp.base_url = '/mine'\nc.ServerApp.allow_origin = '*'\n"
            "c.ServerApp.root_dir = '/'\nc.IdentityProvider.token = ''\nc.LabApp.default_url = '/tree'\n"
        )
    with running_lab(small.root, user, JUPYTER_DATA_DIR=str(data), JUPYTER_PATH=str(data)) as running:
        before = {path: path.read_bytes() for path in user.rglob("*") if path.is_file()}
        listening = set()
        for process in psutil.Process(running.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                connections = process.net_connections()
                listening |= {item.laddr for item in connections if item.status == psutil.CONN_LISTEN}
        assert {address.ip for address in listening} == {"127.0.0.1"}
        token = {"authorization": f"token {running.address.partition('=')[2]}"}
        kernels = asked(running.home + "api/kernelspecs", token)["kernelspecs"]
        assert kernels["python3"]["spec"]["argv"][0] != "/elsewhere"
        assert {item["name"] for item in asked(running.home + "api/contents", token)["content"]} >= {
            "pyproject.toml",
            "domains",
        }
        again = small.kit("lab", "--no-browser")
        assert again.returncode == 0
        said, address = " ".join(again.stdout.split()).rsplit(" ", 1)
        assert said.startswith(f"JupyterLab runs already for this mesh (process {running.process.pid}")
        assert address == running.address
        family = psutil.Process(running.process.pid).children(recursive=True)
        running.process.send_signal(signal.SIGTERM)
        out, err = running.process.communicate(timeout=HANG)
        assert (running.process.returncode, out.strip().endswith("stopped"), err) == (0, True, "")
        assert [process for process in family if process.is_running()] == []
    after = {path: path.read_bytes() for path in user.rglob("*") if path.is_file()}
    assert after == before


def asked(address: str, headers: dict[str, str]) -> Any:
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=HANG) as response:
        return json.load(response)


@pytest.mark.slow
@needs_browser
def test_it_opens_the_tour_without_a_question_and_runs_it(lab_page: LabPage) -> None:
    expect(lab_page.page.get_by_role("heading", name="Start here")).to_be_visible()
    lab_page.run_all()
    lab_page.check_ran()


@pytest.mark.slow
@needs_browser
def test_the_launcher_begins_with_the_mesh(lab_page: LabPage) -> None:
    lab_page.command("launcher:create")
    section = lab_page.page.locator(".jp-Launcher-section").first
    expect(section.locator(".jp-Launcher-sectionTitle")).to_have_text("Data mesh")
    expect(section.locator(".jp-LauncherCard-label")).to_have_text(["Dagster", "Catalog", "New asset notebook"])
    section.get_by_text("Catalog").click()
    expect(lab_page.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")).to_contain_text("shop.sales", timeout=SECONDS)
    lab_page.command("kit:new-notebook")
    made = lab_page.lab.root / "notebooks" / "new_asset.ipynb"
    try:
        expect(lab_page.page.get_by_role("heading", name="new_asset")).to_be_visible()
    finally:
        made.unlink()
    assert lab_page.elsewhere == set()
    assert lab_page.complaints == []
