"""``freezegate keys``: who may do what, on the database itself."""

import sys
from typing import Any

import click

from app.cli import ALLOWED, FROZEN, USAGE, fail
from app.cli.database import at_the_console, database_url, opened
from app.cli.operations import duration_option, period, print_json, print_table
from app.cli.options import as_json, checked, name
from app.cli.report import echo, plain
from app.clock import SystemClock


@click.group("keys")
def command() -> None:
    """API keys. They are made on the database, by whoever runs it."""


@command.command("create")
@click.option("--name", "owner", required=True, help="Of the person or machine that it is for.")
@click.option(
    "--person",
    help="Whose it is, by name; or as identity tokens say, issuer#claim=id, for somebody who uses both. "
    "Needed to approve, and to grant what needs approval.",
)
@click.option(
    "--role", required=True, type=click.Choice(["viewer", "ci", "ops", "admin"]), help="What it may do."
)
@click.option("--service", "services", multiple=True, help="With --role ci: only this service, or a pattern.")
@duration_option("--expires", text="When it expires, from now; never if not given.")
@database_url
@as_json
def create(
    *,
    owner: str,
    person: str | None,
    role: str,
    services: tuple[str, ...],
    expires: str | None,
    database_url: str | None,
    as_json: bool,
) -> int:
    """Make a key. It is printed this once; in a pipe, nothing else goes to standard output."""
    from app.gate import keys
    from app.gate.errors import InvalidFieldError
    from app.identity.caller import Role

    clock = SystemClock()
    with opened(database_url) as store:
        expires_at = None if expires is None else keys.present(store, clock) + period(expires)
        wanted = keys.KeyRequest(owner, Role(role), services or None, expires_at, person)
        try:
            record, key = keys.create(store, clock, wanted, at_the_console())
        except InvalidFieldError as error:
            fail(f"{error.field}: {error}")
            return USAGE
    if as_json:
        print_json({**_described(record), "key": key})
        return ALLOWED
    if person is None and wanted.role.covers(Role.OPS):
        echo("Without --person it can neither approve nor grant what needs approval.", err=True)
    piped = not sys.stdout.isatty()
    echo(plain(f"{record.id}: a key of role {role} for {record.name}; it is shown this once:"), err=piped)
    click.echo(key)
    return ALLOWED


@command.command("list")
@database_url
@as_json
def list_them(*, database_url: str | None, as_json: bool) -> int:
    """List the keys, without the keys themselves."""
    from app.gate import keys

    with opened(database_url) as store:
        found = [_described(record) for record in keys.all_of_them(store)]
    if as_json:
        print_json(found)
    elif not found:
        echo("There are no keys.")
    else:
        head = ("ID", "NAME", "PERSON", "ROLE", "SERVICES", "CREATED", "EXPIRES", "REVOKED")
        columns = ("id", "name", "person", "role", "services", "created_at", "expires_at", "revoked_at")
        print_table(head, [[_cell(each[column]) for column in columns] for each in found])
    return ALLOWED


@command.command("revoke", short_help="Revoke a key.")
@click.argument("key_id", callback=checked(name))
@database_url
@as_json
def revoke(*, key_id: str, database_url: str | None, as_json: bool) -> int:
    """Revoke a key. Claims and changes are refused at once, reads within a second."""
    from app.gate import keys
    from app.gate.errors import UnknownRecordError

    with opened(database_url) as store:
        try:
            record = keys.revoke(store, SystemClock(), key_id, at_the_console())
        except UnknownRecordError as error:
            fail(str(error))
            return FROZEN
    if as_json:
        print_json(_described(record))
    else:
        echo(plain(f"{record.id} of {record.name} is revoked"))
    return ALLOWED


def _described(record: Any) -> dict[str, Any]:
    from app.core.decision_json import instant_or_none

    times = ("created_at", "expires_at", "revoked_at")
    told: dict[str, Any] = record._asdict()
    return {**told, **{each: instant_or_none(told[each]) for each in times}}


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return ",".join(value) if isinstance(value, (list, tuple)) else str(value)
