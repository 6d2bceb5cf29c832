import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.core import Places
from kit.core.config import Config
from kit.core.errors import ConfigError, NotebookError
from kit.core.mask_key import MASK_KEY
from kit.core.secrets import Secrets
from kit.notebooks.executor import NotebookLimits, execute
from kit.notebooks.kernel_pool import KernelPool, NotebookRun
from tests.support.small_mesh import SmallMesh, notebook, write

VALUE = "s3cr&t/ä'x"
URL = "postgres://me:s%40cret-pw@host/db"
SECRETS = Secrets({"API_TOKEN": VALUE, "PEM": "first line\n\nabc\nlast line", "DB_URL": URL})


def config(root: Path, settings: str = "", **environ: str) -> Config:
    write(root / "pyproject.toml", f"[tool.kit]\n{settings}\n")
    return Config.load(root, environ)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"<{VALUE}>", "<[API_TOKEN]>"),
        (repr([VALUE]), '["[API_TOKEN]"]'),
        (json.dumps(VALUE), '"[API_TOKEN]"'),
        ("https://x.example/?t=s3cr%26t%2F%C3%A4%27x&u=s3cr%26t/%C3%A4%27x", "https://x.example/?t=[API_TOKEN]&u=[API_TOKEN]"),
        ("<td>s3cr&amp;t/ä&#x27;x</td>", "<td>[API_TOKEN]</td>"),
        ("a first line, b last line, abc", "a [PEM], b [PEM], abc"),
        ("s3cr&t", "s3cr&t"),
        ("?t=s3cr%26t%2f%c3%a4%27x", "?t=[API_TOKEN]"),
        ("select 's3cr&t/ä''x'", "select '[API_TOKEN]'"),
        (repr(VALUE.encode()), 'b"[API_TOKEN]"'),
        (ascii(VALUE), '"[API_TOKEN]"'),
        (json.dumps(json.dumps({"t": "s3cr&t/ä'x"})), '"{\\"t\\": \\"[API_TOKEN]\\"}"'),
        (VALUE.encode().hex(), "[API_TOKEN]"),
        (base64.b64encode(VALUE.encode()).decode().rstrip("="), "[API_TOKEN]"),
        ("postgres://me:s%40cret-pw@host/db or s@cret-pw", "[DB_URL] or [DB_URL]"),
    ],
)
def test_a_value_is_recognised_as_it_is_written(text: str, shown: str) -> None:
    assert SECRETS.scrubbed(text) == shown
    assert SECRETS.scrubbed({"a": [text, 1, None]}) == {"a": [shown, 1, None]}


@pytest.mark.parametrize("user", ["", "u", "us", "use"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_value_in_the_middle_of_base64_is_recognised(user: str, encode: Callable[[bytes], bytes]) -> None:
    shown = SECRETS.scrubbed(encode(f"{user}:{VALUE}:end".encode()).decode())
    assert "[API_TOKEN]" in shown
    assert len(shown) < len(encode(f"{user}::end".encode())) + len("[API_TOKEN]") + 4


def test_a_value_that_is_too_short_for_a_secret_is_not_looked_for() -> None:
    short = Secrets({"SHOP_DSN": "x"})
    assert (short.scrubbed({"a": "x y"}), short.scrubbed(b"x"), short.found_in("x")) == ({"a": "x y"}, b"x", None)
    assert short.begun_at(b"abc") == 3


def test_secrets_are_named_or_matched_and_never_shown(tmp_path: Path) -> None:
    environ = {"API_TOKEN": "abcdef", "PIN_TOKEN": "1234", "DB_URL": "postgres://x", "HOME": "/srv/x", "NO_TOKEN": ""}
    assert Secrets.from_environment(config(tmp_path), environ).values == {"API_TOKEN": "abcdef"}
    assert Secrets.from_environment(config(tmp_path, "secrets = ['DB_URL']"), environ).values == {"DB_URL": "postgres://x"}
    keyed = config(tmp_path, "secrets = []", **{MASK_KEY: "k" * 16})
    assert Secrets.from_environment(keyed, environ).values == {MASK_KEY: "k" * 16}
    assert repr(SECRETS) == "Secrets()"
    assert config(tmp_path, KIT_SECRETS="A,B_*").secrets == ("A", "B_*")
    with pytest.raises(ConfigError) as error:
        Secrets.from_environment(config(tmp_path, "secrets = ['PIN_TOKEN']"), environ)
    assert all(text in str(error.value) for text in ("PIN_TOKEN", "4 characters", "at least 6", "[tool.kit]"))
    with pytest.raises(ConfigError) as error:
        config(tmp_path, "secrets = ['A B']")
    assert str(error.value) == "pyproject.toml: [tool.kit] secrets is ['A B']; it must be names of environment variables"


def test_records_of_a_notebook_contain_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "hunter2hunter2")
    monkeypatch.setenv(MASK_KEY, "k" * 16)
    cells = [
        "import os, sys; value = os.environ['API_TOKEN']; print(value[:4], end='', flush=True); print(value[4:])",
        "os.environ.get('KIT_MASK_KEY')",
        "from IPython.display import HTML, display; shown = display(HTML('wait'), display_id=True); shown.update(HTML(value))",
        "sys.__stderr__.write(value); sys.__stderr__.flush()",
        "raise ValueError('https://x.example/?token=' + value)",
    ]
    write(tmp_path / "plan.ipynb", json.dumps(notebook(cells)))
    run = NotebookRun(
        tmp_path / "plan.ipynb", "plan", "plan", tmp_path / "runs", tmp_path / "staged.parquet", Places(write=(tmp_path,))
    )
    secrets = Secrets({"API_TOKEN": "hunter2hunter2"})
    with KernelPool([run], secrets, 1) as kernels, pytest.raises(NotebookError) as error:
        execute(run, {}, NotebookLimits(20, 1), kernels, secrets.scrubbed)
    assert str(error.value).endswith("cell 5 failed: ValueError: https://x.example/?token=[API_TOKEN]")
    kept = run.executed.read_text() + run.log.read_text()
    assert "hunter2" not in kept
    cells = json.loads(run.executed.read_text())["cells"]
    outputs = [[output.get("text") or output.get("data") for output in cell["outputs"]] for cell in cells if "outputs" in cell]
    assert [["[API_TOKEN]\n"]] in outputs
    assert "k" * 16 not in kept
    assert "[API_TOKEN]" in run.log.read_text()


def test_a_build_keeps_secrets_out_of_messages_and_parameters(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "hunter2hunter2")
    write(small.domains / "shop/ingest.py", "import os\ndef sales():\n    raise OSError('GET ?t=' + os.environ['API_TOKEN'])\n")
    outcome = small.build("shop")
    assert outcome.status == "failed"
    assert "GET ?t=[API_TOKEN]" in outcome.message
    refused = small.build("plan", parameters={"name": "x hunter2hunter2"})
    assert refused.message == (
        "the parameter 'name' of 'plan' holds the secret API_TOKEN, and parameters are recorded; "
        "leave it out and write os.environ['API_TOKEN'] in the notebook"
    )
    kept = [path for path in (small.config.storage).rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    assert kept == []


def test_a_value_that_is_too_short_replaces_nothing() -> None:
    secrets = Secrets({"SHOP_TOKEN": "wrong"})
    assert secrets.scrubbed({"a": ["a wrong token"]}) == {"a": ["a wrong token"]}
    assert secrets.scrubbed(b"wrong") == b"wrong"
    assert (secrets.found_in("wrong"), secrets.begun_at(b"wro")) == (None, 3)
