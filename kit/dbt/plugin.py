"""dbt-duckdb's plugin for models, named in `kit/dbt/profiles.yml`."""

from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from kit.core import sandbox


class Plugin(BasePlugin):  # type: ignore[misc]
    """Confines what models, tests and hooks of a project can touch."""

    def configure_connection(self, conn: Any) -> None:
        """Shut the connection before the first statement of the project runs."""
        sandbox.confine_as_declared(conn, Path(self.creds.path))
