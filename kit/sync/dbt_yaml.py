"""The dbt YAML of a port: columns, constraints and tests, generated from its contract into a marked block."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from kit.contracts import TABLE, Contract, Query, Rule, bare, breaking
from kit.core import KitError, mappings, parse_yaml, read_text, yaml_writer
from kit.dbt.project import TAG, files_below, folder_names, read_loosely
from kit.mesh import DataProduct, OutputPort
from kit.sync.markers import BEGIN, END, lines_of, marked

# What dbt would run, and the ends of lines that Jinja would change.
_JINJA = re.compile(r"\{[{%#]|^\s*(env_var|ref|var|source|doc)\s*\(|\r|\n\Z")


def files(product: DataProduct) -> Iterator[tuple[Path, str | KitError]]:
    """The YAML file beside each dbt model that is a port, as it should be, or why it cannot be written."""
    settings = read_loosely(product.folder / "dbt_project.yml")
    below = [path for part in folder_names(settings, "model-paths", "models") for path, _ in files_below(product.folder / part)]
    models = {path.stem: path for path in below if path.suffix == ".sql"}
    others = [path for path in below if path.suffix in (".yml", ".yaml")]
    for port in product.ports:
        if port.notebook is None and port.name in models:
            path = models[port.name].with_suffix(".yml")
            try:
                _said_once(port.name, path, others)
                yield path, placed(path, port.name, block(product, port))
            except KitError as error:
                yield path, error


def _said_once(name: str, path: Path, others: Sequence[Path]) -> None:
    for other in others:
        if other != path and any(item.get("name") == name for item in mappings(read_loosely(other).get("models"))):
            raise KitError(f"describes the model '{name}', which {path.name} does; delete its entry there", other)


def placed(path: Path, name: str, generated: Sequence[str]) -> str:
    """The text of a dbt YAML file with the generated entry of a model in its place; raises `KitError`.

    An entry written by hand is replaced if it holds no more than a name and a description.
    """
    if path.is_symlink():
        raise KitError("is a link; put a file in its place", path)
    lines = lines_of(read_text(path)) if path.exists() else []
    try:
        place = marked(lines) or _place(lines, name)
    except KitError as error:
        raise KitError(str(error), path) from None
    head = [] if place else ["models:\n"]
    first, last = place or (0, 0)
    rest = lines[last:] if place else [*(["\n"] if lines else []), *lines]
    text = "".join([*lines[:first], *head, *(f"{line}\n" for line in generated), *rest])
    found = [item for item in mappings(parse_yaml(path, text).data.get("models")) if item.get("name") == name]
    if len(found) != 1:
        raise KitError(f"describes '{name}' {len(found)} times; keep what stands between the markers only", path)
    return text


def _place(lines: list[str], name: str) -> tuple[int, int] | None:
    """The lines of the entry that a person wrote for a model, or where to put one; None in a file without models."""
    root = yaml.compose("".join(lines), Loader=yaml.SafeLoader)
    top = root.value if isinstance(root, yaml.MappingNode) else []
    models = next((value for key, value in top if key.value == "models"), None)
    if models is None:
        return None
    advice = "write `models:` in block style, with an entry `- name: …` per line, indented by two"
    if not isinstance(models, yaml.SequenceNode) or models.flow_style or models.start_mark.column != 2:
        raise KitError(f"its models cannot be told apart; {advice}")
    start = int(models.start_mark.line)
    for item in models.value:
        if not isinstance(item, yaml.MappingNode) or item.flow_style:
            raise KitError(f"its models cannot be told apart; {advice}")
        keys = {key.value: value.value for key, value in item.value}
        if keys.get("name") == name:
            if more := sorted(keys.keys() - {"name", "description"}):
                raise KitError(
                    f"the entry of '{name}' also says {', '.join(more)}; delete it, run `kit sync`, and put below the end "
                    "marker what the contract does not say: tests as items, then other keys"
                )
            end = item.value[-1][1].end_mark
            return int(item.start_mark.line), int(end.line) + bool(end.column)  # a text in block style ends on the next line
    return start, start


def block(product: DataProduct, port: OutputPort) -> list[str]:
    """The generated lines: one entry of the list `models`, open at its end for more tests and keys."""
    contract = port.contract
    gathered: dict[str, list[dict[str, str | list[str]]]] = {}
    tests: dict[str, list[dict[str, Any]]] = {}
    left: list[str] = []
    reads: set[str] = set()
    others = {other.name: other.notebook for other in product.ports if other != port}
    for rule in contract.rules:
        # Without the kit nobody sets rows aside, so that such a rule only speaks.
        severity = "warn" if rule.quarantines or rule.severity == "warning" else "error"
        if own := _own_test(rule):
            column, test = own
            tests.setdefault(column, []).append({**test, "config": _config(severity)})
            continue
        query = _breaks(rule)
        named = set(re.findall(r"\w+", bare(str(query))))
        read = {name for name in others if name in named} - {c.name for c in contract.columns}
        if query is None or any(others[name] for name in read):
            left.append(rule.name)
            continue
        reads |= read
        gathered.setdefault(severity, []).append({"rule": _raw(rule.name.replace("\0", "")), "breaks": _placed(query)})
    entry = {
        "name": port.name,
        "description": contract.description,
        "config": {"contract": {"enforced": True}},
        "columns": [_column(contract, index, tests) for index in range(len(contract.columns))],
        "data_tests": [
            {
                "name": f"{port.name}_keeps_contract{'_warnings' if severity == 'warn' else ''}",
                "test_name": "keeps_contract",
                "arguments": {"rules": rules, **({"reads": [f"ref('{name}')" for name in sorted(reads)]} if reads else {})},
                "config": _config(severity),
            }
            for severity, rules in (gathered or {"error": []}).items()
        ],
    }
    return [
        f"  # {BEGIN} {contract.id}. Written from its contract: edit that, not this.",
        *(f"  # only in expectations/{port.name}.json: {' '.join(name.split())}" for name in left),
        *_lines([entry], "  "),
        f"    # {END}. Below: more tests, then other keys of the model.",
    ]


def _column(contract: Contract, index: int, tests: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    column = contract.columns[index]
    found: dict[str, Any] = {"name": column.name, "quote": True, "data_type": column.type, "description": column.description}
    if column.required:
        # Declared for whoever reads the schema; the audit enforces it, which can show or set aside the rows that break it.
        found["constraints"] = [{"type": "not_null"}]
    return found | ({"data_tests": tests[column.name]} if column.name in tests else {})


def _config(severity: str) -> dict[str, Any]:
    return {"tags": [TAG], **({"severity": "warn"} if severity == "warn" else {})}


def _own_test(rule: Rule) -> tuple[str, dict[str, Any]] | None:
    """The column and the test that dbt itself has for a rule."""
    column = str(rule.kwargs.get("column"))
    if rule.type == "expect_column_values_to_be_unique" and rule.kwargs.keys() == {"column"}:
        return column, {"test_name": "unique"}
    if rule.type == "expect_column_values_to_be_in_set" and rule.kwargs.keys() == {"column", "value_set"}:
        values = rule.kwargs["value_set"]
        if all(isinstance(value, str) and "\0" not in value for value in values):
            quoted = [_raw(value.replace("'", "''")) for value in values]  # dbt puts them between quotes as they are
            return column, {"test_name": "accepted_values", "arguments": {"values": quoted}}
    return None


def _breaks(rule: Rule) -> Query | None:
    """A query whose rows tell that a rule is broken; None for an expectation that only Great Expectations can judge."""
    kwargs = rule.kwargs
    if rule.type == "expect_table_row_count_to_be_between" and kwargs.keys() == {"min_value", "max_value"}:
        bounds = {"<": kwargs["min_value"], ">": kwargs["max_value"]}
        outside = [f"count(*) {sign} {bound}" for sign, bound in bounds.items() if bound is not None]
        return Query(("select count(*) as observed from ", f" having {' or '.join(outside)}"))
    if rule.type == "expect_column_values_to_not_be_null" and kwargs.keys() == {"column", "mostly"}:
        column = kwargs["column"]
        return Query((f'select count("{column}") from ', f' having count("{column}") < {kwargs["mostly"]!r} * count(*)'))
    if rule.type == "unexpected_rows_expectation" and kwargs.keys() == {"unexpected_rows_query"}:
        query = kwargs["unexpected_rows_query"]
        return query if isinstance(query, Query) else None
    return breaking(rule.type, kwargs)


def _placed(query: Query) -> str | list[str]:
    """A query as the test of dbt takes it: with `${table}` for the model or, where it holds that as text, its parts."""
    held = any(TABLE in part for part in query.parts)
    return [_raw(part) for part in query.parts] if held else _raw(str(query))


def _raw(text: str) -> str:
    """A text that dbt is not to take for a template; one that looks like one is written as a template that gives the text."""
    return f"{{{{ {json.dumps(text, ensure_ascii=False)} }}}}" if _JINJA.search(text) else text


def _lines(value: Any, indent: str) -> Iterator[str]:
    """YAML with lists of mappings and their fields one a line, also below `arguments`."""
    for item in value:
        first = True
        for name, field in item.items():
            lead, first = (f"{indent}- " if first else f"{indent}  "), False
            if name == "arguments" and "rules" in field:
                yield f"{lead}{name}:"
                yield from yaml_writer.block(field, f"{indent}    ")
            elif name in ("columns", "data_tests"):
                yield f"{lead}{name}:"
                yield from _lines(field, f"{indent}    ")
            else:
                yield f"{lead}{yaml_writer.key(name)}: {yaml_writer.inline(field)}"
