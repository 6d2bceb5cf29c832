"""What determines the rows of each table of a product, beside its data: the code of the table, and the tables it reads."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kit.build.model_use import model_code
from kit.contracts import Contract
from kit.core import Config, TransformError, is_volatile, mappings, read_json, tables_read
from kit.dbt.committed import macros_path
from kit.dbt.descriptions import without_descriptions
from kit.dbt.project import Project, folder_names, is_contract_test, read_loosely, source_tables, yaml_documents
from kit.dbt.renderer import CompiledStatement, rendered
from kit.mesh import RAW, DataProduct

_DBT_FILES = {"dbt_project.yml", "packages.yml", "package-lock.yml", "dependencies.yml", "selectors.yml", ".dbtignore"}
_DBT_FOLDERS = (("macro-paths", "macros"), ("seed-paths", "seeds"), ("packages-install-path", "dbt_packages"))
_NOT_ROWS = {"data_tests", "tests"}
"""Keys of dbt's YAML, beside descriptions, that change no row of a model."""

_OTHER_FILES = re.compile(
    r"\.sql\b|\.ya?ml\b|\.ipynb\b|\b(models|macros|seeds|contracts|sources|expectations|notebooks|ingest)\b|"
    r"\b(glob|rglob|iterdir|listdir|scandir|walk)\b"
)
"""Text of Python that may open the code of other tables."""
TEXT_FILES = re.compile(
    r"\.ya?ml\b|\.json\b|\.md\b|\b(contracts|sources|expectations)\b|\b(glob|rglob|iterdir|listdir|scandir|walk)\b"
)
"""Text of Python that may open files with texts: descriptor, contracts, suites, YAML of dbt."""


@dataclass(frozen=True)
class TableCode:
    """The code of the tables of a product, by their names: `raw.SOURCE`, a model, a seed, a port.

    `own` has a digest of the code of each table, `reads` the tables that it reads, inputs (`PRODUCT.PORT`) included.
    `volatile` are the tables that may have other rows at another time. `dbt` are the tables that dbt knows. `tests` is a digest
    of the dbt tests, `unit_tested` are the models with unit tests; `tests_volatile` is whether a result may differ at another
    time. `in_parts` is False for a dbt project whose models cannot be told apart, because only dbt can render them, or because
    it has hooks.
    """

    own: Mapping[str, str]
    reads: Mapping[str, frozenset[str]] = field(default_factory=dict)
    volatile: frozenset[str] = frozenset()
    dbt: frozenset[str] = frozenset()
    tests: str = ""
    unit_tested: frozenset[str] = frozenset()
    tests_volatile: bool = False
    in_parts: bool = True

    def closure(self, table: str) -> frozenset[str]:
        """Return a table with all that it is made from."""
        found, waiting = {table}, [table]
        while waiting:
            new = self.reads.get(waiting.pop(), frozenset()) - found
            found |= new
            waiting += new
        return frozenset(found)

    def fingerprints(self, contents: Mapping[str, Any], common: Any = None) -> dict[str, str]:
        """Return the digest of all that determines the rows of each table.

        `contents` are those of sources and inputs, and parameters of notebooks, by table; `common` counts for every table.
        """
        return {
            table: digest(common, {name: (self.own.get(name), contents.get(name)) for name in self.closure(table)})
            for table in sorted({*self.own, *(name for names in self.reads.values() for name in names)})
        }

    def is_volatile(self, table: str) -> bool:
        """Return whether a table may have other rows at another time, over the same data."""
        return not self.volatile.isdisjoint(self.closure(table))


def table_code(config: Config, product: DataProduct, files: Mapping[str, str]) -> TableCode:
    """Return the code of the tables of a product; `files` are the digests of the files of its folder, by relative path.

    What cannot be attributed to one table counts for all.
    """
    tables = {f"{RAW}.{source.name}": source.contract for source in product.sources}
    tables |= {port.name: port.contract for port in product.ports}
    names = {name.lower(): name for name in (*tables, *(item.name for item in product.inputs))}
    names |= {port.id.lower(): port.name for port in product.ports}
    dbt = _dbt_code(config, product, files, names) if product.has_dbt else TableCode({})
    own, reads, volatile = dict(dbt.own), dict(dbt.reads), set(dbt.volatile)
    models = model_code(config, product)
    for port in product.ports:
        if port.notebook is not None:
            own[port.name] = _notebook_code(product, port.notebook, files)
            if port.name in models:
                own[port.name] = digest(own[port.name], models[port.name])
            inputs = (item.name for item in port.reads)
            reads[port.name] = frozenset(names.get(name.lower(), name) for name in inputs)
    for table, contract in tables.items():
        own[table] = digest(own.get(table), _stored(product, contract))
        queries = [rule.assertion.violations.sql("kit_rows") for rule in contract.quarantining if rule.assertion.violations]
        reads[table] = reads.get(table, frozenset()) | _known(queries, names, table)
        if any(map(is_volatile, queries)):
            volatile.add(table)
    return replace(dbt, own=own, reads=reads, volatile=frozenset(volatile))


def digest(*parts: Any) -> str:
    """Return the digest of JSON values; other values count as their text."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()


def _known(queries: Iterable[str], names: Mapping[str, str], table: str) -> frozenset[str]:
    """Return the tables that SQL of `table` reads, out of `names` by their names in lower case."""
    read: set[str] = set()
    for query in queries:
        found = tables_read(query)
        read |= set(names.values()) if found is None else {names[name] for name in found if name in names}
    return frozenset(read - {table})


def _stored(product: DataProduct, contract: Contract) -> Any:
    """What a contract says about the stored rows of its table; its other rules are only checked."""
    columns = [(column.name, column.type, str(column.mask), column.hidden) for column in contract.columns]
    rules = [(rule.name, rule.description, rule.assertion.columns, rule.assertion.violations) for rule in contract.quarantining]
    return columns, rules, sorted(product.hidden_columns) if rules else []


# dbt


def _dbt_code(config: Config, product: DataProduct, files: Mapping[str, str], names: Mapping[str, str]) -> TableCode:
    """The code of models and seeds; every file counts for each of them where they cannot be told apart."""
    settings = read_loosely(product.folder / "dbt_project.yml")
    documents = dict(yaml_documents(product.folder))
    shared = _shared(product.folder, settings, files, documents)
    models = {model.name: model for model in Project.read(product.folder).models}
    names = {**names, **{name.lower(): name for name in models}}
    statements = _statements(config, product)
    sql = {item.name: item.sql for item in statements or () if item.kind == "model"}
    entries = {
        str(item.get("name")): item
        for data in documents.values()
        for kind in ("models", "snapshots")
        for item in mappings(data.get(kind))
    }
    own, reads, volatile = {}, {}, set()
    for name, model in models.items():
        raw = files.get(str(model.path.relative_to(product.folder)))
        if statements is None:
            own[name] = digest(shared, sorted(files.items()))
            reads[name] = frozenset(value for value in names.values() if value not in models)
            volatile |= {name} if model.path.suffix == ".sql" and is_volatile(_text(model.path)) else set()
        elif model.path.suffix == ".sql":
            own[name] = digest(shared, raw, sql.get(name), without_descriptions(entries.get(name), _NOT_ROWS))
            constant = {names[read.lower()] for read in model.reads if read.lower() in names}
            reads[name] = _known([sql.get(name, "")], names, name) | (constant - {name})
            volatile |= {name} if is_volatile(sql.get(name, "")) else set()
        else:
            own[name] = digest(shared, raw)
    test_folders = tuple(folders_below(settings, "test-paths", "tests"))
    test_files = {path: item for path, item in files.items() if path.startswith(test_folders)}
    written = [without_descriptions(_tests(data)) for data in documents.values()]
    tests = digest(
        shared, [item.sql for item in statements or () if item.kind == "test"], sorted(product.hidden_columns), written,
        test_files, "" if statements is not None else sorted(files.items()),
    )  # fmt: skip
    macros = [path for path in files if path.startswith(tuple(folders_below(settings, "macro-paths", "macros")))]
    texts = [repr(written), *(_text(product.folder / path) for path in (*macros, *test_files) if path.endswith(".sql"))]
    sources = (names.get(".".join(table).lower(), "") for table in source_tables(documents.values()).values())
    units = (str(item.get("model")) for data in documents.values() for item in mappings(data.get("unit_tests")))
    seen = frozenset({*models, *(name for read in reads.values() for name in read), *filter(None, sources)})
    return TableCode(
        own, reads, frozenset(volatile), seen, tests, frozenset(units), any(map(is_volatile, texts)), statements is not None
    )


def _statements(config: Config, product: DataProduct) -> tuple[CompiledStatement, ...] | None:
    """The SQL that dbt will run; None where the kit cannot know it, or a hook may change any table."""
    try:
        statements = rendered(config, product)
    except TransformError:
        return None
    return None if any(item.kind == "hook" for item in statements) else statements


def folders_below(settings: Mapping[str, Any], key: str, default: str) -> list[str]:
    """Return the folders below that of a domain, each with a slash; the domain folder itself is an empty text."""
    return [f"{part}/" if (part := Path(name).as_posix()) != "." else "" for name in folder_names(settings, key, default)]


def _shared(
    folder: Path, settings: Mapping[str, Any], files: Mapping[str, str], documents: Mapping[str, Mapping[str, Any]]
) -> Any:
    """All that counts for each model: settings, macros, seeds, packages, and YAML of no single model."""
    folders = tuple(part for key, default in _DBT_FOLDERS for part in folders_below(settings, key, default))
    macros = str(macros_path(folder).relative_to(folder))  # builds refuse any but those of the kit
    models = tuple(folders_below(settings, "model-paths", "models"))
    described = {
        path: {
            key: without_descriptions(value, _NOT_ROWS)
            for key, value in data.items()
            if key not in ("models", "snapshots", "unit_tests", "exposures")
        }
        for path, data in documents.items()
    }
    kept = {
        path: item
        for path, item in files.items()
        if (path in _DBT_FILES or path.startswith(folders)) and path != macros and not path.startswith(models)
    }
    return kept, described


def _tests(value: Any) -> Any:
    """A value of YAML without the tests that builds leave out."""
    if isinstance(value, dict):
        return {
            key: [item for item in items if not is_contract_test(item)]
            if key in ("data_tests", "tests") and isinstance(items, list)
            else _tests(items)
            for key, items in value.items()
        }
    return [_tests(item) for item in value] if isinstance(value, list) else value


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


# Notebooks


def _notebook_code(product: DataProduct, notebook: Path, files: Mapping[str, str]) -> str:
    """A digest of a notebook with the files that it can read, those that hold the code of other tables left out."""
    own, modules = str(notebook.relative_to(product.folder)), _modules(files)
    if may_open(_OTHER_FILES, product, notebook, files):
        return digest(sorted(files.items()))
    settings = read_loosely(product.folder / "dbt_project.yml")
    code = ["contracts/", "sources/", "expectations/", "notebooks/", "tests/"]
    for key, default in (*_DBT_FOLDERS, ("model-paths", "models"), ("snapshot-paths", "snapshots"), ("test-paths", "tests")):
        code += folders_below(settings, key, default)
    others = tuple(filter(None, code))
    left_out = {*_DBT_FILES, "ingest.py", "product.odps.yaml"}
    read = {own, *modules, *(path for path in files if path not in left_out and not path.startswith(others))}
    beside = {path for path in files if path.startswith("notebooks/") and not path.endswith(".ipynb")}
    return digest({path: files.get(path) for path in read | beside})


def may_open(pattern: re.Pattern[str], product: DataProduct, notebook: Path, files: Iterable[str]) -> bool:
    """Return whether the code of a notebook, or of a module beside it, has a text that matches a pattern."""
    texts = [*_cells(notebook), *(_text(product.folder / path) for path in _modules(files))]
    return any(map(pattern.search, texts))


def _modules(files: Iterable[str]) -> list[str]:
    return [path for path in files if path.endswith(".py") and not path.startswith("tests/") and path != "ingest.py"]


def _cells(notebook: Path) -> list[str]:
    """The text of each code cell; that of the file where it is no notebook."""
    try:
        return ["".join(cell["source"]) for cell in read_json(notebook)["cells"] if cell["cell_type"] == "code"]
    except (KeyError, TypeError, ValueError):
        return [_text(notebook)]
