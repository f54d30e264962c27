"""Shared by the commands that work directly on the database, possibly next to a running gate."""

import contextlib
import getpass
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from app.clock import SystemClock
from app.settings import SettingsError, read_settings

if TYPE_CHECKING:
    from app.gate.console import Console

DEADLINE: Final = 60.0
"""Seconds that any one step may take; long, because no pipeline is waiting for an answer."""

database_url = click.option(
    "--database-url", metavar="URL", help="Database of the gate; default: FREEZEGATE_DATABASE_URL."
)


@contextlib.contextmanager
def opened(url: str | None) -> Iterator["Console"]:
    """Open the database of a URL, by default that of the environment; only `serve` creates one.

    Raises:
        UsageError: the settings are invalid, or there is no database at the URL.
        StoreUnavailableError: the database can't be opened.
    """
    from app.gate import console

    try:
        settings = read_settings(os.environ, database_url=url)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    with contextlib.ExitStack() as stack:
        with missing_as_usage_error():
            found = stack.enter_context(console.opened(settings.database, SystemClock(), DEADLINE))
        yield found


@contextlib.contextmanager
def missing_as_usage_error() -> Iterator[None]:
    """Turn a URL that names no database into a usage error that suggests a similar file name.

    Raises:
        UsageError: there is no such database.
    """
    from app.gate.errors import DatabaseUrlError, NoDatabaseError
    from app.yaml.problem import did_you_mean

    try:
        yield
    except NoDatabaseError as error:
        path = Path(error.name)
        guess = did_you_mean(path.name, _files_like(path))
        hint = guess or (
            "; run this where the gate runs, in its folder, or set the gate's with --database-url or "
            "FREEZEGATE_DATABASE_URL (`freezegate serve` creates it when it first starts)"
        )
        raise click.UsageError(f"{error}{hint}") from None
    except DatabaseUrlError as error:
        raise click.UsageError(str(error)) from None


def console_actor() -> str:
    """Return the actor that the audit log names for the user of this machine."""
    try:
        return f"console:{getpass.getuser()}"
    except (KeyError, OSError):
        return "console"


def _files_like(path: Path) -> list[str]:
    """Return the names of other files in the folder of a path that have its suffix."""
    files = [each.name for each in path.parent.glob("*") if each.is_file()]
    return [each for each in files if each != path.name and each.endswith(path.suffix)]
