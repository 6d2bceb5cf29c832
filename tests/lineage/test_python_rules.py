import json
from pathlib import Path

import pytest

from kit.lineage.python import notebook_reads
from kit.lineage.python_rules import kit_fault
from tests.support.small_mesh import notebook, write


def faults(tmp_path: Path, cell: str) -> list[str]:
    """The faults of a notebook of the product `plan` beside `shop`."""
    path = tmp_path / "domains/plan/notebooks/forecast.ipynb"
    write(path, json.dumps(notebook(["import kit\nimport polars as pl", cell])))
    forbidden = {tmp_path / "domains/shop": "the folder of 'shop'", tmp_path / "state": "the storage of the mesh"}
    return [fault.message for fault in notebook_reads(path, "plan", tmp_path / "domains/plan", forbidden).faults]


@pytest.mark.parametrize(
    "cell",
    [
        "from kit.storage.pins import Pins",
        "import pyarrow as pa\npa.memory_map('../../../feed.csv').read()",
        "import fsspec\nfsspec.filesystem('file').cat('../../../feed.csv')",
        "from urllib.request import urlopen\nurlopen('file://../../../feed.csv')",
        "import jinja2\njinja2.FileSystemLoader('../../..')",
        "import zipfile\nzipfile.ZipFile('a.zip', 'w').write('../../../feed.csv')",
        "from pathlib import Path\nPath('../../../feed.csv').touch()",
        "pl.DataFrame().write_csv('../../../feed.csv')",
        "import duckdb\nduckdb.connect().cursor().execute(\"from '../../../feed.csv'\")",
        "import operator, os\noperator.attrgetter('system')(os)('id')",
        "import timeit\ntimeit.timeit('1')",
        "import posix\nposix.environ",
        "import yaml\nyaml.load('', Loader=yaml.UnsafeLoader)",
        "import kit.pins\nkit.pins.Pins",
        "from kit import *\nread('x')",
        "from kit.core import Config\nConfig.load().storage",
        "kit.read.__globals__['Config'].load().storage",
        "kit.inputs().files['shop.totals'][0].parent",
        "kit.inputs().parquet('shop.totals')[0].parent.parent",
        "p = kit.inputs().parquet('shop.totals')\np[0].parent",
        "kit.scan('shop.totals').explain()",
        "lf = kit.scan('shop.totals')\nlf.filter(pl.col('a')).explain()",
        "from pathlib import Path\nfor p in Path.cwd().parents[2].rglob('*.parquet'): print(p)",
        "pl.read_parquet('/'.join(['..', '..', 'shop', 'x.parquet']))",
        "import pickle\npickle.loads(b'x')",
        "import pickle\npickle.load(open('x.pkl','rb'))",
        "open('/etc/passwd').read()",
        "open(name).read()",
        "import os\nos.listdir('/')",
        "import glob\nglob.glob('../../**')",
        "import io\nio.open('/etc/passwd')",
        "import sys\nsys.modules['kit.storage']",
        "import sys\nsys.path.append('../../../')",
        "kit.open().config.storage",
        "cat = kit.open()\ncat.config.storage",
        "kit.open()['shop.totals'].config.storage",
        "kit.open()['shop.totals']._x",
        "vars(kit)",
        "f(kit)",
        "getattr(kit, name)",
        "getattr(kit, 'storage')",
        "m = [kit]\nm[0].storage",
        "globals()['kit'].storage",
        "import importlib\nimportlib.import_module('kit.storage')",
        "from importlib import import_module\nimport_module('kit.' + 'storage')",
        "__import__('kit.storage')",
        "__import__('os').system('ls')",
        "import builtins\nbuiltins.open('/etc/passwd')",
        "__builtins__.open('x')",
        "().__class__.__base__.__subclasses__()",
        "import inspect\ninspect.getmodule(kit.read)",
        "import gc\ngc.get_objects()",
        "import ctypes",
        "import duckdb\nduckdb.sql(\"select * from '/etc/passwd'\")",
        "import duckdb\nduckdb.connect().execute(\"from read_csv('x.csv')\")",
        "import duckdb\nduckdb.read_parquet('../../x.parquet')",
        "import duckdb\nduckdb.sql(f\"from '{p}'\")",
        "pl.scan_parquet(f'{base}/x.parquet')",
        "import pandas as pd\npd.read_csv('/data/x.csv')",
        "import pandas as pd\npd.read_pickle('x.pkl')",
        "import numpy as np\nnp.load('/x.npy', allow_pickle=True)",
        "import os\nopen(os.path.join('..','..','shop','ingest.py'))",
        "import os\nos.environ['KIT_' + 'RUN_FILE']",
        "import os\ndict(os.environ)",
        "import os\n{**os.environ}",
        "import os\nos.environ[name]",
        "import os\nos.getenv('KIT_ROOT')",
        "from os import environ as e\ne.get(x)",
        "get_ipython().system('cat x')",
        "get_ipython().run_line_magic('run', 'x.py')",
        "import subprocess as s\ns.run(['ls'])",
        "import shutil\nshutil.copy('/a','b')",
        "import linecache\nlinecache.getlines('/etc/passwd')",
        "import sqlite3\nsqlite3.connect('/x.db')",
        "from pathlib import Path\nPath('/etc/passwd').read_text()",
        "from pathlib import Path\nPath.home().joinpath('x').read_text()",
        "from pathlib import Path\n(Path('..') / '..' / 'shop' / 'ingest.py').open()",
        "import tokenize\ntokenize.open('/etc/passwd')",
        "import codecs\ncodecs.open('/etc/passwd')",
        "import pyarrow.parquet as pq\npq.read_table('/x')",
        "import os\nos.open('/etc/passwd', 0)",
        "kit.run('shop')",
        "from kit import run",
        "import kit as k\nk.storage.Store",
        "from kit.notebooks.notebook_run import current_run",
        "reader = open\nreader('/etc/passwd')",
        "r = pl.read_parquet\nr('/x')",
        "[f('/etc/passwd') for f in (open,)]",
        "import polars\npolars.read_parquet(source='/x')",
        "pl.read_parquet(**{'source': '/x'})",
        "pl.DataFrame.deserialize('/x')",
        "import fsspec\nfsspec.open('file://" + "/etc/passwd')",
        "import os.path as p\nprint(p.os.listdir('/'))",
        "import fileinput\nfileinput.input('/x')",
        "with open('/proc/self/environ') as f: pass",
        "import zipfile\nzipfile.ZipFile('/x')",
        "import kit.notebooks.asset as a\na.Store",
        "exec('x')",
        "import code",
        "kit.inputs().__class__.__init__.__globals__",
    ],
)
def test_ways_around_the_inputs_are_refused(tmp_path: Path, cell: str) -> None:
    assert faults(tmp_path, cell)


@pytest.mark.parametrize(
    "cell",
    [
        "kit.read('shop.totals').columns",
        "kit.inputs().versions['shop.totals']",
        "pl.read_parquet(kit.inputs().parquet('shop.totals'))",
        "import io\npl.read_csv(io.StringIO('a'))",
        "import io\nb = io.BytesIO()\npl.read_parquet(b)",
        "open('own.csv', 'w').write('x')",
        "from pathlib import Path\n(Path.cwd() / 'x.csv').read_text()",
        "import os\nos.environ['API_TOKEN'], os.environ.get('HOME'), os.getenv('X_Y')",
        "import duckdb\nduckdb.sql('select * from totals').pl()",
        "import duckdb\nduckdb.sql(f'select * from totals where x > {n}')",
        "type(x).__name__",
        "lf = kit.scan('shop.totals')\nlf.filter(pl.col('a') > 1).collect()",
        "import re\nre.compile('x')",
        "cat = kit.open()\ncat.read('shop.totals')",
        "from kit.drawing import Picture",
        "df.read_all()",
        "model.load(x)",
        "import warnings, datetime, json\njson.loads('1')",
        "import sys\nsys.version",
        "import os\nos.cpu_count()",
        "import matplotlib.pyplot as plt\nplt.savefig('x.png')",
        "class A:\n    def __init__(self): super().__init__()",
        "from IPython.display import display\ndisplay(1)",
        "kit.output('forecast', frame)",
        "kit.scan('shop.totals').collect_schema().names()",
    ],
)
def test_ordinary_code_passes(tmp_path: Path, cell: str) -> None:
    assert faults(tmp_path, cell) == []


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("kit.inputs().files", "uses kit.inputs().files, which is internal to the kit"),
        ("kit.scan('shop.totals').explain()", "uses kit.scan().explain, which shows where files lie"),
        ("kit.run('shop')", "uses kit.run, which is for people, not for builds"),
        ("f(kit)", "hands on the module kit, which cannot be followed"),
        ("x.__globals__", "uses __globals__, which leads into the inside of Python"),
        ("open(name)", "open() of a file whose name is not constant"),
        ("open('/data/x')", "reads '/data/x', which lies outside of its domain folder"),
        ("map(open, names)", "hands on open, which reads files"),
        ("import os\ndict(os.environ)", "reads environment variables whose names are not constant"),
        ("import duckdb\nduckdb.sql(q)", "runs SQL whose tables are not constant"),
    ],
)
def test_a_fault_says_what_is_wrong(tmp_path: Path, cell: str, message: str) -> None:
    assert faults(tmp_path, cell) == [message]


def test_names_of_the_kit() -> None:
    assert [kit_fault(name) for name in ("kit", "kit.read", "kit.drawing.Picture", "kitchen.sink", "polars.read_csv")] == [
        ""
    ] * 5
    assert kit_fault("kit.read.__globals__") == "is internal to the kit"
