"""What the commands share that work on the database itself, beside a gate that may be running."""

import contextlib
import getpass
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from app.settings import SettingsError, read_settings

if TYPE_CHECKING:
    from app.store.store import Store

DEADLINE: Final = 60.0
"""Seconds that any one step may take: nobody waits here for an answer to a pipeline."""

database_url = click.option("--database-url", help="The database; default: FREEZEGATE_DATABASE_URL.")


@contextlib.contextmanager
def opened(url: str | None) -> Iterator["Store"]:
    """Open the store of a URL, or of the environment; only `serve` makes a new one.

    Raises:
        UsageError: the environment does not make sense, or there is no database where it says.
        StoreUnavailableError: the database can't be opened.
    """
    from app.store.store import Store

    try:
        settings = read_settings(os.environ, database_url=url)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    with missing_told():
        store = Store.open(settings.database, deadline=DEADLINE, create=False)
    try:
        yield store
    finally:
        store.let_go()


@contextlib.contextmanager
def missing_told() -> Iterator[None]:
    """Turn a URL that names no database into wrong usage, with the name of a file that is near.

    Raises:
        UsageError: there is no such database.
    """
    from app.store.errors import DatabaseUrlError, NoDatabaseError
    from app.yaml.problem import did_you_mean

    try:
        yield
    except NoDatabaseError as error:
        path = Path(error.name)
        beside = [each.name for each in path.parent.glob("*") if each.is_file() and each.name != path.name]
        guess = did_you_mean(path.name, [each for each in beside if each.endswith(path.suffix)])
        hint = guess or (
            "; name the gate's with --database-url or FREEZEGATE_DATABASE_URL "
            "(`freezegate serve` makes one when it starts)"
        )
        raise click.UsageError(f"{error}{hint}") from None
    except DatabaseUrlError as error:
        raise click.UsageError(str(error)) from None


def at_the_console() -> str:
    """Who works on the database, as the record calls them."""
    try:
        return f"console:{getpass.getuser()}"
    except (KeyError, OSError):
        return "console"
