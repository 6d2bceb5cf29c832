from pathlib import Path

import pytest

from kit.core.errors import KitError
from kit.scaffold.dbt_model_yaml import entry, move
from tests.support.files import write

SCHEMA = """\
version: 2

models:
# What they buy.
- name: orders
  description: Orders.
  meta:
    owner: kiosk
  config: {tags: [a]}
  columns:
    - name: a
# Who buys.
- name: guests
  tests: [x.y]

sources:
  - name: till
"""


def test_an_entry_moves_with_what_no_contract_has(tmp_path: Path) -> None:
    path, target = tmp_path / "schema.yml", tmp_path / "orders.yml"
    write(path, SCHEMA)
    assert entry(path, "orders")["description"] == "Orders."
    assert entry(path, "gone") == {}
    move(path, target, "orders", ["unique", {"x.y": {"arguments": {"z": 1}}}])
    assert path.read_text() == SCHEMA.replace(SCHEMA[SCHEMA.index("- name: orders") : SCHEMA.index("# Who buys.")], "")
    assert target.read_text() == (
        "models:\n  # kit sync: begin\n    # kit sync: end. Below: more tests, then other keys of the model.\n"
        "      - unique\n      - x.y:\n          arguments: {z: 1}\n    meta: {owner: kiosk}\n"
    )
    move(path, tmp_path / "guests.yml", "guests", [])
    assert path.read_text() == "version: 2\n\nsources:\n  - name: till\n"


def test_a_file_of_its_own_keeps_the_rest_and_one_without_content_goes(tmp_path: Path) -> None:
    path = tmp_path / "orders.yml"
    write(path, "version: 2\nmodels:\n  - name: orders\nunit_tests: # by hand\n  - name: adds\n")
    move(path, path, "orders", [])
    head, _, rest = path.read_text().partition("other keys of the model.\n")
    assert head.startswith("models:\n  # kit sync: begin\n")
    assert rest == "\nunit_tests: # by hand\n  - name: adds\n"
    only = tmp_path / "schema.yml"
    write(only, "version: 2\nmodels:\n  - name: guests\n")
    move(only, tmp_path / "guests.yml", "guests", [])
    assert not only.exists()
    move(tmp_path / "none", tmp_path / "menu.yml", "menu", [])
    assert (tmp_path / "menu.yml").read_text().startswith("models:\n  # kit sync: begin\n")


def test_what_cannot_be_separated_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("schema.yml"), "models: [{name: orders}]\n")
    with pytest.raises(KitError, match=r"schema\.yml:1: write `models:` with an entry `- name: …` per line"):
        move(Path("schema.yml"), Path("orders.yml"), "orders", [])
    write(Path("orders.yml"), "models:\n  - name: orders\n  - name: guests\n")
    with pytest.raises(KitError, match=r"orders\.yml: describes other models than orders, which is a port"):
        move(Path("orders.yml"), Path("orders.yml"), "orders", [])
