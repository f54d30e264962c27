"""``freezegate override``: let one urgent deploy through."""

import sys
from typing import Any

import click

from app.cli import ALLOWED
from app.cli.local_time import resolve, zone_of_server
from app.cli.operations import (
    all_pages,
    ask,
    duration_option,
    instant_option,
    print_json,
    print_table,
)
from app.cli.options import as_json, checked, name, server, timezone
from app.cli.report import echo, plain


@click.group("override")
def command() -> None:
    """Override tokens: granted for what must go out, approved, revoked.

    Who is asking is taken from FREEZEGATE_API_KEY.
    """


@command.command("grant")
@click.option("--service", "services", multiple=True, required=True, help="A service it lets through.")
@click.option(
    "--environment",
    "environments",
    multiple=True,
    default=("production",),
    show_default=True,
    help="Where to.",
)
@click.option("--policy", "policies", multiple=True, help="A rule it lifts, by id; all if none is given.")
@click.option("--reason", required=True, help="Why; it goes on record.")
@duration_option("--ttl", text="How long the token lives.")
@instant_option("--expires-at", text="When the token expires.")
@click.option("--uses", "max_uses", type=int, default=1, show_default=True, help="How many deploys.")
@click.option("--ticket", metavar="TEXT", help="Where the reason is discussed: an id or a link.")
@timezone
@server
@as_json
def grant(*, server: str | None, as_json: bool, timezone: str | None, **wanted: Any) -> int:
    """Grant a token. It is printed this once; in a pipe, nothing else goes to standard output."""
    if (wanted["ttl"] is None) == (wanted["expires_at"] is None):
        raise click.UsageError("say how long it lives: --ttl or --expires-at, one of them")
    resolve(wanted, zone_of_server(server, timezone))
    granted = ask(server, "POST", "/overrides", body=wanted)
    if as_json:
        print_json(granted)
        return ALLOWED
    piped = not sys.stdout.isatty()
    _print(granted, err=piped)
    if not piped:
        echo("The token, shown this once; the pipeline sends it as X-Override-Token:")
    click.echo(plain(granted.get("token", "")))
    return ALLOWED


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@server
@as_json
def list_them(*, server: str | None, as_json: bool, everything: bool) -> int:
    """List the overrides, newest first."""
    found = all_pages(server, "/overrides", "overrides", "all" if everything else "active")
    if as_json:
        print_json(found)
    elif not found:
        echo("There are no overrides.")
    else:
        print_table(
            ("ID", "STATE", "SERVICES", "ENVIRONMENTS", "LEFT", "EXPIRES", "GRANTED BY", "REASON"),
            [
                (
                    each.get("id"),
                    each.get("state"),
                    ",".join(map(str, each.get("services") or ())),
                    ",".join(map(str, each.get("environments") or ())),
                    f"{each.get('uses_left')}/{each.get('max_uses')}",
                    each.get("expires_at"),
                    each.get("granted_by"),
                    each.get("reason"),
                )
                for each in found
            ],
        )
    return ALLOWED


def _of_one(verb: str, method: str, suffix: str, text: str) -> None:
    """Add a command that does something to one override."""

    @command.command(verb, help=text)
    @click.argument("override_id", callback=checked(name))
    @server
    @as_json
    def do(*, override_id: str, server: str | None, as_json: bool) -> int:
        found = ask(server, method, f"/overrides/{override_id}{suffix}")
        print_json(found) if as_json else _print(found)
        return ALLOWED


_of_one("show", "GET", "", "Show one override.")
_of_one("approve", "POST", "/approve", "Approve what somebody else granted.")
_of_one("revoke", "DELETE", "", "Revoke an override: it is good for nothing at once.")


def _print(override: dict[str, Any], *, err: bool = False) -> None:
    approvals = override.get("approvals") or {}
    given = [each.get("by") for each in approvals.get("given") or ()]
    waits = _waits(override.get("state"), approvals.get("needed") or 0)
    services, environments, policies = (
        ", ".join(map(str, override.get(each) or ())) for each in ("services", "environments", "policies")
    )
    left = f"{override.get('uses_left')} of {override.get('max_uses')}"
    lines = [
        f"{override.get('id')} is {override.get('state')}{waits}",
        f"  lets through: {services} to {environments}",
        f"  lifts: {policies or 'every rule that may be overridden'}",
        f"  granted by {override.get('granted_by')}: {override.get('reason')}",
        f"  uses left: {left}, until {override.get('expires_at')}",
    ]
    if given:
        lines.append(f"  approved by {', '.join(map(str, given))}")
    if override.get("ticket"):
        lines.append(f"  {override['ticket']}")
    for line in lines:
        echo(plain(line), err=err)


def _waits(state: object, needed: int) -> str:
    """Say how many approvals an override needs, and for what where it is active without them."""
    count = f"{needed} approval{'' if needed == 1 else 's'}"
    if not needed:
        return ""
    return f", some policies need {count}" if state == "active" else f", needs {count}"
