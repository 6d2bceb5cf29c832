"""dbt without the kit: as a person runs it in the folder of a domain."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.ending import end_with_parent


def plain_dbt(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run dbt in a domain folder, with no variable of the kit or of dbt but those given."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KIT_", "DBT_"))}
    return subprocess.run(
        [Path(sys.executable).parent / "dbt", *arguments], cwd=folder, env={**inherited, **environment}, capture_output=True,
        text=True, timeout=400, check=False, preexec_fn=end_with_parent,
    )  # fmt: skip


def published_files(storage: Path) -> dict[Path, tuple[int, int]]:
    """Return size and time of change of every file that is published."""
    found = (path for path in (storage / "products").rglob("*") if path.is_file())
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in found}
