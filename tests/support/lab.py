"""JupyterLab on a small mesh in a real browser: `kit lab`, started once for all tests that use it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kit.core.files import to_json
from kit.sync.sync import sync
from tests.support.files import write
from tests.support.notebooks import notebook
from tests.support.serving import serving
from tests.support.small_mesh import SmallMesh

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SECONDS = 240_000  # milliseconds that a page on a busy machine may take
needs_browser = pytest.mark.skipif(
    shutil.which("chromium") is None, reason="chromium is not installed (Debian: apt install chromium)"
)
"""Mark for tests that take `lab_page`, in addition to `slow`."""

_BROWSER = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"]
_IDLE = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


@dataclass
class RunningLab:
    """A running `kit lab`: its address with the token, the folder of its mesh, its process."""

    address: str
    root: Path
    process: "subprocess.Popen[str]"

    @property
    def home(self) -> str:
        """The address without the token."""
        return self.address.partition("?")[0]


@contextmanager
def running_lab(root: Path, user: Path, **environment: str) -> Iterator[RunningLab]:
    """Run `kit lab` in a mesh, with its address; ends all its processes afterwards.

    `user` is the Jupyter folder of the user; its settings expose the page's application to the tests.
    """
    (user / "labconfig").mkdir(parents=True, exist_ok=True)
    (user / "jupyter_lab_config.json").write_text(to_json({"LabApp": {"expose_app_in_browser": True}}))
    overrides = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}  # renders cells out of sight too
    (user / "labconfig" / "default_setting_overrides.json").write_text(to_json(overrides))
    with serving(root, "lab", "--no-browser", JUPYTER_CONFIG_DIR=str(user), **environment) as (process, address):
        yield RunningLab(address, root, process)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """`kit lab` on a published mesh with a tour and a catalog; a test that changes its files restores them."""
    small = SmallMesh(tmp_path_factory.mktemp("lab"))
    small.replace("pyproject.toml", '"state"', '".mesh"')
    path = small.domains / "plan/product.odps.yaml"
    properties = [{"property": "schedule", "value": "0 6 * * *"}]
    path.write_text(to_json(json.loads(path.read_text()) | {"tags": ["consumer-aligned"], "customProperties": properties}))
    sync(small.context)
    for name in ("shop", "plan"):
        small.publish(name)
    start = notebook(["import kit", "kit.open()", "kit.read('shop.sales')"])
    start["cells"].insert(0, {"cell_type": "markdown", "id": "start", "metadata": {}, "source": "# Start here"})
    write(small.root / "notebooks/00_start.ipynb", to_json(start))
    write(small.root / "notebooks/catalog.ipynb", to_json(notebook(["import kit\n\nbrowser = kit.open().browse()\nbrowser"])))
    with running_lab(small.root, tmp_path_factory.mktemp("user") / "jupyter") as running:
        yield running


@dataclass
class LabPage:
    """A page with JupyterLab, its requests to other hosts and its error messages."""

    page: "Page"
    lab: RunningLab
    elsewhere: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        local = (self.lab.home, self.lab.home.replace("http:", "ws:"), "data:", "blob:")

        def request(address: str) -> None:
            if not address.startswith(local):
                self.elsewhere.add(address)

        self.page.on("request", lambda sent: request(sent.url))
        self.page.on("websocket", lambda socket: request(socket.url))
        self.page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def start(self) -> None:
        """Load JupyterLab and wait until the notebook that it opens first has a kernel."""
        self.page.goto(self.lab.address)
        self.page.wait_for_function(_IDLE)

    def command(self, name: str, **arguments: Any) -> None:
        """Execute a command of JupyterLab and wait for its end."""
        self.page.evaluate("([name, values]) => jupyterapp.commands.execute(name, values).then(() => null)", [name, arguments])

    def open(self, path: str) -> None:
        """Open a notebook by its path from the root of the mesh, and wait for its kernel."""
        self.command("docmanager:open", path=path, factory="Notebook")
        self.page.wait_for_function(_IDLE)

    def run_all(self) -> None:
        """Run all cells of the notebook in front and wait until the kernel is done."""
        self.command("notebook:run-all-cells")
        self.page.wait_for_function(_IDLE)

    def check_ran(self) -> None:
        """Assert that all cells in front ran in order, without a warning, a question or a request to another host."""
        from playwright.sync_api import expect

        prompts = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell .jp-InputPrompt")
        assert prompts.all_inner_texts() == [f"[{number}]:" for number in range(1, prompts.count() + 1)]
        expect(self.page.locator("[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)
        expect(self.page.locator(".Toastify__toast")).to_have_count(0)
        assert self.elsewhere == set()
        assert self.complaints == []

    def cell(self, number: int) -> "Locator":
        """A cell of the notebook in front, counted from 0, with its outputs."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell").nth(number)


@pytest.fixture
def logged_in(lab: RunningLab) -> Iterator[LabPage]:
    """A new browser, 1280 px wide, that is logged in at the Lab of this session but has not loaded it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_BROWSER)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(SECONDS)
        page.context.request.get(lab.address)
        yield LabPage(page, lab)
        browser.close()


@pytest.fixture
def lab_page(logged_in: LabPage) -> Iterator[LabPage]:
    """JupyterLab in a new browser, opened for the first time."""
    shutil.rmtree(logged_in.lab.root / ".mesh" / "lab" / "workspaces", ignore_errors=True)  # notebooks that were open before
    logged_in.start()
    yield logged_in
    logged_in.page.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")
