"""Bringing a database to the present schema, once, however many processes start together."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, insert, inspect, select
from sqlalchemy.engine import Connection

from app.store.engine import lock_file
from app.store.tables import metadata, schema_version

HEAD: Final = "0001"
"""The newest migration; a test holds it against the folder."""

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> None:
    """Make a new database, or bring an old one up to date; do nothing to a present one.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database can't be read or written.
    """
    if _version(engine) == HEAD:
        return
    with _alone(engine):
        version = _version(engine)
        if version is None:
            with engine.begin() as connection:
                _create(connection)
        elif version != HEAD:
            _migrate(engine)


def _version(engine: Engine) -> str | None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not inspect(connection).has_table(schema_version.name):
            return None
        return connection.execute(select(schema_version.c.version_num)).scalar()


def _create(connection: Connection) -> None:
    """A new database needs no migrations: it is made as the tables are now."""
    metadata.create_all(connection)
    connection.execute(insert(schema_version).values(version_num=HEAD))


def _migrate(engine: Engine) -> None:
    # 0.3 s to import, and wanted once in many starts.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextlib.contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    path = lock_file(engine)
    if path is None:
        yield
        return
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
