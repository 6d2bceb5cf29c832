"""The dbt YAML of a port: columns, constraints and tests, generated from its contract into a marked block."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

import yaml

from kit.contracts import TABLE, Column, Rule
from kit.core import KitError, mappings, parse_yaml, read_text, yaml_writer
from kit.dbt.project import TAG, Project, files_below, folder_names, read_loosely
from kit.lineage import names_in, read_sql
from kit.mesh import DataProduct, OutputPort
from kit.sync.markers import BEGIN, END, lines_of, marked

# Text that dbt would run, and line ends that Jinja would change.
_JINJA = re.compile(r"\{[{%#]|^\s*(env_var|ref|var|source|doc)\s*\(|\r|\n\Z")

_LONGEST_NAME = 80


def files(product: DataProduct) -> Iterator[tuple[Path, str | KitError]]:
    """Yield the YAML file beside each dbt model that is a port, with its text or the error that prevents it."""
    settings = read_loosely(product.folder / "dbt_project.yml")
    kinds = (("model-paths", "models"), ("snapshot-paths", "snapshots"))
    parts = [part for kind in kinds for part in folder_names(settings, *kind)]
    below = [path for part in parts for path, _ in files_below(product.folder / part)]
    models = {path.stem: path for path in below if path.suffix == ".sql"}
    snapshots = {model.name for model in Project.read(product.folder).models if model.is_snapshot}
    others = [path for path in below if path.suffix in (".yml", ".yaml")]
    for port in product.ports:
        if port.notebook is None and port.name in models:
            path = models[port.name].with_suffix(".yml")
            try:
                kind = "snapshots" if port.name in snapshots else "models"
                _check_single_entry(port.name, kind, path, others)
                yield path, placed(path, port.name, block(product, port, kind), kind)
            except KitError as error:
                yield path, error


def _check_single_entry(name: str, kind: str, path: Path, others: Sequence[Path]) -> None:
    for other in others:
        if other != path and any(item.get("name") == name for item in mappings(read_loosely(other).get(kind))):
            raise KitError(f"describes '{name}', which {path.name} does; delete its entry there", other)


def placed(path: Path, name: str, generated: Sequence[str], kind: str = "models") -> str:
    """Return the text of a dbt YAML file with the generated entry of a model or snapshot in its place; raises `KitError`.

    An entry written by hand is replaced if it holds no more than a name and a description.
    """
    if path.is_symlink():
        raise KitError("is a link; put a file in its place", path)
    lines = lines_of(read_text(path)) if path.exists() else []
    try:
        place = marked(lines) or _place(lines, name, kind)
    except KitError as error:
        raise KitError(error.problem, path, error.line, error.field) from None
    head = [] if place else [f"{kind}:\n"]
    first, last = place or (0, 0)
    rest = lines[last:] if place else [*(["\n"] if lines else []), *lines]
    text = "".join([*lines[:first], *head, *(f"{line}\n" for line in generated), *rest])
    entries = [item for item in mappings(parse_yaml(path, text).data.get(kind)) if item.get("name") == name]
    if len(entries) != 1:
        raise KitError(f"describes '{name}' {len(entries)} times; keep only the entry between the markers", path)
    return text


def _place(lines: list[str], name: str, kind: str) -> tuple[int, int] | None:
    """Return the lines of the entry that a person wrote for a model, or the place for one; None in a file without its kind."""
    root = yaml.compose("".join(lines), Loader=yaml.SafeLoader)
    top = root.value if isinstance(root, yaml.MappingNode) else []
    models = next((value for key, value in top if key.value == kind), None)
    if models is None:
        return None
    advice = f"write `{kind}:` in block style, with an entry `- name: …` per line, indented by two"
    if not isinstance(models, yaml.SequenceNode) or models.flow_style or models.start_mark.column != 2:
        raise KitError(f"its {kind} cannot be separated; {advice}")
    start = int(models.start_mark.line)
    for item in models.value:
        if not isinstance(item, yaml.MappingNode) or item.flow_style:
            raise KitError(f"its {kind} cannot be separated; {advice}")
        keys = {key.value: value.value for key, value in item.value}
        if keys.get("name") == name:
            if more := sorted(keys.keys() - {"name", "description"}):
                raise KitError(
                    f"the entry of '{name}' also has {', '.join(more)}; delete it, run `kit sync`, and write below the end "
                    "marker what the contract does not contain: tests as items, then other keys"
                )
            end = item.value[-1][1].end_mark
            return int(item.start_mark.line), int(end.line) + bool(end.column)  # a text in block style ends on the next line
    return start, start


def block(product: DataProduct, port: OutputPort, kind: str = "models") -> list[str]:
    """Return the generated lines: one entry of the list of models or snapshots, open at its end for more tests and keys."""
    contract = port.contract
    tests: dict[str | None, list[_Test]] = {}
    names: set[str] = set()
    left = []
    for rule in contract.rules:
        test, arguments = rule.assertion.test, _arguments(product, port, rule)
        if test is None or arguments is None:
            left.append(rule.name)
            continue
        # Without the kit no rows are set aside, so that such a rule only warns.
        warns = rule.quarantines or rule.severity == "warning"
        config = {"tags": [TAG], **({"severity": "warn"} if warns else {})}
        name = unique_name(f"{port.name} {rule.name.partition(': ')[0]}", names)
        details = {"name": name, "arguments": arguments, "config": config}
        tests.setdefault(test.column, []).append((test.name, {key: value for key, value in details.items() if value}))
    return [
        f"  # {BEGIN} {contract.id}. Written from its contract: edit that, not this.",
        *(f"  # only in expectations/{port.name}.json: {' '.join(name.split())}" for name in left),
        f"  - name: {yaml_writer.inline(port.name)}",
        f"    description: {yaml_writer.inline(contract.description)}",
        *(["    config: {contract: {enforced: true}}"] if kind == "models" else []),  # dbt has none for snapshots
        "    columns:",
        *(line for column in contract.columns for line in _column(column, tests.get(column.name, []))),
        "    data_tests:",
        *_test_lines(tests.get(None) or [_any_rows(port.name)], "      "),
        f"    # {END}. Below: more tests, then other keys of the model.",
    ]


_Test = tuple[str, dict[str, Any]]
"""A generic test: its name in dbt and its fields."""


def _any_rows(name: str) -> _Test:
    """Return a test that any table passes: in dbt the list to which people add their tests must not be empty."""
    return "row_count", {"name": f"{name}_can_be_read", "arguments": {"min": 0}, "config": {"tags": [TAG]}}


def _column(column: Column, tests: list[_Test]) -> Iterator[str]:
    facts: dict[str, Any] = {"quote": True, "data_type": column.type, "description": column.description}
    if column.required:
        # Declared for readers of the schema; the audit enforces it, which can show or set aside the violating rows.
        facts["constraints"] = [{"type": "not_null"}]
    yield f"      - name: {yaml_writer.inline(column.name)}"
    yield from (f"        {name}: {yaml_writer.inline(value)}" for name, value in facts.items())
    if tests:
        yield "        data_tests:"
        yield from _test_lines(tests, "          ")


def _test_lines(tests: list[_Test], indent: str) -> Iterator[str]:
    """Yield a test a line; the SQL of a rule has lines of its own."""
    for kind, details in tests:
        arguments = details.get("arguments", {})
        query = arguments.get("query")
        if isinstance(query, str) and query == query.strip() and all(line.isprintable() for line in query.split("\n")):
            yield f"{indent}- {kind}:"
            yield f"{indent}    name: {yaml_writer.inline(details['name'])}"
            yield f"{indent}    arguments:"
            yield f"{indent}      query: |-"
            yield from (f"{indent}        {line}" if line else "" for line in query.split("\n"))
            others = {name: value for name, value in arguments.items() if name != "query"}
            yield from (f"{indent}      {name}: {yaml_writer.inline(value)}" for name, value in others.items())
            yield f"{indent}    config: {yaml_writer.inline(details['config'])}"
        else:
            yield f"{indent}- {kind}: {yaml_writer.inline(details)}"


def _arguments(product: DataProduct, port: OutputPort, rule: Rule) -> dict[str, Any] | None:
    """Return the arguments of the dbt test of a rule; None if it reads a port that a notebook makes."""
    if rule.assertion.test is None:
        return None
    arguments = dict(rule.assertion.test.arguments)
    reads: set[str] = set()
    if key := rule.foreign_key:
        reads = {key.table.removeprefix(f"{product.name}.")} & {other.name for other in product.ports}
        arguments["to"] = next((f"ref('{name}')" for name in reads), key.table)
    elif query := arguments.get("query"):
        tables = {table.removeprefix(f"{product.name}.") for table in _tables(query.sql(port.name))}
        reads = tables & {other.name for other in product.ports if other != port}
        held = any(TABLE in part for part in query.parts)  # as text
        arguments["query"] = list(query.parts) if held else str(query)
        arguments |= {"reads": [f"ref('{name}')" for name in sorted(reads)]} if reads else {}
    if any(other.notebook for other in product.ports if other.name in reads):
        return None
    return {name: value if name in ("to", "reads") else _plain(value) for name, value in arguments.items()}


def _tables(sql: str) -> set[str]:
    """Return the tables that SQL reads, in small letters; all names in it when it cannot be parsed."""
    references = read_sql(sql)
    return {table.lower() for table in references.tables} if references.parsed else set(names_in(sql))


def _plain(value: Any) -> Any:
    """Return a value that dbt does not take for a template: text that looks like one becomes a template of that text."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str) and _JINJA.search(value):
        return f"{{{{ {json.dumps(value, ensure_ascii=False)} }}}}"
    return value


def unique_name(text: str, names: set[str]) -> str:
    """Return a name for a test in dbt's alphabet that is none of `names`, and add it to them."""
    name = re.sub(r"\W+", "_", text.lower(), flags=re.ASCII).strip("_")[:_LONGEST_NAME].strip("_")
    unique = next(item for item in chain([name], (f"{name}_{number}" for number in count(2))) if item not in names)
    names.add(unique)
    return unique
