"""A database as version 0.1 (schema 0003) wrote it: every kind of row, by the use cases of that version."""

import json
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from app.store.database import Database
from app.store.open import open_database
from app.store.schema import MIGRATIONS

TABLES: Final[dict[str, list[list[Any]]]] = json.loads(
    Path(__file__).with_name("database-of-0.1.json").read_text()
)
"""The rows of each table, in the order of its columns."""

_FIRST: Final = ("policy_revisions", "keys", "overrides", "decisions")
"""Tables that others refer to."""


def of_version(database: Database, version: str) -> None:
    """Make the tables of a version."""
    database.create()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def write_older_database(url: str) -> None:
    """Write the database of version 0.1 to a URL."""
    database = open_database(url, lock_wait=5)
    of_version(database, "0003")
    with database.engine.begin() as connection:
        for table in (*_FIRST, *sorted(TABLES.keys() - set(_FIRST))):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - a name of our own
            for row in TABLES[table]:
                places = ", ".join(f":c{number}" for number in range(len(row)))
                values = {f"c{number}": value for number, value in enumerate(row)}
                connection.execute(text(f"INSERT INTO {table} VALUES ({places})"), values)  # noqa: S608 - as above
    database.engine.dispose()
