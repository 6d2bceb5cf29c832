"""What datacontract-cli makes of contracts: one question in JSON on stdin, the answer in JSON on stdout.

Run by the Python of its own environment, which has that tool and nothing of the kit.
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
    """What is wrong with the form of a contract file."""
    checks = DataContract(data_contract_file=path).lint().checks
    return [f"{check.result.value}: {check.reason}" for check in checks if check.result.value != "passed"]


def test(contract: dict[str, Any], server: dict[str, str]) -> list[tuple[str, str, str]]:
    """Every check of a contract against the table of a server: its kind, what it asks and its outcome."""
    run = DataContract(data_contract=parsed({**contract, "servers": [server]})).test()
    return [(check.type, check.name, check.result.value) for check in run.checks]


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The ways in which the second contract moves what the first one permits: tightens, loosens, both, …"""
    changes = DataContract(data_contract=parsed(old)).breaking(DataContract(data_contract=parsed(new))).entries
    return sorted({change.direction.value for change in changes if change.direction})


def parsed(contract: dict[str, Any]) -> OpenDataContractStandard:
    """A contract that is not linted again: the tool would check the schema of contracts itself each time."""
    return OpenDataContractStandard.model_validate(contract)


def views(database: str, tables: dict[str, list[str]]) -> None:
    """Make a view SCHEMA.NAME of the Parquet files of each table."""
    with duckdb.connect(database) as connection:
        for name, files in tables.items():
            listed = ", ".join(f"'{file}'" for file in files)
            connection.execute(f"create schema if not exists {name.partition('.')[0]}")
            connection.execute(f"create view {name} as from read_parquet([{listed}])")


def main() -> None:
    logging.disable()
    question = json.load(sys.stdin)
    with TemporaryDirectory() as folder:
        database = str(Path(folder, "tables.duckdb"))
        views(database, question["tables"])
        answer = {
            "lint": {path: lint(path) for path in question["lint"]},
            "test": {
                name: test(contract, {"server": "here", "type": "duckdb", "database": database, "schema": schema})
                for name, (schema, contract) in question["test"].items()
            },
            "compare": {name: compare(*pair) for name, pair in question["compare"].items()},
        }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
