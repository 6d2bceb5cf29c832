import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.yaml import parse_yaml
from kit.core.yaml_writer import Comment, block, inline
from tests.conftest import examples

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
PLAIN = st.none() | st.booleans() | st.integers(-(10**38), 10**38) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=9
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("net sales", "net sales"),
        ("no", '"no"'),
        ("null", '"null"'),
        ("2024-01-01", '"2024-01-01"'),
        ("1.0.0", "1.0.0"),
        ("1.0", '"1.0"'),
        ("a: b # c", '"a: b # c"'),
        ("é\n\u2028", '"é\\n\\u2028"'),
        (1e-05, "1.0e-05"),
        ({"y": [1, "a", True, None]}, '{"y": [1, a, true, null]}'),
    ],
)
def test_a_value_is_plain_where_that_is_safe(value: Any, text: str) -> None:
    assert inline(value) == text


def test_a_block_has_a_line_for_each_field() -> None:
    value = {"name": "sales", "columns": [{"name": "n", "checks": [{"max": 3}], "tags": []}, {"name": "b"}]}
    assert (
        "\n".join(block(value))
        == """\
name: sales
columns:
  - name: "n"
    checks:
      - max: 3
    tags: []
  - name: b"""
    )


@settings(max_examples=examples(50))
@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
def test_what_is_written_reads_as_it_was(value: dict[str, Any]) -> None:
    read = parse_yaml(Path("a.yaml"), "\n".join(block(value))).data
    assert json.dumps(read) == json.dumps(value)


def test_a_comment_is_a_line_of_its_own() -> None:
    value = {"a": 1, "about": Comment("Seen: x\u2028y"), "b": [{"c": 2, "why": Comment("d: 3")}]}
    lines = list(block(value))
    assert lines == ["a: 1", "# Seen: x\\u2028y", "b:", "  - c: 2", "    # d: 3"]
    assert parse_yaml(Path("x.yaml"), "\n".join(lines)).data == {"a": 1, "b": [{"c": 2}]}
