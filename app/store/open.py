"""Open a database by its URL."""

import re

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.store import postgresql, postgresql_url, sqlite
from app.store.database import Database
from app.store.errors import DatabaseUrlError


def open_database(url: str, lock_wait: float) -> Database:
    """Return a database, not yet connected.

    Args:
        url: such as ``sqlite:///freezegate.db`` (a relative path counts from the working directory) or
            ``postgresql://user:password@host/freezegate``.
        lock_wait: seconds that a transaction waits for another process's, and for a connection.

    Raises:
        DatabaseUrlError: the URL is malformed or of a kind of database that is not supported.
    """
    if re.split(r"[+:]", url, maxsplit=1)[0] in postgresql_url.SCHEMES:
        return postgresql.PostgreSQL(postgresql_url.connection_parameters(url), lock_wait)
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        sqlite.refuse_odd(parsed)
        return sqlite.SQLite(parsed, lock_wait)
    raise DatabaseUrlError(f"databases of kind {parsed.get_backend_name()} are not supported")


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseUrlError("the database URL can't be read; one is sqlite:///freezegate.db") from None
