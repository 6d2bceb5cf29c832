"""SQL with which DuckDB reads published ports without the kit, and the text that explains it in the storage folder."""

from collections.abc import Iterable

from kit.core import literal

README = "README.md"


def read_current(folder: str, port: str) -> str:
    """Return two statements that read a port: `folder` is the path of its product's folder, which contains `current.json`.

    They resolve the pointer once and read the snapshot that it names, whole, also while others publish.
    """
    files = f"{literal(f'{folder}/')} || ports[{literal(port)}].path || '/*.parquet'"
    pointer = literal(f"{folder}/current.json")
    return f"set variable files = (select {files} from {pointer});\nfrom read_parquet(getvariable('files'));"


def storage_readme(ports: Iterable[tuple[str, str]]) -> str:
    """Return the text of the README of a storage folder; its example reads the first of `ports`, product and name."""
    product, port = next(iter(ports), ("PRODUCT", "PORT"))
    return f"""\
# Published data

`products/{product}/current.json` names the snapshot of `{product}` that readers see. The other folders beside it are older
snapshots: a pattern such as `products/{product}/*/{port}/*.parquet` reads the rows of all of them.

This SQL reads the current snapshot in DuckDB, from this folder; another working folder needs its path before `products/`:

```sql
{read_current(f"products/{product}", port)}
```

`catalog.yaml` is the same data for Intake, from any working folder. With the kit, `kit read {product}.{port} --sql QUERY`
runs a query.
"""
