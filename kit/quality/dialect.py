"""SQLAlchemy's DuckDB dialect for validation queries, registered as `duckdb+kit`."""

from pathlib import Path
from typing import Any

from duckdb_sqlalchemy import Dialect

from kit.core import database, sandbox


class _Quoting(Dialect.preparer):  # type: ignore[misc]
    """Writes every name in quotes: SQLAlchemy does not know all words that DuckDB reads otherwise without them."""

    def _requires_quotes(self, value: str) -> bool:
        return True


class PlainDialect(Dialect):  # type: ignore[misc]
    """DuckDB without transactions, confined to the declared files.

    Great Expectations rolls back before it has fetched its results, and a rollback makes DuckDB discard them.
    """

    supports_statement_cache = True
    preparer = _Quoting

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """Open a database, limited and confined before the first statement of a rule runs."""
        connection = super().connect(*arguments, **options)
        if not sandbox.is_confined(connection):
            database.limit(connection)
        sandbox.confine_as_declared(connection, Path(options["database"]))
        return connection

    def do_begin(self, connection: Any) -> None:
        """Do nothing: there is no transaction."""

    def do_commit(self, connection: Any) -> None:
        """Do nothing: there is no transaction."""

    def do_rollback(self, connection: Any) -> None:
        """Do nothing: there is no transaction."""
