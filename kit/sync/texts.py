"""Texts in the files of a domain: templates, which other programs would run, and texts that are still to be written."""

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from kit.contracts import TODO, Finding
from kit.core import KitError, Where, parse_yaml, read_text, read_yaml
from kit.mesh import DESCRIPTOR, DataProduct
from kit.sync.markers import lines_of, marked

_UNFINISHED = TODO.rstrip(": ")
_MOST_UNFINISHED = 20
_TEMPLATE = re.compile(r"\{\{|\{%|\{#|\{\w+\(")


def check_templates(product: DataProduct) -> Iterator[Finding]:
    """Find templates in descriptor and contracts: their texts end up in files that dbt or Intake would run."""
    for path in _documents(product):
        text = read_text(path)
        if not _TEMPLATE.search(text) and "\\" not in text:  # an escape may hide one
            continue
        document = parse_yaml(path, text)
        # In rules braces have their own meaning.
        for where, value in _texts(document.data, (), without=("quality", "logicalTypeOptions")):
            if template := _TEMPLATE.search(value):
                error = document.error(where, f"'{template[0]}' begins a template, which dbt or Intake would run")
                yield Finding.from_error(product.name, error, "write plain text")


def check_unfinished(product: DataProduct) -> Iterator[Finding]:
    """Find texts that begin with TODO in descriptor, contracts and README, the first 20 of each file."""
    for path in _documents(product):
        yield from _first(product, path, unfinished(product, path))
    readme = product.folder / "README.md"
    if readme.is_file():
        yield from _first(product, readme, _unfinished_lines(product, readme))


def _documents(product: DataProduct) -> list[Path]:
    contracts = [port.contract.path for port in product.ports] + [source.contract.path for source in product.sources]
    return [product.folder / DESCRIPTOR, *contracts]


def _texts(value: Any, where: Where, *, without: Collection[str] = ()) -> Iterator[tuple[Where, str]]:
    """Yield every text below a value with its place, except below the keys `without`."""
    if isinstance(value, str):
        yield where, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if key not in without:
            yield from _texts(item, (*where, key), without=without)


def unfinished(product: DataProduct, path: Path) -> Iterator[Finding]:
    """Find the texts of a descriptor or contract that begin with TODO."""
    document = read_yaml(path)
    for where, text in _texts(document.data, ()):
        if text.startswith(_UNFINISHED):
            yield Finding.from_error(product.name, document.error(where, f"still to be written ({text})"))


def _unfinished_lines(product: DataProduct, path: Path) -> Iterator[Finding]:
    lines = lines_of(read_text(path))
    with suppress(KitError):  # `check_generated` reports wrong markers
        first, last = marked(lines) or (0, 0)
        lines[first:last] = [""] * (last - first)  # generated from contracts, which are checked themselves
    for number, line in enumerate(map(str.rstrip, lines), 1):
        if _UNFINISHED in line:
            yield Finding(product.name, path, number, f"still to be written ({line[line.index(_UNFINISHED) :]})")


def _first(product: DataProduct, path: Path, unfinished: Iterator[Finding]) -> Iterator[Finding]:
    yield from islice(unfinished, _MOST_UNFINISHED)
    if next(unfinished, None):
        yield Finding(product.name, path, None, "more is still to be written")
