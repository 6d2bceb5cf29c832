import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kit.build.places import ingest_process
from kit.core.errors import IngestError
from kit.core.mask_key import MASK_KEY
from kit.core.passing import why_it_may_pass
from kit.ingest.process import Returned
from tests.support.small_mesh import SmallMesh, write


@pytest.fixture(autouse=True)
def here(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)


def call(small: SmallMesh, body: str) -> Returned:
    write(small.domains / "shop/ingest.py", body)
    product = small.product("shop")
    with ingest_process(small.config, product) as process:
        return process.call(product.sources[0].name, "shop.raw.sales")


def problem(small: SmallMesh, body: str) -> str:
    with pytest.raises(IngestError) as caught:
        call(small, body)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("import os\ndef sales(): os._exit(0)", "exit code 0, as exit(), quit() and os._exit() give it; take them out"),
        ("import os\nos._exit(3)", "exit code 3, as exit(), quit() and os._exit() give it; take them out"),
        (
            "import ctypes\ndef sales(): ctypes.string_at(0)",
            "crashed (SIGSEGV), by an error in native code, such as that of a compiled library",
        ),
        ("import os\ndef sales(): os.kill(os.getpid(), 9)", "killed (SIGKILL), as it is when memory runs out"),
        (
            "import os, time\ndef sales():\n    if os.fork() == 0: time.sleep(30)\n    os._exit(1)",
            "exit code 1, as exit(), quit() and os._exit() give it; take them out",
        ),
    ],
)
def test_a_process_that_ends_is_a_failure(small: SmallMesh, body: str, says: str) -> None:
    before = psutil.Process().children()
    assert problem(small, body) == f"domains/shop/ingest.py: sales() ended its process: {says}"
    left = set(psutil.Process().children()) - set(before)
    assert not [child for child in left if child.status() != psutil.STATUS_ZOMBIE]


def test_a_state_with_the_value_of_a_secret_is_refused(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "sesame99")
    body = (
        "import os\nfrom kit.ingest import State\ndef sales(state):\n    yield {'n': 1}\n"
        "    yield State({'next': 'page?key=' + os.environ['SHOP_TOKEN']})\n"
    )
    assert problem(small, body) == (
        "shop.raw.sales: its state contains the value of SHOP_TOKEN, and would be in the manifest; leave it out"
    )


@pytest.fixture
def near_root() -> Iterator[Path]:
    """A folder whose path polars does not shorten in its errors."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


READS = [
    "open({path!r}).read()",
    "__import__('polars').read_csv({path!r})",
    "__import__('polars').scan_csv({path!r})",
    "__import__('duckdb').sql(\"from read_csv('\" + {path!r} + \"')\").pl()",
    "{path!r}",
]


@pytest.mark.parametrize("read", READS)
def test_a_file_that_is_not_declared_is_refused_with_what_to_declare(small: SmallMesh, near_root: Path, read: str) -> None:
    path = near_root / "elsewhere/x.csv"
    write(path, "a\n1\n")
    text = problem_of_landing(small, f"def sales():\n    return {read.format(path=str(path))}\n")
    assert text.endswith(
        f"{path} is no place of this source; if it may read there, declare it in domains/shop/sources/sales.odcs.yaml: "
        f"customProperties: [{{property: reads, value: [{path.parent}]}}]"
    )
    small.replace("domains/shop/sources/sales.odcs.yaml", "../../feed", "$FEEDS/elsewhere")
    assert "the environment variable FEEDS is not set" in problem_of_landing(small, f"def sales():\n    return {str(path)!r}\n")


def problem_of_landing(small: SmallMesh, body: str) -> str:
    from tests.support.landing import land_source

    write(small.domains / "shop/ingest.py", body)
    with pytest.raises(IngestError) as caught:
        land_source(small.config, small.product("shop"), small.root / "raw")
    return str(caught.value)


def test_a_declared_place_may_be_named_by_a_variable(small: SmallMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDS", str(tmp_path))
    write(tmp_path / "elsewhere/x.csv", "a\n1\n")
    small.replace("domains/shop/sources/sales.odcs.yaml", "../../feed", "${FEEDS}/elsewhere")
    body = f"def sales():\n    return open({str(tmp_path / 'elsewhere/x.csv')!r}).read()\n"
    assert call(small, body).paths == ("a\n1\n",)


def test_a_path_that_polars_shortens_is_named_as_far_as_it_is_known(small: SmallMesh, tmp_path: Path) -> None:
    path = tmp_path / "a folder whose name is long" / "and another one within it, so that polars shortens the path" / "x.csv"
    write(path, "a\n1\n")
    text = problem_of_landing(small, f"def sales():\n    return __import__('polars').read_csv({str(path)!r})\n")
    assert "polars shortens the path/x.csv is no place of this source; if it may read there, declare it in " in text
    assert text.endswith("[{property: reads, value: [FOLDER]}]")


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("../plan", "reads '../plan', which is in the folder of 'plan'; declare a port of it as an input"),
        ("../../state/raw", "reads '../../state/raw', which is in the storage of the mesh; declare a port of it as an input"),
    ],
)
def test_a_place_of_others_cannot_be_declared(small: SmallMesh, place: str, says: str) -> None:
    small.replace("domains/shop/sources/sales.odcs.yaml", "../../feed", place)
    assert problem(small, "def sales(): ...") == f"domains/shop/sources/sales.odcs.yaml: {says}"


def test_the_storage_other_domains_and_the_parent_are_out_of_reach(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MASK_KEY, "the key of the mesh")
    small.replace("domains/shop/sources/sales.odcs.yaml", "../../feed", "../..")  # does not open what lies in it to others
    write(small.config.storage / "raw/x.csv", "x")
    for path in (small.config.storage / "raw/x.csv", small.domains / "plan/product.odps.yaml"):
        assert f"{path} is no place of this source" in problem(small, f"def sales(): open({str(path)!r})")
    assert "environ is no place of this source" in problem(
        small, "import os\ndef sales(): open(f'/proc/{os.getppid()}/environ')"
    )
    assert call(small, f"import os\ndef sales(): return os.environ.get({MASK_KEY!r}, 'none')").paths == ("none",)
    assert call(small, f"def sales(): return open({str(small.feed)!r}).readline()").paths[0].startswith("sale_id")


def test_it_writes_in_its_folder_and_in_the_temporary_one(small: SmallMesh) -> None:
    body = "import tempfile, pathlib\ndef sales():\n    {}\n    return 'x'\n"
    assert call(small, body.format("tempfile.TemporaryFile().write(b'x')")).paths == ("x",)
    own = small.domains / "shop/new.csv"
    assert call(small, body.format(f"pathlib.Path({str(own)!r}).write_text('x')")).paths == ("x",)
    assert "it writes in its domain folder and in that of `tempfile`" in problem(
        small, body.format(f"pathlib.Path({str(small.feed)!r}).write_text('x')")
    )
    assert "Permission" in problem(small, body.format(f"pathlib.Path({str(small.domains / 'shop/link')!r}).symlink_to('/etc')"))


def test_what_it_and_its_children_print_goes_to_standard_error(small: SmallMesh, capfd: pytest.CaptureFixture[str]) -> None:
    call(small, "import os\nprint('one')\ndef sales():\n    os.system('echo two')\n    print('three')\n    return 'x'")
    assert capfd.readouterr() == ("", "one\ntwo\nthree\n")


def test_an_interrupt_reaches_the_function_so_that_it_can_clean_up(small: SmallMesh) -> None:
    here = small.domains / "shop"
    body = (
        "import pathlib, time\nhere = pathlib.Path(__file__).parent\ndef sales():\n    try:\n"
        "        (here / 'begun').touch()\n        time.sleep(60)\n    finally:\n        (here / 'cleaned').touch()\n"
    )

    def interrupt() -> None:
        while not (here / "begun").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        call(small, body)
    assert (here / "cleaned").exists()
    assert time.monotonic() - begun < 30


def test_a_failure_of_the_network_may_pass(small: SmallMesh) -> None:
    with pytest.raises(IngestError) as caught:
        call(small, "def sales(): raise ConnectionResetError('gone')")
    assert why_it_may_pass(caught.value) == "the network failed"


def test_a_secret_is_removed_before_a_message_is_cut(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "hunter2hunter2hunter2")
    body = "import os\ndef sales():\n    raise ValueError('x' * 160 + os.environ['API_TOKEN'] + 'y' * 200)\n"
    assert problem(small, body).endswith(f"sales() failed: ValueError: {'x' * 160}[API_TOK …")


def test_what_it_prints_has_no_secrets_and_no_commands_to_the_terminal(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("API_TOKEN", "hunter2hunter2")
    body = """
import os, subprocess, sys
def sales():
    token = os.environ["API_TOKEN"]
    print("\\x1b[31mred\\x1b[0m \\x1b[2J 10 %\\r20 % ä")
    print(token[:5], end="", flush=True)
    print(token[5:], flush=True)
    subprocess.run(["echo", token])
    return "feed.csv"
"""
    call(small, body)
    assert capsys.readouterr() == ("", "\x1b[31mred\x1b[0m \\x1b[2J 10 %\r20 % ä\n[API_TOKEN]\n[API_TOKEN]\n")


def test_a_source_without_an_end_is_stopped_by_the_setting(small: SmallMesh) -> None:
    small.replace("pyproject.toml", "[tool.kit]", "[tool.kit]\nsource_timeout_seconds = 2")
    endless = "import time\n\n\ndef sales():\n    while True:\n        time.sleep(0.01)\n        yield {'a': 1}\n"
    assert problem(small, endless) == (
        "domains/shop/ingest.py: sales() ran longer than 2 s and was stopped; raise source_timeout_seconds in [tool.kit] if it "
        "needs more"
    )
