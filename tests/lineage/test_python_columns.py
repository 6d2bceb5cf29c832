import json
from pathlib import Path

import pytest

from kit.lineage.python_columns import notebook_flows
from tests.support.files import write
from tests.support.notebooks import notebook

COLUMNS = {"club.people": ["id", "email", "spent"]}


def flows(tmp_path: Path, *cells: str) -> set[tuple[str, str, str]]:
    path = tmp_path / "made.ipynb"
    write(path, json.dumps(notebook(list(cells))))
    found = notebook_flows(path, COLUMNS, ["id", "contact", "n"])
    assert {table for table, *_ in found} == {"club.people"}
    return {(origin, name, how) for _, origin, name, how in found}


def test_a_column_of_the_same_name_comes_from_the_input(tmp_path: Path) -> None:
    assert flows(tmp_path, "people = kit.read('club.people')") == {("id", "id", "value")}


@pytest.mark.parametrize(
    "cell",
    [
        "people.rename({'email': 'contact'})",
        "people.select('id', pl.col('email').str.to_lowercase().alias('contact'))",
        "people.with_columns(contact=pl.col('email'))",
        "pl.DataFrame({'contact': people['email']})",
        "frame['contact'] = people.email",
        "%%sql\nselect id, email as contact from club.people",
    ],
)
def test_what_renames_a_column_is_seen(tmp_path: Path, cell: str) -> None:
    assert {(origin, name) for origin, name, _ in flows(tmp_path, cell)} == {("id", "id"), ("email", "contact")}


def test_a_column_renamed_twice_is_followed(tmp_path: Path) -> None:
    cells = "people = people.rename({'email': 'mail'})", "people = people.rename({'mail': 'contact'})"
    assert ("email", "contact", "copy") in flows(tmp_path, *cells)


def test_a_count_is_a_summary(tmp_path: Path) -> None:
    found = flows(tmp_path, "people.group_by('id').agg(pl.col('email').n_unique().alias('n'))")
    assert ("email", "n", "summary") in found
