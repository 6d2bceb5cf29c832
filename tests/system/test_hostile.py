"""Hostile files: `kit check` refuses each in one sentence, runs nothing of it and shows no traceback."""

import base64
import json
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.cli.main import main
from kit.sync.sync import check_generated, sync
from tests.support.edit import edited
from tests.support.small_mesh import SmallMesh

PRODUCT = "domains/shop/product.odps.yaml"
CONTRACT = "domains/shop/contracts/sales.odcs.yaml"
SUITE = "domains/shop/expectations/sales.extra.json"
CATALOG = "catalog.yaml"
OWN_CATALOG = "domains/shop/catalog.yaml"
CHANGED = "differs from product.odps.yaml and pyproject.toml"


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch marker",)


PICKLE = base64.b64encode(pickle.dumps(Bomb())).decode()
ContractChange = Callable[[SmallMesh], None]


def check(small: SmallMesh, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What `kit check` prints, once it has ended as it must."""
    monkeypatch.chdir(small.root)
    monkeypatch.setattr(sys, "argv", ["kit", "check"])
    monkeypatch.setitem(sys.modules, "intake", None)  # an import of it fails
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert not list(small.root.rglob("marker"))
    out, err = capsys.readouterr()
    assert err == ""
    return out.partition("\n\n")[0].splitlines()


def text(path: str, content: str | bytes) -> ContractChange:
    def change(small: SmallMesh) -> None:
        (small.root / path).write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def put(path: str, old: str, new: str) -> ContractChange:
    return lambda small: small.replace(path, old, new)


def field(path: str, where: str, value: Any) -> ContractChange:
    """Set one field of a JSON file."""

    def change(small: SmallMesh) -> None:
        file = small.root / path
        file.write_text(json.dumps(edited(json.loads(file.read_text()), where, value), indent=1))

    return change


def link(path: str, target: str) -> ContractChange:
    def change(small: SmallMesh) -> None:
        file = small.root / path
        outside = small.root.parent / f"{small.root.name}-outside" / target
        outside.parent.mkdir(exist_ok=True)
        if file.exists():
            file.rename(outside)
        else:
            outside.write_text("")
        file.symlink_to(outside)

    return change


def both(first: ContractChange, second: ContractChange) -> ContractChange:
    def change(small: SmallMesh) -> None:
        first(small)
        second(small)

    return change


def missing(small: SmallMesh) -> None:
    (small.root / CATALOG).unlink()


def catalog(old: str, new: str) -> ContractChange:
    return put(CATALOG, old, new)


URL = '"{CATALOG_DIR}/state/products/shop/catalog.yaml"'
READER = '"intake.readers.readers:YAMLCatalogReader"'

CATALOGS: dict[str, ContractChange] = {
    "python tag": catalog("metadata: {}", "metadata: !!python/object/apply:os.system ['touch marker']"),
    "func template": catalog('"what shop is for"', '"{func(os:getcwd)}"'),
    "import template": catalog(URL, '"{import(antigravity)}"'),
    "pickle template": catalog(URL, f'"{{pickle64({PICKLE})}}"'),
    "env template": catalog(URL, '"{env(HOME)}/x"'),
    "shell template": catalog(URL, '"{shell(touch marker)}"'),
    "client env template": catalog(URL, '"{client_env(HOME)}"'),
    "unclosed template": catalog(URL, '"{func(os:system"'),
    "template in a key": catalog("    metadata:\n      desc", '    metadata:\n      "{func(os:getcwd)}": x\n      desc'),
    "foreign reader": catalog(READER, '"subprocess:run"'),
    "other Intake reader": catalog(READER, '"intake.readers.readers:Retry"'),
    "foreign datatype": catalog('"intake.readers.datatypes:CatalogFile"', '"os:system"'),
    "foreign output": catalog('"intake.readers.entry:Catalog"', '"antigravity:x"'),
    "reader is no text": catalog(READER, "[a]"),
    "class of an entry": catalog(f"reader: {READER}", f"reader: {READER}\n    cls: os:system"),
    "reader option": catalog('args: ["', 'func: "os:system"\n      args: ["'),
    "storage options": catalog(f"url: {URL}", f"url: {URL}\n      storage_options: {{}}"),
    "user parameters": catalog("user_parameters: {}\nal", "user_parameters: {a: {cls: 'os:system'}}\nal"),
    "path out with ..": catalog(URL, '"{CATALOG_DIR}/../../../etc/passwd"'),
    "absolute path": catalog(URL, "/etc/passwd"),
    "home path": catalog(URL, '"~/.netrc"'),
    "http url": catalog(URL, '"http://example.com/c.yaml"'),
    "chained url": catalog(URL, '"simplecache::s3:x"'),
    "home of nobody": catalog(URL, '"~nobody-here/x"'),
    "argument that is a url": catalog('"{data(shop-product)}"', '"http://example.com/c.yaml"'),
    "argument that is a path": catalog('"{data(shop-product)}"', '"{CATALOG_DIR}/../c.yaml"'),
    "link to elsewhere": link(CATALOG, "c.yaml"),
    "link inside a path": both(lambda small: (small.root / "way").symlink_to("/etc"), catalog(URL, '"{CATALOG_DIR}/way/passwd"')),
    "entry is a text": text(CATALOG, "version: 2\nentries: {shop: x}\n"),
    "arguments are a text": catalog('kwargs:\n      args: ["{data(shop-product)}"]', "kwargs: x"),
    "unknown part": catalog("metadata: {}\nuser", "metadata: {}\nplugins: [os]\nuser"),
    "alias bomb": text(CATALOG, "a: &a [x]\nb: [*a, *a]\n"),
    "deep nesting": text(CATALOG, "{a: " * 100_000),
    "huge file": text(CATALOG, b"# " + b"x" * 2_000_000),
    "duplicate keys": catalog("version: 2", "version: 2\nversion: 1"),
    "not UTF-8": text(CATALOG, b"\xff\xfe"),
    "NUL byte": text(CATALOG, b"version: 2\0\n"),
    "harmless edit": catalog('"what shop is for"', '"mine"'),
    "missing": missing,
}  # fmt: skip
DESCRIPTORS: dict[str, tuple[str, ContractChange, str]] = {
    "python tag": (PRODUCT, text(PRODUCT, "id: !!python/object/apply:os.system ['touch marker']"), "the tag 'tag:yaml.org,2002:"),
    "billion laughs": (PRODUCT, text(PRODUCT, "a: &a [l]\nb: &b [*a,*a]\nc: [*b,*b]\n"), "1: anchors and aliases (&, *) are not"),
    "product of another name": (PRODUCT, field(PRODUCT, "name", "plan"), "'plan' must be the folder's name, 'shop'"),
    "port that climbs": (PRODUCT, field(PRODUCT, "outputPorts 0 name", "../x"), "'../x' is not a name; use a-z, 0-9 and _"),
    "port with a look-alike": (PRODUCT, field(PRODUCT, "outputPorts 0 name", "sаles"), "'sаles' is not a name; use a-z, 0-9"),
    "port with a line end": (PRODUCT, field(PRODUCT, "outputPorts 0 name", "sales\n\x1b[2J"), "'sales\\n\\x1b[2J' is not a name; use a-z, 0-9 and _"),
    "port with SQL": (PRODUCT, field(PRODUCT, "outputPorts 0 name", 'a"; drop table b'), "is not a name; use a-z, 0-9 and _"),
    "port that is raw": (PRODUCT, field(PRODUCT, "outputPorts 0 name", "raw"), "'raw' names raw data; choose another name"),
    "input that climbs": (PRODUCT, field(PRODUCT, "inputPorts 0 name", "raw.../x"), "'raw.../x' is not PRODUCT.PORT, nor raw."),
    "contract of another product": (PRODUCT, field(PRODUCT, "outputPorts 0 contractId", "plan.forecast"), "must be 'shop.sales'"),
    "unknown kind of port": (PRODUCT, field(PRODUCT, "outputPorts 0 type", "shell"), "'shell' is not one of dbt, notebook"),
    "field that runs": (PRODUCT, field(PRODUCT, "postBuild", "touch marker"), "there is no field 'postBuild'"),
    "version that climbs": (PRODUCT, field(PRODUCT, "version", "../../1.0.0"), "'../../1.0.0' is not a version such as 1.0.0"),
    "jinja in a description": (
        PRODUCT, field(PRODUCT, "description purpose", "{{ env_var('HOME') }}"), "'{{' begins a template, which dbt or Intake would run",
    ),
    "Intake template in an owner": (PRODUCT, field(PRODUCT, "team 0 name", "{func(os:getcwd)}"), "'{func(' begins a template"),
    "contract id of another product": (CONTRACT, field(CONTRACT, "id", "plan.forecast"), "'plan.forecast' must be 'shop.sales'"),
    "table that climbs": (CONTRACT, field(CONTRACT, "schema 0 name", "../sales"), "'../sales' is not a name; use a-z, 0-9"),
    "column with SQL": (
        CONTRACT, field(CONTRACT, "schema 0 properties 1 name", 'x" from y; --'), "is not a name; use a-z, 0-9 and _",
    ),
    "type with SQL": (
        CONTRACT, field(CONTRACT, "schema 0 properties 1 physicalType", "varchar); drop table x"), "is not a column type; use one",
    ),
    "bound with SQL": (
        CONTRACT, field(CONTRACT, "schema 0 properties 2 logicalTypeOptions minimum", "0); drop table x"), "is a text, not a number",
    ),
    "age of a column with SQL": (
        CONTRACT, field(CONTRACT, "slaProperties 1 element", "sales.sold_on; drop table x"), "is not a date or timestamp of 'sales'",
    ),
    "two queries": (
        CONTRACT,
        field(CONTRACT, "schema 0 quality 1", {"type": "sql", "query": "select 1; select 2", "mustBe": 1}),
        "'its query gives = 1' is 2 statements; write one query",
    ),
    "query that reads a file": (
        CONTRACT,
        field(CONTRACT, "schema 0 quality 1", {"type": "sql", "query": "select count(*) from Read_Text ('/etc/passwd')", "mustBe": 1}),
        "'its query gives = 1' takes rows from read_text(), which is no table",
    ),
    "query of a path": (
        CONTRACT,
        field(CONTRACT, "schema 0 quality 1", {"type": "sql", "query": "select count(*) from '/etc/passwd.csv'", "mustBe": 1}),
        "'its query gives = 1' reads the file '/etc/passwd.csv' in place of a table",
    ),
    "custom rule that reads a file": (
        CONTRACT,
        field(
            CONTRACT,
            "schema 0 quality 1",
            {
                "type": "custom",
                "engine": "greatExpectations",
                "implementation": {
                    "type": "unexpected_rows_expectation",
                    "kwargs": {"unexpected_rows_query": "select * from read_csv('/etc/passwd')"},
                },
            },
        ),
        "'unexpected_rows_expectation' takes rows from read_csv(), which is no table",
    ),
    "suite that writes a file": (
        SUITE,
        field(SUITE, "expectations 2", {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": "copy (from x) to 'marker'"}}),
        "'unexpected rows expectation: copy (from x) to 'marker'' runs 'copy', which is no query of tables",
    ),
    "foreign engine": (
        CONTRACT,
        field(CONTRACT, "schema 0 quality 1", {"type": "custom", "engine": "shell", "implementation": "touch marker"}),
        "'shell' cannot be checked; use greatExpectations",
    ),
    "pattern that is none": (
        CONTRACT, field(CONTRACT, "schema 0 properties 1 logicalTypeOptions", {"pattern": "("}), "'(' is not a regular expression",
    ),
    "jinja in a column": (
        CONTRACT, field(CONTRACT, "schema 0 properties 0 description", "{% do run_query('x') %}"), "'{%' begins a template, which",
    ),
    "endless number": (CONTRACT, put(CONTRACT, '"maximum": 1000', '"maximum": ' + "9" * 5000), "is a text, not a number"),
    "contract that is a link": (CONTRACT, link(CONTRACT, "sales.odcs.yaml"), "leaves the folder; keep files inside it"),
}  # fmt: skip


@pytest.mark.parametrize("name", CATALOGS)
def test_a_changed_catalog_is_refused_and_never_opened(
    small: SmallMesh, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A catalog can run code, read secrets or reach the network when Intake opens it; the kit compares its bytes."""
    CATALOGS[name](small)
    problem = {"missing": "is missing", "link to elsewhere": "is a link"}.get(name, CHANGED)
    assert check(small, capsys, monkeypatch) == [f"catalog.yaml: catalog.yaml: {problem}; run `kit sync`"]
    sync(small.context)
    assert list(check_generated(small.context)) == []


def test_a_folder_in_the_place_of_a_catalog(
    small: SmallMesh, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing(small)
    (small.root / CATALOG).mkdir()
    says = "catalog.yaml: catalog.yaml: is a folder; delete it, then run `kit sync`"
    assert check(small, capsys, monkeypatch) == [says]
    assert sync(small.context) == []


@pytest.mark.parametrize(("path", "change", "says"), DESCRIPTORS.values(), ids=DESCRIPTORS)
def test_a_hostile_product_or_contract(
    small: SmallMesh,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    change: ContractChange,
    says: str,
) -> None:
    change(small)
    # What it makes of the catalogs is another matter, and the consumer of a broken port is not to blame.
    told = [line for line in check(small, capsys, monkeypatch) if line.startswith(("shop: ", "plan: "))]
    (line,) = (line for line in told if "kit sync" not in line)
    assert line.startswith((f"shop: {path}", "shop: domains/shop: the path")), line
    assert says in line
    assert len(line) < 600


@pytest.mark.parametrize(
    "path", ["notebooks/forecast.ipynb", "ingest.py", "expectations/forecast.extra.json", "models/stg.sql"]
)
def test_a_link_out_of_the_domain(
    small: SmallMesh, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    (small.domains / "plan" / path).parent.mkdir(exist_ok=True)
    link(f"domains/plan/{path}", "target")(small)
    lines = check(small, capsys, monkeypatch)
    assert lines[0] == f"plan: domains/plan: the path '{path}' leaves the folder; keep files inside it"


@pytest.mark.parametrize(
    "name", ["raw", "Shop", "shоp", "a-b", "1a", "main", "x" * 64, "a b", "information_schema", "sh\u200bop"]
)
def test_a_folder_with_a_hostile_name(
    small: SmallMesh, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (small.domains / name).mkdir()
    (line,) = check(small, capsys, monkeypatch)
    assert line.startswith(f"{name}: domains/{name}: '{name}' cannot name a data product; use a-z, 0-9 and _, ")


def test_a_changed_catalog_of_a_broken_product_is_refused_once_the_product_is_repaired(
    small: SmallMesh, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    descriptor = (small.root / PRODUCT).read_text()
    (small.root / PRODUCT).write_text("kind: [")
    small.replace(OWN_CATALOG, '"what shop is for"', '"{env(HOME)}"')
    (line,) = check(small, capsys, monkeypatch)
    assert line.startswith(f"shop: {PRODUCT}:2: not valid YAML")
    (small.root / PRODUCT).write_text(descriptor)
    assert check(small, capsys, monkeypatch) == [f"shop: {OWN_CATALOG}: {CHANGED}; run `kit sync`"]


def test_a_notebook_that_would_run_when_it_is_looked_at_is_not_run(
    small: SmallMesh, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path: Path = small.notebook("plan", "forecast", ["__import__('os').system('touch marker')"])
    lines = check(small, capsys, monkeypatch)
    at = f"plan: {path.relative_to(small.root)}: "
    assert lines == [
        f"{at}cell 1, line 1: uses os.system, which runs code that cannot be checked; write it out",
        f'{at}never calls kit.output("forecast", frame)',
        "plan: domains/plan/product.odps.yaml: declares 'shop.totals' but nothing reads it; delete the input port",
    ]
