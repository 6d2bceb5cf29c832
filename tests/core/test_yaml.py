from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core.errors import InvalidFile
from kit.core.files import to_json
from kit.core.yaml import compose_yaml, read_yaml


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(folder: Path, text: str | bytes) -> dict[str, Any]:
    path = folder / "a.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_yaml(path).data


def message(folder: Path, text: str | bytes) -> str:
    with pytest.raises(InvalidFile) as caught:
        load(folder, text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("190:20:30.15", "190:20:30.15"),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31 10:00:00", "2024-01-31 10:00:00"),
        ("0x1F", "0x1F"),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("010", "010"),
        ("007", "007"),
        ("089", "089"),
        ("1e5", "1e5"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1.5e+400", "1.5e+400"),
        ("9" * 5000, "9" * 5000),
        ("=", "="),
        ("'5'", "5"),
        ("'true'", "true"),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-3", -3),
        ("+5", 5),
        ("1.50", 1.5),
        (".5", 0.5),
        ("1.0e-5", 0.00001),
        ("~", None),
        ("null", None),
        ("", None),
        ("[1, [x], {y: 2}]", [1, ["x"], {"y": 2}]),
    ],
)
def test_a_value_is_read_as_it_is_written(here: Path, text: str, value: object) -> None:
    found = load(here, f"a: {text}\n")["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &x 1\nb: *x\n", "1: anchors and aliases (&, *) are not allowed; write the value out"),
        ("a: 1\nb: &x {c: 1}\n", "2: anchors and aliases (&, *) are not allowed; write the value out"),
        ("a: *x\n", "1: anchors and aliases (&, *) are not allowed; write the value out"),
        (
            "a: !!python/name:os.system\n",
            "1: the tag 'tag:yaml.org,2002:python/name:os.system' is not allowed; only plain values are",
        ),
        (
            "a: 1\nb: !!python/object:os.x {c: 1}\n",
            "2: the tag 'tag:yaml.org,2002:python/object:os.x' is not allowed; only plain values are",
        ),
        ("a: !!set {b, c}\n", "1: the tag 'tag:yaml.org,2002:set' is not allowed; only plain values are"),
        ("a: !secret [1]\n", "1: the tag '!secret' is not allowed; only plain values are"),
        ("a: !!str 5\n", "1: the tag 'tag:yaml.org,2002:str' is not allowed; only plain values are"),
        ("a: 1\nb: 2\na: 3\n", "3: the key 'a' is there twice; keep one"),
        ("a:\n  b: 1\n  'b': 2\n", "3: the key 'b' is there twice; keep one"),
        ("1: x\n'1': y\n", "2: the key '1' is there twice; keep one"),
        ("? [a]\n: b\n", "1: a key must be plain text"),
        ("a: [1\n", "2: not valid YAML: while parsing a flow sequence, did not find expected ',' or ']'"),
        ("a: b: c\n", "1: not valid YAML: mapping values are not allowed in this context"),
        (
            "a:\n\t- b\n",
            "2: not valid YAML: while scanning for the next token, found character that cannot start any token",
        ),
        ("a: 1\n---\nb: 2\n", "2: not valid YAML: expected a single document in the stream, but found another document"),
        (
            "a: \x07\n",
            "1: not valid YAML: unacceptable character #x0007: control characters are not allowed",
        ),
        ("", "1: must hold a mapping of keys to values"),
        ("- a\n", "1: must hold a mapping of keys to values"),
        ("text\n", "1: must hold a mapping of keys to values"),
        ("a: " + "[" * 40 + "]" * 40, "1: nested deeper than 40 levels"),
        ("{a: " * 100_000, "1: nested deeper than 40 levels"),
    ],
)
def test_yaml_that_hurts_is_refused_with_its_line(here: Path, text: str, problem: str) -> None:
    assert message(here, text) == f"a.yaml:{problem}"


def test_forty_levels_are_not_too_deep(here: Path) -> None:
    assert load(here, "a: " + "[" * 39 + "]" * 39)["a"] != []


def test_a_byte_order_mark_is_passed_over(here: Path) -> None:
    assert load(here, "\ufeffa: ä\n") == {"a": "ä"}


def test_a_merge_key_is_a_key_like_any_other(here: Path) -> None:
    assert load(here, "<<: {a: 1}\n") == {"<<": {"a": 1}}


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(-(10**30), 10**30) | st.text("ab \"'#:\n") | st.booleans()))
def test_json_is_read_as_the_yaml_it_is(tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(to_json(data))
    assert read_yaml(path).data == data


def test_an_error_points_at_the_line_of_its_field(here: Path) -> None:
    load(here, "a: 1\nb:\n  - c: 1\n  - c: 2\n    d: 3\n")
    document = read_yaml(here / "a.yaml")
    assert [str(document.error(where, "wrong")) for where in (["b", 1, "d"], ["b", 0], ["b", 1, "e"], ["x"], [])] == [
        "a.yaml:5: b.1.d: wrong",
        "a.yaml:3: b.0: wrong",
        "a.yaml:4: b.1.e: wrong",
        "a.yaml:1: x: wrong",
        "a.yaml:1: wrong",
    ]


def test_lines_are_counted_whatever_ends_them(here: Path) -> None:
    load(here, "a: 1\r\nb:\r\n  - c: 1\r\n    d: 'x\r\n      y'\r\n")
    document = read_yaml(here / "a.yaml")
    assert document.data == {"a": 1, "b": [{"c": 1, "d": "x y"}]}
    assert str(document.error(["b", 0, "d"], "wrong")) == "a.yaml:4: b.0.d: wrong"


def test_the_nodes_of_any_yaml_have_their_lines() -> None:
    root = compose_yaml("a: 1\nb:\n  - &x c\n  - *x\n")
    assert [key.start_mark.line for key, _ in root.value] == [0, 1]


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 5_000 + "a", "{a: " * 100_000])
def test_a_text_that_is_nested_too_deeply_to_compose_is_an_error(text: str) -> None:
    with pytest.raises(RecursionError):
        compose_yaml(text)
