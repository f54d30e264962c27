"""Bringing a database to the present schema, once, however many processes start together."""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from sqlalchemy import Engine, insert, inspect, select
from sqlalchemy.engine import Connection

from app.store.engine import create_database, database_exists, lock_file, reading
from app.store.errors import StoreUnavailableError
from app.store.tables import metadata, schema_version

HEAD: Final = "0001"
"""The newest migration; a test holds it against the folder."""

MIGRATIONS: Final = Path(__file__).parent / "migrations"

_LOCK_TRIES: Final = 600
_LOCK_PAUSE: Final = 0.1
"""Seconds; with the tries, how long one process may take to change the schema: a minute."""


def upgrade(engine: Engine) -> None:
    """Make a new database, or bring an old one up to date; do nothing to a present one.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database can't be read or written.
        OSError: its file can't be made.
        StoreUnavailableError: it is of another freezegate, or being changed by one that takes too long.
    """
    if stored_version(engine) == HEAD:
        return
    with _alone(lock_file(engine)):
        create_database(engine)
        version = stored_version(engine)
        if version is None:
            with engine.begin() as connection:
                _create(connection)
        elif version != HEAD:
            migrate(engine, version)


def stored_version(engine: Engine) -> str | None:
    """The migration that a database stands at; None if there is none, or it is empty."""
    if not database_exists(engine):
        return None
    with reading(engine) as connection:
        return version_of(connection)


def version_of(connection: Connection) -> str | None:
    """The migration that the database of a connection stands at; None if it is empty."""
    if not inspect(connection).has_table(schema_version.name):
        return None
    return connection.execute(select(schema_version.c.version_num)).scalar()


def migrate(engine: Engine, version: str | None) -> None:
    """Run the migrations from `version` to the newest, all in one transaction.

    Raises:
        StoreUnavailableError: no such version is known here.
    """
    # 0.3 s to import, and wanted once in many starts.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise StoreUnavailableError(
            f"the database is at version {version}, which this freezegate does not know; "
            "it was last opened by a newer one"
        )
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _create(connection: Connection) -> None:
    """A new database needs no migrations: it is made as the tables are now."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(schema_version).values(version_num=HEAD))


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        _lock(file)
        yield


def _lock(file: TextIO) -> None:
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE)
        else:
            return
    raise StoreUnavailableError("another process has been changing the schema of the database for a minute")
