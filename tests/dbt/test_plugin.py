import json
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from kit.dbt.plugin import Plugin
from tests.support.files import write


def test_the_connection_of_a_project_reads_its_declared_files_only(tmp_path: Path) -> None:
    declared, other = tmp_path / "declared.csv", tmp_path / "other.csv"
    write(declared, "a\n1\n")
    write(other, "a\n2\n")
    write(tmp_path / "work.sandbox.json", json.dumps({"files": [str(declared)]}))
    plugin = Plugin.__new__(Plugin)  # dbt makes it with the settings of a whole project
    plugin.creds = SimpleNamespace(path=str(tmp_path / "work.duckdb"))
    with duckdb.connect(tmp_path / "work.duckdb") as connection:
        plugin.configure_connection(connection)
        assert connection.execute(f"select a from '{declared}'").fetchall() == [(1,)]
        with pytest.raises(duckdb.PermissionException):
            connection.execute(f"select a from '{other}'")
        with pytest.raises(duckdb.Error, match="lock"):
            connection.execute("set enable_external_access = true")
