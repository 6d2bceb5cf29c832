"""The YAML entry of a dbt model moved into a file of its own, where the generated block of its port replaces a part of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from kit.core import KitError, mappings, read_text, yaml_writer
from kit.dbt.project import read_loosely
from kit.sync import BEGIN, END

_GENERATED = {"name", "description", "columns", "tests", "data_tests", "config"}


def entry(path: Path, model: str) -> dict[str, Any]:
    """Return the entry of a model in a YAML file; empty when there is none."""
    return next((item for item in mappings(read_loosely(path).get("models")) if item.get("name") == model), {})


def move(path: Path, target: Path, model: str, tests: Sequence[Any]) -> None:
    """Take the entry of a model out of the file `path`, and write what no contract contains to the file `target`.

    `tests` are its tests that are no rules. A file that then has no content is deleted. `path` is that of no file where the
    model has no entry.
    """
    written = entry(path, model) if path.is_file() else {}
    if written:
        text = _without(path, model)
        if set(yaml.safe_load(text) or {}) <= {"version"}:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")
    block = [f"  # {BEGIN}", f"    # {END}. Below: more tests, then other keys of the model."]
    block += [line for test in tests for line in _item(test)]
    block += yaml_writer.block({key: value for key, value in written.items() if key not in _GENERATED}, "    ")
    rest = read_text(target) if target.is_file() else ""
    if mappings(read_loosely(target).get("models")):
        raise KitError(f"describes other models than {model}, which is a port; describe them in another file", target)
    target.write_text("models:\n" + "\n".join(block) + "\n" + (f"\n{_without_version(rest)}" if rest else ""), encoding="utf-8")


def _item(test: Any) -> list[str]:
    if isinstance(test, Mapping) and len(test) == 1:
        ((kind, fields),) = test.items()
        if isinstance(fields, Mapping) and fields:
            return [f"      - {kind}:", *yaml_writer.block(fields, "          ")]
    return [f"      - {yaml_writer.inline(test)}"]


def _without(path: Path, model: str) -> str:
    """Return the text of a YAML file without the entry of a model, and without `models` when it was the only one."""
    text = read_text(path)
    lines = text.splitlines(keepends=True)
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    position, (key, models) = next((i, pair) for i, pair in enumerate(root.value) if pair[0].value == "models")
    if models.flow_style:
        advice = "write `models:` with an entry `- name: …` per line, so that one can be moved"
        raise KitError(advice, path, key.start_mark.line + 1)
    end = root.value[position + 1][0].start_mark.line if position + 1 < len(root.value) else len(lines)
    starts = [item.start_mark.line for item in models.value]
    number = next(i for i, item in enumerate(models.value) if ("name", model) in [(k.value, v.value) for k, v in item.value])
    first, last = starts[number], [*starts, end][number + 1]
    if len(starts) == 1:
        first, last = key.start_mark.line, end
    while last < len(lines) and last - 1 > first and lines[last - 1].lstrip().startswith("#"):  # of the lines below it
        last -= 1
    return "".join(lines[:first] + lines[last:])


def _without_version(text: str) -> str:
    """Return YAML without the line `version: 2`, which later versions of dbt ignore."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("version:")).lstrip("\n")
