"""The published and the committed catalogs, opened by plain Intake in a process that cannot import the kit."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from kit.core.yaml import read_yaml
from kit.storage.index import write
from kit.storage.intake import mesh_catalog, snapshot_catalog
from kit.storage.snapshot import Snapshot
from kit.storage.store import Store
from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh

WITHOUT_KIT = """
    import json, sys
    sys.modules["kit"] = None
    import intake

    catalog = intake.open_catalog(sys.argv[1])
    found = {}
    for product in catalog:
        ports = getattr(catalog, product).read()
        for port in ports:
            reader = ports[port]
            frame = reader.read()
            assert type(frame).__name__ == "LazyFrame", type(frame)
            found[f"{product}.{port}"] = {**reader.metadata, "rows": frame.collect().height}
        found[product] = catalog[product].metadata
    sales = catalog.shop.sales.read().collect()
    print(json.dumps([found, sales.columns, str(sales["amount"].sum())]))
"""


def plain_intake(catalog: Path, cwd: Path) -> Any:
    command = [sys.executable, "-c", textwrap.dedent(WITHOUT_KIT), str(catalog)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=HANG, check=False, env=without_kit())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def without_kit() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "KIT_ROOT")}


def test_plain_intake_reads_every_port_through_each_catalog(small: SmallMesh) -> None:
    versions = {name: small.publish(name) for name in ("shop", "plan")}
    found, columns, total = plain_intake(Path("catalog.yaml"), small.root)
    assert (columns, total) == (["sale_id", "item", "amount", "sold_on"], "480.00")
    assert found["shop"] == {
        "description": "what shop is for",
        "owner": "shop owner",
        "owner_contact": "o@example.com",
        "domain": "shop",
        "ports": ["sales", "totals"],
    }
    assert found["shop.sales"] == {
        "description": "One row per sales.",
        "owner": "shop owner",
        "owner_contact": "o@example.com",
        "contract_version": "1.0.0",
        "status": "active",
        "snapshot_version": versions["shop"],
        "sla": {"latency_hours": 48.0, "frequency_hours": 24.0, "latency_column": "sold_on"},
        "columns": {"sale_id": "bigint", "item": "varchar", "amount": "decimal(10,2)", "sold_on": "date"},
        "rows": 30,
    }
    assert {name: entry["rows"] for name, entry in found.items() if "rows" in entry} == {
        "shop.sales": 30,
        "shop.totals": 2,
        "plan.forecast": 2,
    }
    elsewhere = plain_intake(small.config.storage / "catalog.yaml", Path("/"))
    assert elsewhere == [found, columns, total]
    found, _, _ = plain_intake(Path("catalog.yaml"), small.domains / "shop")
    assert sorted(found) == ["shop", "shop.sales", "shop.totals"]


def test_the_storage_lists_what_was_published(small: SmallMesh) -> None:
    small.publish("shop")
    write(small.context)
    assert list(read_yaml(small.config.storage / "catalog.yaml").data["entries"]) == ["shop"]


def manifest(**ports: dict[str, Any]) -> dict[str, Any]:
    return {"version": "v1", "ports": {name: {"contract_version": "1.0.0", **entry} for name, entry in ports.items()}}


def test_a_port_is_one_text_whatever_the_number_of_its_files() -> None:
    text = snapshot_catalog(manifest(a={"files": {"b.parquet": "", "a.parquet": ""}}, b={"files": {"data.parquet": ""}}))
    urls = [data["kwargs"]["url"] for data in yaml.safe_load(text)["data"].values()]
    assert urls == ["{folder[1]}/v1/a", "{folder[1]}/v1/b"]


READERS = """
    import json, os, sys
    sys.modules["kit"] = None
    import intake

    found = []
    for folder in (".", "domains/shop", "elsewhere"):
        os.chdir(os.path.join(sys.argv[1], folder))
        for path in sys.argv[2:]:
            for name in (os.path.join(sys.argv[1], path), os.path.relpath(os.path.join(sys.argv[1], path))):
                port = intake.open_catalog(name).shop.a
                read = {
                    "default": port.read().collect()["generation"],
                    "polars": port.to_reader("polars").read().collect()["generation"],
                    "pandas": port.to_reader("pandas").read()["generation"],
                    "duckdb": [row[0] for row in port.to_reader("duckdb").read().fetchall()],
                }
                found += [[folder, name, reader, list(map(int, values))] for reader, values in read.items()]
    print(json.dumps(found))
"""


def test_all_readers_follow_each_catalog_from_any_folder_also_in_a_moved_copy(tmp_path: Path) -> None:
    first, copy = tmp_path / "clone", tmp_path / "copy"
    version = publish(Store(first / "state"), 1, None).version
    about = {"description": "", "owner": "", "contact": "", "domain": "", "ports": ["a", "b"]}
    for path, way in CATALOGS.items():
        (first / path).parent.mkdir(parents=True, exist_ok=True)
        (first / path).write_text(mesh_catalog({"shop": about}, f"{{CATALOG_DIR}}/{way}state"))
    (first / "elsewhere").mkdir()
    shutil.copytree(first, copy)
    publish(Store(first / "state"), 2, version)
    assert generations(first) == {2}
    assert generations(copy.rename(tmp_path / "renamed")) == {1}


CATALOGS = {"catalog.yaml": "", "domains/shop/catalog.yaml": "../../", "state/catalog.yaml": "../"}


def generations(root: Path) -> set[int]:
    """Return what Intake reads with each reader, from each folder, by relative and absolute paths: two rows of one value."""
    command = [sys.executable, "-c", textwrap.dedent(READERS), str(root), *CATALOGS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False, env=without_kit())
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 3 * len(CATALOGS) * 2 * 4
    assert [item for item in found if item[3] != [item[3][0]] * 2] == []
    return {values[0] for *_, values in found}


HARD = [
    "data(x) of it",
    "{data(x)}",
    "a: b # c",
    '"quoted" \\ back',
    "\x00\x07\x7f\x85\u2028\ufeff\ufffe",
    "naïve 日本 😀",
    "- x",
    "",
]


@pytest.mark.parametrize("text", HARD)
def test_any_description_comes_out_as_it_went_in(tmp_path: Path, text: str) -> None:
    about = {"description": text, "owner": text, "contact": "", "domain": "d", "ports": ["on"]}
    catalog = mesh_catalog({"null": about}, "{CATALOG_DIR}")
    metadata = yaml.safe_load(catalog)["entries"]["null"]["metadata"]
    assert metadata["description"].removeprefix(" ") == text
    (tmp_path / "c.yaml").write_text(catalog)
    assert read_yaml(tmp_path / "c.yaml").data["entries"]["null"]["metadata"] == metadata


def publish(store: Store, generation: int, parent: str | None) -> Snapshot:
    with store.build_lock("shop"):
        staging = store.stage("shop", "r", ["a", "b"])
        for port in ("a", "b"):
            for part in ("1", "2"):
                pl.DataFrame({"generation": [generation]}).write_parquet(staging / port / f"{part}.parquet")
        ports = {port: {"rows": 1, "contract_version": "1.0.0"} for port in ("a", "b")}
        entry = {"run_id": "r", "fingerprint": str(generation), "inputs": {}, "ports": ports}
        return store.publish("shop", staging, entry, parent=parent)


READ = """
    import json, sys
    from pathlib import Path
    sys.modules["kit"] = None
    import intake

    catalog, stop, seen, torn = intake.open_catalog(sys.argv[1]), Path(sys.argv[2]), [], []
    print("ready", flush=True)
    while not stop.exists():
        shop = catalog.shop.read()
        found = {value for port in ("a", "b") for value in shop[port].read().collect()["generation"]}
        seen.append(max(found))
        if len(found) > 1:
            torn.append(sorted(found))
    print(json.dumps([len(seen), len(set(seen)), torn, seen == sorted(seen)]))
"""


def test_an_intake_reader_never_sees_a_mixture_while_others_publish(tmp_path: Path) -> None:
    store, stop = Store(tmp_path / "state"), tmp_path / "stop"
    parent = publish(store, 0, None).version
    about = {"description": "", "owner": "", "contact": "", "domain": "", "ports": ["a", "b"]}
    root = tmp_path / "catalog.yaml"
    root.write_text(mesh_catalog({"shop": about}, "{CATALOG_DIR}/state"))
    command = [sys.executable, "-c", textwrap.dedent(READ), str(root), str(stop)]
    reader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=without_kit())
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    pause = threading.Event()
    for generation in range(1, 60):
        parent = publish(store, generation, parent).version
        pause.wait(0.02)
    stop.touch()
    out, _ = reader.communicate(timeout=HANG)
    reads, generations, torn, ordered = json.loads(out)
    assert torn == []
    assert ordered
    assert reads >= generations > 2
