"""Snapshots of tables whose rows are SQL, published without a build."""

import json
from pathlib import Path
from typing import Any

from kit.core import database
from kit.storage.store import Store
from tests.support.contracts import contract

Column = tuple[str, str, dict[str, Any]]
"""Name, type and further properties in the contract."""


def publish_tables(
    store: Store, product: str, rows: dict[str, str | list[str]], roles: dict[str, list[str]] | None = None,
    properties: dict[str, dict[str, Any]] | None = None,
) -> str:  # fmt: skip
    """Publish a port for each query of DuckDB, or for several as so many files; return the version of the snapshot.

    Contracts have the columns of the rows, with `roles` by port, and properties by column, `PORT.COLUMN`.
    """
    pointer = store.read_pointer(product)
    with store.build_lock(product), database.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        staging, ports = store.stage(product, "r", list(rows)), {}
        (staging / "contracts").mkdir()
        for port, queries in rows.items():
            for number, query in enumerate([queries] if isinstance(queries, str) else queries):
                connection.execute(f"copy ({query}) to '{staging / port / f'data-{number}.parquet'}' (format parquet)")
            columns = _columns(connection, staging / port)
            more = {name: (properties or {}).get(f"{port}.{name}", {}) for name, _ in columns}
            text = contract(f"{product}.{port}", port, [(name, kind, more[name]) for name, kind in columns])
            data = json.loads(text) | {"roles": [{"role": role, "access": "read"} for role in (roles or {}).get(port, [])]}
            (staging / f"contracts/{port}.odcs.yaml").write_text(json.dumps(data))
            facts = {"description": f"One row per {port}.", "columns": [[name, kind, f"the {name}"] for name, kind in columns]}
            ports[port] = {
                "rows": 1, "contract_version": "1.0.0", "newest": None, "checks": {"passed": 0, "warned": 0}, "about": facts,
            }  # fmt: skip
        content = {"run_id": "r", "fingerprint": "f", "inputs": {}, "sources": {}, "checks": [], "ports": ports}
        return store.publish(product, staging, content, parent=pointer.version if pointer else None).version


def _columns(connection: Any, folder: Path) -> list[tuple[str, str]]:
    found = connection.execute(f"describe from '{folder}/*.parquet'").fetchall()
    return [(name, database.normal_type(kind) or kind.lower()) for name, kind, *_ in found]
