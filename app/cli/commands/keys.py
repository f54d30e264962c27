"""``freezegate keys``: create, list and revoke API keys, on the database."""

import contextlib
import os
import sys
from typing import Any, Final

import click

from app.cli import ALLOWED, FROZEN, USAGE, exits, fail
from app.cli.database import console_actor, database_url, opened
from app.cli.options import as_json, checked, duration_option, name, period
from app.cli.report import echo, plain, print_json, print_table
from app.settings import read_settings

_TIMES: Final = ("created_at", "expires_at", "revoked_at")


@click.group("keys")
def command() -> None:
    """Create, list and revoke API keys, directly on the database."""


@command.command("create", epilog=exits("done", undecided="the database can't be read or written"))
@click.option(
    "--name", "owner", metavar="TEXT", required=True, help="Name of the person or machine that uses the key."
)
@click.option(
    "--person",
    metavar="TEXT",
    help="Person that the key belongs to: a name, or issuer#claim=id as in the person's identity tokens. "
    "Required to approve overrides, and to grant those that need approval.",
)
@click.option(
    "--role", required=True, type=click.Choice(["viewer", "ci", "ops", "admin"]), help="Role of the key."
)
@click.option(
    "--service",
    "services",
    metavar="NAME",
    multiple=True,
    help="Restrict the key to this service or pattern, with any role but viewer. Repeatable.",
)
@click.option(
    "--tag",
    "tags",
    metavar="TAG",
    multiple=True,
    help="Restrict the key to services with this tag, besides those of --service. Repeatable.",
)
@duration_option("--expires", text="Time until the key expires; default: never.")
@database_url
@as_json
def create(
    *,
    owner: str,
    person: str | None,
    role: str,
    services: tuple[str, ...],
    tags: tuple[str, ...],
    expires: str | None,
    database_url: str | None,
    as_json: bool,
) -> int:
    """Create a key. It is shown only once. In a pipe, standard output has the key alone."""
    from app.gate import keys
    from app.gate.errors import InvalidFieldError
    from app.identity.caller import Role

    with opened(database_url) as console:
        expires_at = None if expires is None else console.now() + period(expires)
        wanted = keys.KeyRequest(owner, Role(role), services or None, expires_at, person, tags or None)
        try:
            record, key = console.create_key(wanted, console_actor())
        except InvalidFieldError as error:
            fail(f"{error.field}: {error}")
            return USAGE
    if person is not None and wanted.role.covers(Role.OPS):
        _warn_of_sign_ins(person, database_url)
    if as_json:
        print_json({**_to_json(record), "key": key})
        return ALLOWED
    if person is None and wanted.role.covers(Role.OPS):
        echo("Without --person it can neither approve nor grant overrides that need approval.", err=True)
    piped = not sys.stdout.isatty()
    echo(plain(f"{record.id}: a key with role {role} for {record.name}, shown only once:"), err=piped)
    click.echo(key)
    return ALLOWED


@command.command("list", epilog=exits("done", undecided="the database can't be read or written"))
@database_url
@as_json
def list_them(*, database_url: str | None, as_json: bool) -> int:
    """List the keys, without the keys themselves."""
    with opened(database_url) as console:
        found = [_to_json(record) for record in console.list_keys()]
    if as_json:
        print_json(found)
    elif not found:
        echo("There are no keys.")
    else:
        head = ("ID", "NAME", "PERSON", "ROLE", "SERVICES", "TAGS", "CREATED", "EXPIRES", "REVOKED")
        columns = ("id", "name", "person", "role", "services", "tags", *_TIMES)
        print_table(head, [[_cell(each[column]) for column in columns] for each in found])
    return ALLOWED


@command.command(
    "revoke",
    short_help="Revoke a key.",
    epilog=exits("done", failed="there is no such key", undecided="the database can't be read or written"),
)
@click.argument("key_id", callback=checked(name))
@database_url
@as_json
def revoke(*, key_id: str, database_url: str | None, as_json: bool) -> int:
    """Revoke a key. Claims and changes are refused immediately, reads within a second."""
    from app.gate.errors import UnknownRecordError

    with opened(database_url) as console:
        try:
            record = console.revoke_key(key_id, console_actor())
        except UnknownRecordError as error:
            fail(str(error))
            return FROZEN
    if as_json:
        print_json(_to_json(record))
    else:
        echo(plain(f"{record.id} of {record.name} is revoked"))
    return ALLOWED


@command.command(
    "secret",
    short_help="Print a new secret key.",
    epilog=exits("printed", undecided="it could not be printed"),
)
def secret() -> int:
    """Print a new key for FREEZEGATE_SECRET_KEY, which encrypts secrets of deploys that wait.

    It is stored nowhere. To change the key, put the new one on the line before the old one.
    """
    from app.identity.credentials import new_secret_key

    click.echo(new_secret_key())
    return ALLOWED


def _warn_of_sign_ins(person: str, database_url: str | None) -> None:
    """Warn that the person of a key is none of those who sign in, by the identity file of the settings.

    A file that can't be read stops the gate's start, where the error is shown; here it is passed over.
    """
    from app.gate.keys import is_person_of
    from app.identity.oidc.errors import IdentityFileError
    from app.identity.oidc.issuers import read_identity_file
    from app.identity.oidc.sign_in_section import person_forms

    file = read_settings(os.environ, database_url=database_url).identity
    if file is None:
        return
    with contextlib.suppress(IdentityFileError):
        forms = person_forms(read_identity_file(file, None).sign_in)
        if forms and not is_person_of(person, forms):
            as_written = " or ".join(f"{form}ID" for form in forms)
            echo(
                plain(
                    f"People sign in as {as_written}. {person} is another person, so the owner of this key "
                    "could approve their own overrides there; give --person in that form."
                ),
                err=True,
            )


def _to_json(record: Any) -> dict[str, Any]:
    from app.core.decision_json import instant_or_none

    fields: dict[str, Any] = record._asdict()
    return {**fields, **{each: instant_or_none(fields[each]) for each in _TIMES}}


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return ",".join(value) if isinstance(value, (list, tuple)) else str(value)
