"""Create or migrate the schema, once, however many processes start together."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, insert, inspect, select

from app.core.audit import GENESIS
from app.store import connection as ours
from app.store.database import Database
from app.store.errors import StoreUnavailableError
from app.store.tables import head, lease, metadata, schema_version

HEAD: Final = "0018"
"""The newest migration; a test compares it with the folder."""

MIGRATIONS: Final = Path(__file__).parent / "migrations"

_VERSION: Final = select(schema_version.c.version_num)


def upgrade(database: Database) -> None:
    """Create a new database, or migrate an old one.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database can't be read or written; or an error of its driver.
        OSError: its file can't be made.
        StoreUnavailableError: it has an unknown version, or another process takes too long to migrate it.
    """
    if stored_version(database) == HEAD:
        return
    with database.alone():
        database.create()
        version = stored_version(database)
        if version is None:
            with database.engine.begin() as connection:
                _create(connection)
        elif version != HEAD:
            migrate(database, version)


def stored_version(database: Database) -> str | None:
    """Return the version of a database; None if there is none, or it is empty."""
    if not database.exists():
        return None
    with database.engine.begin() as connection:
        if not inspect(connection).has_table(schema_version.name):
            return None
        return connection.execute(_VERSION).scalar()


def version_of(connection: ours.Connection) -> str | None:
    """Return the version of a connection's database."""
    row = connection.row(_VERSION)
    return None if row is None else str(row[0])


def migrate(database: Database, version: str | None) -> None:
    """Run the migrations from `version` to the newest, all in one transaction.

    Raises:
        StoreUnavailableError: the version is unknown.
    """
    # 0.3 s to import, and rarely needed.
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
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _create(connection: Connection) -> None:
    """Create the present tables in a new database, without migrations."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(schema_version).values(version_num=HEAD))
    connection.execute(insert(head).values(id=1, seq=0, hash=GENESIS, freezes_version=0, keys_version=0))
    connection.execute(
        insert(lease).values(id=1, holder="", held_until=0, seq=0, looked_until=0, environments="{}")
    )
