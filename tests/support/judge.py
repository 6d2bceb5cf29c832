"""Results of datacontract-cli for contracts: a request in JSON on stdin, the answer in JSON on stdout.

Runs in the Python environment of that tool, without the kit.
"""

import json
import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from datacontract.data_contract import DataContract
from open_data_contract_standard.model import OpenDataContractStandard


def lint(path: str) -> list[str]:
    """Return the violations of the contract schema in a file."""
    checks = DataContract(data_contract_file=path).lint().checks
    return [f"{check.result.value}: {check.reason}" for check in checks if check.result.value != "passed"]


def test(contract: dict[str, Any], server: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return every check of a contract against the table of a server: kind, name and outcome."""
    run = DataContract(data_contract=parsed({**contract, "servers": [server]})).test()
    return [(check.type, check.name, check.result.value) for check in run.checks]


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return the directions in which the second contract changes the first one: tightens, loosens, both, …"""
    changes = DataContract(data_contract=parsed(old)).breaking(DataContract(data_contract=parsed(new))).entries
    return sorted({change.direction.value for change in changes if change.direction})


def parsed(contract: dict[str, Any]) -> OpenDataContractStandard:
    """Return a parsed contract, which the tool does not lint again."""
    return OpenDataContractStandard.model_validate(contract)


def views(database: str, tables: dict[str, list[str]]) -> None:
    """Create a view SCHEMA.NAME over the Parquet files of each table."""
    with duckdb.connect(database) as connection:
        for name, files in tables.items():
            listed = ", ".join(f"'{file}'" for file in files)
            connection.execute(f"create schema if not exists {name.partition('.')[0]}")
            connection.execute(f"create view {name} as from read_parquet([{listed}])")


def main() -> None:
    logging.disable()
    request = json.load(sys.stdin)
    with TemporaryDirectory() as folder:
        database = str(Path(folder, "tables.duckdb"))
        views(database, request["tables"])
        answer = {
            "lint": {path: lint(path) for path in request["lint"]},
            "test": {
                name: test(contract, {"server": "here", "type": "duckdb", "database": database, "schema": schema})
                for name, (schema, contract) in request["test"].items()
            },
            "compare": {name: compare(*pair) for name, pair in request["compare"].items()},
        }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
