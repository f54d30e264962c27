"""Opening a database by its URL."""

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.store import postgresql, sqlite
from app.store.database import Database
from app.store.errors import DatabaseUrlError


def open_database(url: str, lock_wait: float) -> Database:
    """A database, ready to connect to.

    Args:
        url: such as ``sqlite:///freezegate.db`` (a relative path counts from the working directory) or
            ``postgresql://user:password@host/freezegate``.
        lock_wait: seconds that a transaction waits for one of another process, and for a connection.

    Raises:
        DatabaseUrlError: the URL is malformed or of a kind of database that is not supported.
    """
    if "@" in url.partition("://")[2].partition("@")[2].partition("/")[0]:
        raise DatabaseUrlError('in the database URL, a name or password with "@" in it is written with %40')
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        sqlite.refuse_odd(parsed)
        return sqlite.SQLite(parsed, lock_wait)
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        postgresql.refuse_odd(parsed)
        return postgresql.PostgreSQL(parsed, lock_wait)
    raise DatabaseUrlError(f"databases of kind {parsed.get_backend_name()} are not supported")


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseUrlError("the database URL can't be read; one is sqlite:///freezegate.db") from None
