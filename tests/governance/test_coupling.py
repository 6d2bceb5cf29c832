import json

import pytest

import kit
from kit.build import safety_findings
from kit.governance.coupling import check_coupling
from kit.lineage import python_rules
from tests.support.findings import pairs
from tests.support.small_mesh import FORECAST, SmallMesh, write


def found(small: SmallMesh) -> list[tuple[str, str]]:
    """The problems, without the folders of their files."""
    context = small.context
    coupling = (item for product in context.mesh.products for item in check_coupling(context, product))
    safety = [item for product in context.mesh.products for item in safety_findings(context.config, product)]
    return [(name, message.rpartition("/domains/")[2]) for name, message in pairs([*safety, *coupling])]


def test_a_mesh_that_reads_what_it_declares_is_proved(small: SmallMesh) -> None:
    small.two_majors()
    small.dbt_reader("old", "amount", "1.0.0")
    assert found(small) == []


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("shop.sales", "reads 'shop.sales', which is no declared input; declare it under inputPorts in product.odps.yaml"),
        ("shop.stg_sales", "reads 'shop.stg_sales', an internal of 'shop'; its ports are: shop.sales, shop.totals"),
        ("shop.main.sales", "reads 'shop.main.sales', an internal of 'shop'; its ports are: shop.sales, shop.totals"),
        ("raw.sales", "reads 'raw.sales', which is no raw source of 'copier'; there are: none"),
        ("copier.copy", "reads 'copier.copy', the product's own port, as if it were an input; use ref('copy')"),
        ("elsewhere.things", "reads 'elsewhere.things', which 'copier' does not declare; its inputs are: shop.totals"),
        ("sales", "reads 'sales', which is no model, seed or input of 'copier'; use ref() or source()"),
        ("information_schema.tables", "reads 'information_schema.tables', the database's own catalog; read tables only"),
        ("'../shop/x.parquet'", "reads the file '../shop/x.parquet' in place of a table; declare what it holds in"),
        ('"x.csv"', "reads the file 'x.csv' in place of a table; declare what it holds in product.odps.yaml"),
        ("glob('*')", "takes rows from glob(), which is no table; read a table"),
    ],
)
def test_a_model_that_reads_what_is_not_declared(small: SmallMesh, source: str, says: str) -> None:
    small.dbt_reader("copier", "amount", "1.0.0")
    more = f"select item, amount from {{{{ source('shop', 'totals') }}}} union all select * from {source}"
    write(small.domains / "copier/models/copy.sql", more)
    ((name, message),) = found(small)
    assert name == "copier"
    assert message.startswith(f"copier/models/copy.sql: {says}")


def test_tests_and_hooks_are_proved_too(small: SmallMesh) -> None:
    write(small.domains / "shop/tests/peeks.sql", "select * from plan.forecast")
    small.replace("domains/shop/models/marts/totals.sql", "select", "{{ config(post_hook=\"copy sales to 'x'\") }}select")
    assert found(small) == [
        (
            "shop",
            "shop/tests/peeks.sql: reads 'plan.forecast', which is no declared input; "
            "declare it under inputPorts in product.odps.yaml",
        ),
        ("shop", "shop/models/marts/totals.sql: a hook runs 'copy', which is no query of tables; delete it"),
    ]


def test_an_input_nothing_reads_is_named(small: SmallMesh) -> None:
    small.dbt_reader("copier", "amount", "1.0.0")
    write(small.domains / "copier/models/copy.sql", "select 'tea' as item, 1.0 as amount")
    says = "copier/product.odps.yaml: declares 'shop.totals' but nothing reads it; delete the input port"
    assert found(small) == [("copier", says)]


ADVICE = "declare the port and read it in a model, or with kit.read in a notebook"
UNPINNED = f"which reads data that the build does not pin; {ADVICE}"
INTERNAL = f"which is internal to the kit; {ADVICE}"


@pytest.mark.parametrize(
    ("cell", "line", "says"),
    [
        ("kit.inputs().read('shop.sales')", 1, "reads 'shop.sales', which is no declared input; declare it under inputPorts"),
        ("i = kit.inputs()\ni.scan('shop.stg')", 2, "reads 'shop.stg', an internal of 'shop'; its ports are: shop.sales"),
        ("port = 'shop.sales'\nkit.inputs().read(port)", 2, "reads 'shop.sales', which is no declared input"),
        ("[kit.inputs().read(f'shop.sales_{d}') for d in days]", 1, "reads 'shop.sales_.*', an internal of 'shop'"),
        ("kit.read('shop.sales')", 1, "reads 'shop.sales', which is no declared input; declare it under inputPorts"),
        ("kit.scan(f'shop.{name}s_old')", 1, "reads 'shop..*s_old', an internal of 'shop'; its ports are: shop.sales"),
        ("kit.open()['shop.sales'].read()", 1, "reads 'shop.sales', which is no declared input"),
        ("cat = kit.open().search('x')\ncat.to_duckdb('shop.sales')", 2, "reads 'shop.sales', which is no declared input"),
        ("entry = kit.open()['shop.sales']\nentry.scan()", 2, "reads 'shop.sales', which is no declared input"),
        ("from kit import read as r\nr('shop.sales')", 2, "reads 'shop.sales', which is no declared input"),
        ("kit.read('shop.totals', '2024')", 1, "read() names a version, but a build pins its own; leave it out"),
        ("kit.open()['shop.totals'].read('2024')", 1, "read() names a version, but a build pins its own; leave it out"),
        ("from kit.storage import Store", 1, f"uses kit.storage.Store, {INTERNAL}"),
        ("import kit.storage.store as s", 1, f"uses kit.storage.store, {INTERNAL}"),
        ("kit.governance.check", 1, f"uses kit.governance.check, {INTERNAL}"),
        ("from kit.core import Config", 1, f"uses kit.core.Config, {INTERNAL}"),
        ("from kit.notebooks import reading", 1, f"uses kit.notebooks.reading, {INTERNAL}"),
        ("k = kit\nk.read('shop.sales')", 2, "reads 'shop.sales', which is no declared input"),
        ("getattr(kit, 'read')('shop.sales')", 1, "reads 'shop.sales', which is no declared input"),
        ("f = kit.read\nf('shop.sales')", 2, "reads 'shop.sales', which is no declared input"),
        ("import intake", 1, f"uses intake, {UNPINNED}"),
        ("__import__('intake')", 1, f"uses intake, {UNPINNED}"),
        ("import importlib\nimportlib.import_module(name)", 2, "importlib.import_module() of a name that is not constant"),
        ("pl.read_parquet('../../shop/data.parquet')", 1, "names '../../shop/data.parquet' in the folder of 'shop'"),
        ("pl.scan_parquet('../../../state/products/*/x')", 1, "names '../../../state/products/*/x' in the storage of the mesh"),
        ("import duckdb\nduckdb.sql(\"from 'state/raw/x.parquet'\")", 2, "reads the file 'state/raw/x.parquet' in place of a"),
        ("p = f'domains/shop/{name}.csv'", 1, "names 'domains/shop/….csv' in the folder of 'shop'"),
        ("from pathlib import Path\nPath('state') / 'raw' / name", 2, "names 'state/raw/…' in the storage of the mesh"),
        ("import os\nos.environ['KIT_STORAGE']", 2, "asks for KIT_STORAGE, a setting of the mesh; read one by its name"),
        ("from domains.shop import ingest", 1, "imports 'domains.shop.ingest', code of a domain; read its ports"),
        ("import subprocess", 1, "uses subprocess, which runs code that cannot be checked; write it out"),
        ("eval('1')", 1, "uses eval, which runs code that cannot be checked; write it out"),
        (
            "x = 1\n%pip install prophet", 2,
            "'%pip install prophet' installs packages, which no build does; declare them in pyproject.toml and delete the line",
        ),
        ("x = 1\n!cat x", 2, "'!cat x' runs code that cannot be checked; write Python"),
        ("%%bash\nls", 1, "'%%bash' runs code that cannot be checked; write Python"),
        ("%%time\nkit.read('shop.sales')", 2, "reads 'shop.sales', which is no declared input"),
        ("x =", 1, "not Python: invalid syntax"),
        ("%%sql\nselect 1\nfrom shop.sales", 2, "reads 'shop.sales', which is no declared input; declare it under inputPorts"),
        ("i = 1\ns = %sql from shop.stg", 2, "reads 'shop.stg', an internal of 'shop'; its ports are: shop.sales, shop.totals"),
        ("%%sql --out x\nfrom read_parquet('a')", 2, "takes rows from read_parquet(), which is no table"),
        ("%mesh pin shop", 1, "'%mesh pin shop' runs code that cannot be checked; write Python"),
    ],
)  # fmt: skip
def test_a_notebook_that_reads_past_its_inputs(small: SmallMesh, cell: str, line: int, says: str) -> None:
    small.notebook("plan", "forecast", [*FORECAST, cell])
    messages = found(small)
    assert {name for name, _ in messages} == {"plan"}
    assert messages[0][1].startswith(f"plan/notebooks/forecast.ipynb: cell 5, line {line}: {says}")


@pytest.mark.parametrize(
    "cell",
    [
        "inputs = kit.inputs()\ninputs.read(f'shop.{name}')",
        "kit.read('shop.totals'), kit.scan(name)",
        "from kit.core import KitError\nfrom kit.drawing import Picture\nkit.read('shop.totals')",
        "cat = kit.open()\ncat\ncat['shop.sales']\ncat['shop.totals'].read()\ncat.search('tea').read('shop.totals')",
        "'''A note: see ../../shop/README.md'''",
        "pl.read_csv('notes/own.csv')",
        "%matplotlib inline",
        "import re\nre.compile('a/b')",
        "%load_ext kit",
        "%%sql --out sums\nselect item from Shop.Totals join own using (item)",
        "class Model:\n    def eval(self): ...\nModel().eval()",
    ],
)
def test_what_a_notebook_may_do(small: SmallMesh, cell: str) -> None:
    small.notebook("plan", "forecast", [*FORECAST, cell])
    assert found(small) == []


def test_an_input_may_be_read_in_sql_alone(small: SmallMesh) -> None:
    small.notebook("plan", "forecast", [FORECAST[0], "%%sql --out totals\nfrom shop.totals", *FORECAST[2:]])
    assert found(small) == []


def test_a_module_beside_a_notebook_is_looked_into(small: SmallMesh) -> None:
    write(small.domains / "plan/notebooks/helper.py", "import kit.storage\ndef get(): return kit.read('shop.stg')\n")
    small.notebook("plan", "forecast", ["import helper", *FORECAST])
    assert found(small) == [
        ("plan", f"plan/notebooks/helper.py:1: uses kit.storage, {INTERNAL}"),
        (
            "plan",
            "plan/notebooks/helper.py:2: reads 'shop.stg', an internal of 'shop'; its ports are: shop.sales, shop.totals",
        ),
    ]


def test_an_input_of_the_product_is_not_one_of_every_port(small: SmallMesh) -> None:
    path = small.domains / "plan/product.odps.yaml"
    data = json.loads(path.read_text())
    data["outputPorts"][0]["inputContracts"] = []
    write(path, json.dumps(data))
    messages = [message for _, message in found(small)]
    assert messages[0] == (
        "plan/notebooks/forecast.ipynb: cell 3, line 1: "
        "reads 'shop.totals', which is no input of 'plan.forecast'; add it to inputContracts of that port"
    )


@pytest.mark.parametrize("cell", ["use(kit.inputs())", "frames = list(map(kit.read, names))", "use(kit.open())"])
def test_inputs_handed_on_may_be_read_anywhere(small: SmallMesh, cell: str) -> None:
    small.notebook("plan", "forecast", [FORECAST[0], cell, FORECAST[3]])
    assert found(small) == []


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "def sales():\n    return '../plan/notebooks/x.csv'\n",
            "2: names '../plan/notebooks/x.csv' in the folder of 'plan'",
        ),
        ("import kit\ndef sales():\n    return kit.read('plan.forecast')\n", f"3: uses kit.read, {UNPINNED}"),
    ],
)
def test_ingest_reads_raw_data_only(small: SmallMesh, code: str, says: str) -> None:
    write(small.domains / "shop/ingest.py", code)
    ((name, message),) = found(small)
    assert (name, message.partition(";")[0]) == ("shop", f"shop/ingest.py:{says.partition(';')[0]}")


def test_every_public_name_of_the_kit_may_be_used() -> None:
    assert set(kit.__all__) == python_rules.KIT | python_rules.BY_HAND
