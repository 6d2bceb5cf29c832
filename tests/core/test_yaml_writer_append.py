from pathlib import Path

import pytest

from kit.core.errors import InvalidFile
from kit.core.yaml import parse_yaml
from kit.core.yaml_writer import appended

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
