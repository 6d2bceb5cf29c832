"""What a team would use instead: the demo's SQL in one dbt project with the tests of its contracts, and in SQLMesh."""

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path

import yaml

from kit.core.config import Config
from kit.dbt.compiler import statements
from kit.dbt.project import Project
from kit.mesh.product import DataProduct
from tests.bench.measuring import ROOT, Cost, Row, measure

SQLMESH = ROOT / ".venv/sqlmesh"
"""The environment that `make bench-peers` makes."""

Landed = Sequence[tuple[DataProduct, dict[str, Path]]]


def rows(folder: Path, landed: Landed, config: Config) -> list[Row]:
    """The rows of the peers, each of which builds everything from nothing; SQLMesh only where it is installed."""
    dbt_project(folder / "dbt", landed)
    found = [Row("one dbt project with the same tests of ports", partial(_dbt, folder / "dbt"))]
    if (SQLMESH / "bin/sqlmesh").exists():
        sqlmesh_project(folder / "sqlmesh", landed, config)
        found.append(Row("SQLMesh, two audits a port", partial(_sqlmesh, folder / "sqlmesh")))
    return found


def compiled_models(config: Config, product: DataProduct) -> Iterator[tuple[str, str]]:
    """Yield the models of a product in build order, each with the SQL that dbt makes of it."""
    compiled = {item.name: item.sql for item in statements(config, product) if item.kind == "model"}
    reads = {model.name: set(model.reads) & set(compiled) for model in Project.read(product.folder).models}
    for name in TopologicalSorter({name: reads[name] for name in compiled}).static_order():
        yield name, compiled[name]


def dbt_project(root: Path, landed: Landed) -> None:
    """Write one project of all models: ports are Parquet files as in the kit, and tests only warn, as bad rows are in it."""
    (root / "macros").mkdir(parents=True)
    kit = (ROOT / "kit/dbt/macros/kit.sql").read_text()
    tests = kit.partition("{% endmaterialization %}")[2]
    (root / "macros/kit.sql").write_text(tests)
    (root / "macros/schema.sql").write_text(
        "{% macro generate_schema_name(name, node) %}{{ name or target.schema }}{% endmacro %}"
    )
    sources, marts = [], {}
    for product, files in landed:
        shutil.copytree(product.folder / "models", root / "models" / product.name)
        for path in (product.folder / "macros").glob("*.sql"):
            if path.name != "kit.sql":
                shutil.copy(path, root / "macros" / path.name)
        (root / "models" / product.name / "sources.yml").unlink()
        for path in (root / "models" / product.name).rglob("*.*"):
            path.write_text(re.sub(r"source\('(?!raw')\w+', *'(\w+)'\)", r"ref('\1')", path.read_text()))
        sources += [{"name": name, "config": {"external_location": str(path)}} for name, path in files.items()]
        marts[product.name] = {
            "+schema": product.name,
            "staging": {"+materialized": "view"},
            "marts": {"+materialized": "external", "+options": {"compression": "zstd"}},
        }
    _yaml(root / "models/sources.yml", {"sources": [{"name": "raw", "schema": "raw", "tables": sources}]})
    _yaml(
        root / "dbt_project.yml",
        {
            "name": "peer", "version": "1.0.0", "profile": "peer", "models": {"peer": marts},
            "data_tests": {"+severity": "warn"}, "flags": {"send_anonymous_usage_stats": False},
        },
    )  # fmt: skip
    output = {"type": "duckdb", "path": str(root / "peer.duckdb"), "external_root": str(root / "out"), "threads": 2}
    _yaml(root / "profiles.yml", {"peer": {"target": "local", "outputs": {"local": output}}})
    # Rules that read landed data name it as SQL of the kit does.
    views = [f"create or replace view raw.\"{name}\" as from '{path}'" for _, files in landed for name, path in files.items()]
    project = yaml.safe_load((root / "dbt_project.yml").read_text())
    _yaml(root / "dbt_project.yml", project | {"on-run-start": ["create schema if not exists raw", *views]})


def _dbt(root: Path) -> Cost:
    for name in ("target", "out", "peer.duckdb"):
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    (root / "out").mkdir()
    return measure([str(Path(sys.executable).with_name("dbt")), "build"], root, environment={"DO_NOT_TRACK": "1"})


def sqlmesh_project(root: Path, landed: Landed, config: Config) -> None:
    """Write the models as SQLMesh's: full tables for ports, with the required columns and the key of the contract as audits."""
    (root / "models").mkdir(parents=True)
    _yaml(
        root / "config.yaml",
        {
            "gateways": {"local": {"connection": {"type": "duckdb", "database": "peer.duckdb"}}},
            "model_defaults": {"dialect": "duckdb", "start": "2017-01-01"},
        },
    )  # fmt: skip
    for product, files in landed:
        for name, path in files.items():
            _model(root, f"raw.{name}", "VIEW", f"select * from read_parquet('{path}')")
        models = list(compiled_models(config, product))
        for name, sql in models:
            for other, _ in models:
                sql = re.sub(rf'(?<!\.)"{other}"(?!\.)', f'"{product.name}"."{other}"', sql)
            port = product.port(name)
            _model(root, f"{product.name}.{name}", "FULL" if port else "VIEW", sql, _audits(port.contract) if port else "")


def _audits(contract: object) -> str:
    required = [column.name for column in contract.columns if column.required]  # type: ignore[attr-defined]
    key = ", ".join(contract.key)  # type: ignore[attr-defined]
    audits = [f"not_null(columns := ({', '.join(required)}))"] if required else []
    return ", ".join(audits + ([f"unique_combination_of_columns(columns := ({key}))"] if key else []))


def _model(root: Path, name: str, kind: str, sql: str, audits: str = "") -> None:
    head = f"MODEL (name {name}, kind {kind}{f', audits ({audits})' if audits else ''});"
    (root / "models" / f"{name}.sql").write_text(f"{head}\n\n{sql}\n")


def _sqlmesh(root: Path) -> Cost:
    (root / "peer.duckdb").unlink(missing_ok=True)
    shutil.rmtree(root / ".cache", ignore_errors=True)
    command = [str(SQLMESH / "bin/sqlmesh"), "plan", "--auto-apply", "--no-prompts"]
    return measure(command, root, environment={"SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "true"})


def _yaml(path: Path, content: object) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False))
