from pathlib import Path

import pytest

from kit.core.errors import InvalidFile
from kit.core.yaml import parse_yaml
from kit.core.yaml_editor import appended, with_value

PATH = Path("some.yaml")
ITEM = {"name": "b.c", "version": "1.0.0"}
LONG = {"name": "b", "inputContracts": [{"id": f"product_{i}.port_with_a_name", "version": "1.0.0"} for i in range(3)]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ports:\n  - {name: a}\n", "ports:\n  - {name: a}\n  - {name: b.c, version: 1.0.0}\n"),
        ("ports:\n- name: a\nteam: x\n", "ports:\n- name: a\n- {name: b.c, version: 1.0.0}\nteam: x\n"),
        (
            "# top\nports:\n  - name: a # the first\n    kind: dbt   # mine\n\n  # about the team\nteam: x\n",
            "# top\nports:\n  - name: a # the first\n    kind: dbt   # mine\n  - {name: b.c, version: 1.0.0}\n"
            "\n  # about the team\nteam: x\n",
        ),
        (
            "ports:\n  - name: a\n    about: >-\n      Words\n      and words.\n\nteam: x\n",
            "ports:\n  - name: a\n    about: >-\n      Words\n      and words.\n  - {name: b.c, version: 1.0.0}\n\nteam: x\n",
        ),
        ("ports:\n  - name: a\n    x:\nteam: x", "ports:\n  - name: a\n    x:\n  - {name: b.c, version: 1.0.0}\nteam: x"),
        (
            "ports:\n  - name: a\n    # of a\n  # of all\nx: 1\n",
            "ports:\n  - name: a\n    # of a\n  - {name: b.c, version: 1.0.0}\n  # of all\nx: 1\n",
        ),
        ("ports:\n  - name: a", "ports:\n  - name: a\n  - {name: b.c, version: 1.0.0}\n"),
        ("ports: [] # none yet\nteam: x\n", "ports: [{name: b.c, version: 1.0.0}] # none yet\nteam: x\n"),
        ("ports:\nteam: x\n", "ports: [{name: b.c, version: 1.0.0}]\nteam: x\n"),
        ("ports: [{name: a}, # one\n]\nteam: x\n", "ports: [{name: a}, {name: b.c, version: 1.0.0}, # one\n]\nteam: x\n"),
        ('{"ports": [{"name": "a"}], "team": 1}', '{"ports": [{"name": "a"}, {"name": "b.c", "version": "1.0.0"}], "team": 1}'),
        ('{"x": 1, "team": 1}', '{"x": 1, "ports": [{"name": "b.c", "version": "1.0.0"}], "team": 1}'),
        ("x: 1\n# ours\nteam: x\n", "x: 1\nports:\n  - {name: b.c, version: 1.0.0}\n# ours\nteam: x\n"),
        ("x: é # ü\n", "x: é # ü\nports:\n  - {name: b.c, version: 1.0.0}\n"),
    ],
)  # fmt: skip
def test_an_item_is_added_and_nothing_else_is_touched(before: str, after: str) -> None:
    assert appended(PATH, before, ["ports"], ITEM, before="team") == after
    assert parse_yaml(PATH, after).data["ports"][-1] == ITEM


def test_a_list_further_down_grows_too() -> None:
    text = "sources:\n  - name: raw\n    tables:\n      - {name: a}\n  - name: other\n    tables: [{name: b}]\n"
    once = appended(PATH, text, ["sources", 0, "tables"], {"name": "x"})
    assert appended(PATH, once, ["sources", 1, "tables"], {"name": "z"}) == (
        "sources:\n  - name: raw\n    tables:\n      - {name: a}\n      - {name: x}\n"
        "  - name: other\n    tables: [{name: b}, {name: z}]\n"
    )


def test_a_long_item_takes_several_lines() -> None:
    text = appended(PATH, "ports:\n  - {name: a}\nteam: x\n", ["ports"], LONG)
    assert parse_yaml(PATH, text).data == {"ports": [{"name": "a"}, LONG], "team": "x"}
    assert text.splitlines()[2:5] == ["  - name: b", "    inputContracts:", "      - id: product_0.port_with_a_name"]
    assert text.endswith("\nteam: x\n")


def test_what_is_no_plain_yaml_is_refused() -> None:
    with pytest.raises(InvalidFile, match=r"some.yaml:1: anchors and aliases"):
        appended(PATH, "a: &x 1\n", ["ports"], ITEM)


FIELDS = """\
name: shop
profile: 'theirs'  # of their own
macro-paths: ["macros"]
models:
  shop:
    materialized: table
    # views
    staging:
      materialized: view
vars:
sources:
  - database: prod
    schema: x
    tables:
      - {name: a, identifier: A}
      - name: b
"""


@pytest.mark.parametrize(
    ("where", "value", "old", "new"),
    [
        (["profile"], "kit", "profile: 'theirs'  #", "profile: kit  #"),
        (["macro-paths"], ["macros", "../x"], '["macros"]', '[macros, "../x"]'),
        (["models", "shop", "staging", "materialized"], "table", "materialized: view", "materialized: table"),
        (["models", "shop", "a", "+x"], True, "materialized: view\n", "materialized: view\n    a: {+x: true}\n"),
        (["vars", "start"], "x", "vars:\n", "vars: {start: x}\n"),
        (["models"], {"a": 1}, FIELDS[FIELDS.index("models:") : FIELDS.index("vars")], "models: {a: 1}\n"),
        (["sources", 0, "database"], None, "- database: prod\n    schema", "- schema"),
        (["sources", 0, "schema"], None, "    schema: x\n", ""),
        (["sources", 0, "tables", 0, "identifier"], None, ", identifier: A", ""),
        (["sources", 0, "tables", 0, "name"], None, "name: a, ", ""),
        (["sources", 0, "tables", 0, "loader"], "x", "{name: a", "{loader: x, name: a"),
        (["sources", 0, "tables", 1, "identifier"], "B", "- name: b\n", "- name: b\n        identifier: B\n"),
        (["flags", "a"], False, "      - name: b\n", "      - name: b\nflags: {a: false}\n"),
        (["flags", "a"], None, "", ""),
    ],
)
def test_a_field_is_set_or_removed_and_all_else_stays(where: list[str | int], value: object, old: str, new: str) -> None:
    assert with_value(PATH, FIELDS, where, value) == FIELDS.replace(old, new, 1)


def test_a_field_below_a_text_cannot_be_set() -> None:
    with pytest.raises(InvalidFile, match=r"x\.yml:1: name: must be a mapping, to which a can be added"):
        with_value(Path("x.yml"), FIELDS, ["name", "a"], 1)
