"""The product `advice`: for each partition, an item of `shop.totals`, its notebook asks the language model of that name."""

import json
from pathlib import Path
from typing import Any

from kit.contracts import MODEL_ENDPOINTS
from tests.support.contracts import contract
from tests.support.files import write
from tests.support.notebooks import notebook
from tests.support.products import descriptor, partition

ASK = [
    "import kit\nimport polars as pl",
    "rows = []\n"
    "for row in kit.read('shop.totals').filter(pl.col('item') == partition).iter_rows(named=True):\n"
    "    made = {'item': row['item'], 'text': None, 'answered_by': None, 'tokens': None, 'problem': None}\n"
    "    try:\n"
    "        answer = kit.model(partition).ask(f\"Advise on {row['item']}: {row['amount']}\", context=[row['item']])\n"
    "        made |= {'text': answer.text, 'answered_by': answer.answered_by, 'tokens': answer.input_tokens}\n"
    "    except kit.ModelError as error:\n"
    "        made['problem'] = str(error)\n"
    "    rows.append(made)\n",
    "names = {'item': pl.String, 'text': pl.String, 'answered_by': pl.String, 'tokens': pl.Int64, 'problem': pl.String}\n"
    "kit.output('advice', pl.DataFrame(rows, schema=names))",
]
COLUMNS = [
    ("item", "varchar", {"required": True, "primaryKey": True}),
    *((name, "varchar", {}) for name in ("text", "answered_by")),
    ("tokens", "bigint", {}),
    ("problem", "varchar", {}),
]


def write_advice(folder: Path, cells: list[str] = ASK, **how: Any) -> None:
    """`how` is part of the declaration of partitions."""
    write(folder / "product.odps.yaml", descriptor("advice", inputs=["shop.totals"], outputs={"advice": "notebook"}))
    partition(folder, "item", **({"keys": ["tea", "cake"], "inputs": {"shop.totals": "item"}} | how))
    write(folder / "contracts/advice.odcs.yaml", contract("advice.advice", "advice", COLUMNS))
    write(folder / "notebooks/advice.ipynb", json.dumps(notebook(cells, "partition: str = 'tea'\n")))


def allow(path: Path, value: Any) -> None:
    """Let a contract allow endpoints; None allows none."""
    data = json.loads(path.read_text())
    others = [item for item in data.get("customProperties", ()) if item["property"] != MODEL_ENDPOINTS]
    data["customProperties"] = others + ([{"property": MODEL_ENDPOINTS, "value": value}] if value else [])
    path.write_text(json.dumps(data))
