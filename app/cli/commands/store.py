"""``freezegate store``: copy the database."""

import click

from app.cli import ALLOWED, exits
from app.cli.database import missing_as_usage_error
from app.cli.options import as_json
from app.cli.report import echo, plain, print_json


@click.group("store")
def command() -> None:
    """Copy the gate's database."""


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
