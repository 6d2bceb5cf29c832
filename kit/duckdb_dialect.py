"""SQLAlchemy's DuckDB dialect for validation queries, registered as `duckdb+kit`."""

from typing import Any

from duckdb_sqlalchemy import Dialect


class PlainDialect(Dialect):  # type: ignore[misc]
    """DuckDB without transactions.

    Great Expectations rolls back before it has fetched its results, and a rollback makes DuckDB discard them.
    """

    supports_statement_cache = True

    def do_begin(self, connection: Any) -> None:
        """Do nothing: there is no transaction."""

    def do_commit(self, connection: Any) -> None:
        """Do nothing: there is no transaction."""

    def do_rollback(self, connection: Any) -> None:
        """Do nothing: there is no transaction."""
