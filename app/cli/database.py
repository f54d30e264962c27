"""What the commands share that work on the database itself, beside a gate that may be running."""

import contextlib
import getpass
import os
from collections.abc import Iterator
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
    """The store of a URL, or of the environment.

    Raises:
        UsageError: the environment does not make sense.
        DatabaseUrlError: the URL names no database that can be used.
        StoreUnavailableError: the database can't be opened.
    """
    from app.store.store import Store

    try:
        settings = read_settings(os.environ, database_url=url)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    store = Store.open(settings.database, deadline=DEADLINE)
    try:
        yield store
    finally:
        store.let_go()


def at_the_console() -> str:
    """Who works on the database, as the record calls them."""
    try:
        return f"console:{getpass.getuser()}"
    except (KeyError, OSError):
        return "console"
