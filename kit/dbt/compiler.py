"""The SQL a product runs: its dbt models, tests and hooks with all templates resolved, in most cases without dbt."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from kit.contracts import Contract, DocumentReader
from kit.core import Config, ContentCache, KitError, TransformError, read_text, short
from kit.core import database as work
from kit.dbt.renderer import DATABASE, HOOKS, CompiledStatement, RenderedProject, hook_texts, rendered
from kit.dbt.runner import dbt_arguments
from kit.mesh import RAW, DataProduct

_SECONDS = 120
_ENVIRONMENT = re.compile(r"""env_var\(\s*['"](\w+)""")


def statements(config: Config, product: DataProduct) -> tuple[CompiledStatement, ...]:
    """Everything the dbt project of a product runs but generic tests, whose SQL is dbt's own; of one partition, if it has some.

    The kit renders the templates itself. Where only dbt can (a macro that asks the database, a package, an alias), it runs
    `dbt compile` over empty tables, once until the project changes. Raises `TransformError` when dbt refuses the project.
    """
    try:
        return rendered(config, product)
    except TransformError:
        return _by_dbt(config, product, RenderedProject(config, product))


def _by_dbt(config: Config, product: DataProduct, project: RenderedProject) -> tuple[CompiledStatement, ...]:
    """The result of `dbt compile`, cached by the content of all that it depends on."""
    tables = _tables(config, product)
    named = sorted(
        {name for path in product.folder.rglob("*.sql") if path.is_file() for name in _ENVIRONMENT.findall(read_text(path))}
    )
    environment = [f"{name}={project.environment.get(name)}" for name in named]
    cache = ContentCache(config.cache / "compiled" / product.name)
    key = ContentCache.key(str(product.folder), product.code_digest(), repr(tables), *environment)
    text = cache.lookup(key)
    if text is None:
        text = json.dumps([asdict(item) for item in _compile(config, product, project, tables)], default=str)
        cache.put(key, text)
    cache.save()
    return tuple(CompiledStatement(**{**item, "path": Path(item["path"])}) for item in json.loads(text))


def _tables(config: Config, product: DataProduct) -> dict[str, dict[str, str]]:
    """The columns of every table whose contract can be read, for templates that ask the database."""
    contracts = {f"{RAW}.{source.name}": source.contract for source in product.sources}
    contracts |= {port.name: port.contract for port in product.ports}
    for item in product.inputs:
        _, _, name = item.port.partition(".")
        path = config.domains / item.product / "contracts" / f"{name}.odcs.yaml"
        with suppress(KitError):
            contracts[item.name] = Contract.load(path, DocumentReader(config.cache, item.product))
    return {table: {column.name: column.type for column in contract.columns} for table, contract in contracts.items()}


def _compile(
    config: Config, product: DataProduct, project: RenderedProject, tables: Mapping[str, Mapping[str, str]]
) -> Iterator[CompiledStatement]:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / f"{DATABASE}.duckdb"
        with work.connect(database) as connection:
            work.add_tables(connection, tables)
        partitions = product.partitions
        partition = next(iter(partitions.all(config.clock())), None) if partitions else None
        arguments = dbt_arguments("compile", product, Path(folder), partition)
        ports = ",".join(port.name for port in product.ports)
        environment = {"KIT_WORK_DATABASE": str(database), "KIT_STAGING": folder, "KIT_PORTS": ports, "KIT_FILE": "data"}
        try:
            process = subprocess.run(
                [sys.executable, "-c", "from dbt.cli.main import cli; cli()", *arguments, "--log-level", "error"],
                env={**project.environment, **environment},
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TransformError(f"'{product.name}': dbt did not compile the project in {_SECONDS} s") from None
        if process.returncode:
            # dbt reports on stdout; the interpreter writes to stderr while it ends.
            output = " ".join((process.stdout.strip() or process.stderr).split())
            raise TransformError(f"'{product.name}': dbt cannot compile the project: {output[-600:]}")
        manifest = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))
    nodes = list(manifest["nodes"].values())
    relations = {node["relation_name"]: work.quoted(node["name"]) for node in nodes if node.get("relation_name")}
    for node in nodes:
        if node["resource_type"] not in ("model", "snapshot", "test", "operation") or node.get("test_metadata"):
            continue
        path = product.folder / node["original_file_path"]
        code = node.get("compiled_code") or node.get("raw_code") or ""
        for relation, name in relations.items():
            code = code.replace(relation, name)
        if node["resource_type"] == "operation":
            yield _hook(project, node["name"], path, code)
        else:
            kind = node["resource_type"].replace("snapshot", "model")
            yield CompiledStatement(node["name"], kind, path, project.short_names(code))
        for text in (text for key in sorted(HOOKS) for text in hook_texts(node["config"].get(key))):
            yield _hook(project, node["name"], path, text)


def _hook(project: RenderedProject, name: str, path: Path, text: str) -> CompiledStatement:
    """A hook, whose template `dbt compile` does not render; raises `TransformError` for one that only a run of dbt renders."""
    try:
        return CompiledStatement(name, "hook", path, project.hook(text))
    except TransformError as error:
        raise TransformError(f"{short(path)}: the hook '{' '.join(text.split())[:60]}' needs a run of dbt: {error}") from None
