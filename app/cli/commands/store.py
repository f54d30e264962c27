"""``freezegate store``: copy the database, and prune it."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from app.cli import ALLOWED, exits
from app.cli.database import database_url, missing_as_usage_error, opened
from app.cli.options import as_json
from app.cli.record_text import beginning
from app.cli.report import echo, plain, print_json
from app.core.counted import counted, noun_for
from app.core.instant import DAY
from app.settings import LEAST_DAYS, SettingsError, read_settings

if TYPE_CHECKING:
    from app.gate.console import Console
    from app.gate.retention import Pruned

_SETTING: Final = "FREEZEGATE_KEEP_DECISIONS"
_SHOWN_EVERY: Final = 1_000


@click.group("store")
def command() -> None:
    """Copy the gate's database, or prune it."""


@command.command(
    "copy",
    short_help="Copy everything into an empty database.",
    epilog=exits("copied", undecided="the database can't be read or written"),
)
@click.argument("source", metavar="FROM_URL")
@click.argument("target", metavar="TO_URL")
@as_json
def copy(*, source: str, target: str, as_json: bool) -> int:
    """Copy everything into an empty database, such as from SQLite to PostgreSQL. Stop the gate first."""
    from app.gate.console import copy_database

    with missing_as_usage_error():
        copied = copy_database(source, target)
    if as_json:
        print_json(copied)
    else:
        for table, rows in copied.items():
            echo(plain(f"{rows:>9} {table}"))
    return ALLOWED


@command.command(
    "prune",
    short_help="Move old decisions into the archive.",
    epilog=exits(
        "pruned, or nothing was old enough",
        undecided="the database or the archive can't be read or written, the record is not whole, or another "
        "process is pruning",
    ),
)
@click.option(
    "--keep",
    metavar=f"{LEAST_DAYS}d",
    help="How many days decisions are kept, 90d at least; default: FREEZEGATE_KEEP_DECISIONS.",
)
@click.option(
    "--archive",
    metavar="FOLDER",
    help="Folder of the archive, or none to prune without one; default: FREEZEGATE_ARCHIVE, or archive "
    "beside the SQLite file.",
)
@click.option("--dry-run", is_flag=True, help="Count the events that would be pruned.")
@click.option(
    "--force",
    is_flag=True,
    help="Prune also where the clock is far ahead of the record, the archive lacks what was pruned last, "
    "or the SIEM lacks the events.",
)
@database_url
@as_json
def prune(
    *,
    keep: str | None,
    archive: str | None,
    dry_run: bool,
    force: bool,
    database_url: str | None,
    as_json: bool,
) -> int:
    """Move what is older than --keep into the archive, beside a gate that may be running.

    Keys, overrides, freezes and the loads of policies stay.
    """
    kept = _kept(keep)
    with opened(database_url) as console:
        if dry_run:
            events = console.count_prunable(kept, force=force)
            _print_count(events, _waiting(console, kept, force=force), as_json=as_json)
            return ALLOWED
        progress = _progress if sys.stderr.isatty() else None
        found = console.prune(kept, _folder(console, archive), progress, force=force)
        waiting = _waiting(console, kept, force=force)
    if sys.stderr.isatty():
        click.echo(err=True)
    if as_json:
        print_json({**found.to_json(), "waiting": waiting})
    else:
        _print(found, waiting)
    return ALLOWED


def _waiting(console: "Console", kept: int, *, force: bool) -> int:
    return 0 if force else console.count_waiting(kept)


def _folder(console: "Console", given: str | None) -> Path | None:
    try:
        settings = read_settings(os.environ)
        return console.archive(settings.archive if given is None else given)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


def _kept(given: str | None) -> int:
    """Return the seconds that decisions are kept: those given, as the setting takes them, or of the setting.

    Raises:
        UsageError: neither is there, they are too few, or they are no days.
    """
    try:
        keep = read_settings(os.environ, keep_decisions=given).kept_for
    except SettingsError as error:
        raise click.UsageError(str(error).replace(_SETTING, "--keep" if given else _SETTING)) from None
    if keep is None:
        raise click.UsageError(
            f"say how many days decisions are kept: --keep 400d, or any other from {LEAST_DAYS}d on"
        )
    return keep


def _print_count(events: int, waiting: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"events": events, "waiting": waiting, "dry_run": True})
    else:
        echo(f"{counted(events, 'event')} would be pruned.")
        _print_waiting(waiting)


def _print_waiting(events: int) -> None:
    """Say how many old events stay for now, and why."""
    from app.gate.retention import WAITS_FOR_SIEM

    if events:
        echo(
            f"{counted(events, 'old event waits', 'old events wait')} for the SIEM, which doesn't have "
            f"{noun_for(events, 'it', 'them')} yet, up to {WAITS_FOR_SIEM // DAY} days longer than --keep; "
            f"--force prunes {noun_for(events, 'it', 'them')} now."
        )


def _print(found: "Pruned", waiting: int) -> None:
    begins = found.to_json()["since"]
    if found.events or found.deleted:
        _print_pruned(found)
    elif not waiting:
        echo(
            "Nothing to prune." if begins is None else f"Nothing to prune: the record begins after {begins}."
        )
    _print_waiting(waiting)


def _print_pruned(found: "Pruned") -> None:
    begins = found.to_json()["since"]
    for name in found.files:
        echo(plain(name))
    echo(f"{counted(found.events, 'event')} pruned; the record begins after {begins}.")
    if (begin := found.begins) is not None:
        echo(beginning(begin.seq, begin.carried, archived=begin.file is not None))
    if found.policies:
        echo(f"{counted(found.policies, 'text')} of policies deleted, which no decision names any more.")


def _progress(what: str, reached: int, of: int) -> None:
    if reached % _SHOWN_EVERY == 0 or reached == of:
        click.echo(f"\r{what}: event {reached:,} of {of:,} ", err=True, nl=False)
