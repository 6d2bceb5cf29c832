"""dbt-duckdb's plugin for models, named in `kit/dbt/profiles.yml`."""

from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from kit.core import sandbox


class Plugin(BasePlugin):  # type: ignore[misc]
    """Confines the models, tests and hooks of a project to its own files and tables."""

    def configure_connection(self, conn: Any) -> None:
        """Confine the connection before the first statement of the project runs."""
        sandbox.confine_as_declared(conn, Path(self.creds.path))
