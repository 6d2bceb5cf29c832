"""dbt-duckdb's plugin for models, named in `kit/dbt/profiles.yml`."""

from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from kit.core import resources, sandbox


class Plugin(BasePlugin):  # type: ignore[misc]
    """Limits models, tests and hooks to what a build may use, and confines them to the files and tables of their project."""

    def update_connection_config(self, creds: Any, config: dict[str, Any]) -> None:
        """Give the connection the memory, the threads and the spill folder of the build."""
        config |= resources.current().settings()

    def configure_connection(self, conn: Any) -> None:
        """Confine the connection before the first statement of the project runs."""
        sandbox.confine_as_declared(conn, Path(self.creds.path))
