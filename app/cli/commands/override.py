"""``freezegate override``: let one urgent deploy through."""

import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from app.cli import ALLOWED, exits
from app.cli.api_client import all_pages, ask
from app.cli.local_time import local_printer, resolve_fields, zone_of_server
from app.cli.options import as_json, checked, duration_option, instant_option, name, server, timezone
from app.cli.report import echo, plain, print_json, print_table
from app.core.counted import counted


@click.group("override")
def command() -> None:
    """Grant, approve and revoke override tokens.

    Uses the API key in FREEZEGATE_API_KEY.
    """


@command.command(
    "grant", epilog=exits("done", undecided="the server can't be reached, or refuses the request")
)
@click.option(
    "--service",
    "services",
    metavar="NAME",
    multiple=True,
    required=True,
    help="Service to let through. Repeatable.",
)
@click.option(
    "--environment",
    "environments",
    metavar="NAME",
    multiple=True,
    default=("production",),
    show_default=True,
    help="Environment to let through to. Repeatable.",
)
@click.option(
    "--policy",
    "policies",
    metavar="ID",
    multiple=True,
    help="Only lift this policy; default: all. Repeatable.",
)
@click.option("--reason", metavar="TEXT", required=True, help="Reason, for the record.")
@duration_option("--ttl", text="Time until the token expires, from its start.")
@instant_option("--expires-at", text="Time at which the token expires.")
@instant_option("--starts-at", text="Time at which the token becomes active; default: now.")
@click.option(
    "--uses",
    "max_uses",
    metavar="N",
    type=int,
    default=1,
    show_default=True,
    help="Deploys that it lets through.",
)
@click.option("--ref", metavar="TEXT", help="Only let this ref through, exactly as claims name it.")
@click.option("--ticket", metavar="TEXT", help="Ticket of the change: an id or a link.")
@timezone
@server
@as_json
def grant(*, server: str | None, as_json: bool, timezone: str | None, **body: Any) -> int:
    """Grant a token. It is shown only once. In a pipe, standard output has the token alone."""
    if (body["ttl"] is None) == (body["expires_at"] is None):
        raise click.UsageError("set when it expires: either --ttl or --expires-at")
    zone_name = zone_of_server(server, timezone)
    resolve_fields(body, zone_name)
    granted = ask(server, "POST", "/overrides", body=body)
    if as_json:
        print_json(granted)
        return ALLOWED
    piped = not sys.stdout.isatty()
    _print(granted, local_printer(zone_name), err=piped)
    if not piped:
        echo("The token, shown only once. Pipelines send it as X-Override-Token:")
    click.echo(plain(granted.get("token", "")))
    return ALLOWED


@command.command(
    "list", epilog=exits("done", undecided="the server can't be reached, or refuses the request")
)
@click.option("--all", "everything", is_flag=True, help="Include expired, used-up and revoked ones.")
@timezone
@server
@as_json
def list_overrides(*, server: str | None, as_json: bool, timezone: str | None, everything: bool) -> int:
    """List the overrides, newest first."""
    found = all_pages(server, "/overrides", "overrides", "all" if everything else "active")
    if as_json:
        print_json(found)
    elif not found:
        echo("There are no overrides." if everything else "No override is in force; --all shows the others.")
    else:
        local = local_printer(zone_of_server(server, timezone))
        print_table(
            ("ID", "STATE", "SERVICES", "ENVIRONMENTS", "LEFT", "EXPIRES", "GRANTED BY", "REASON"),
            [
                (
                    each.get("id"),
                    each.get("state"),
                    ",".join(map(str, each.get("services") or ())),
                    ",".join(map(str, each.get("environments") or ())),
                    f"{each.get('uses_left')}/{each.get('max_uses')}",
                    local(each.get("expires_at")),
                    each.get("granted_by"),
                    each.get("reason"),
                )
                for each in found
            ],
        )
    return ALLOWED


def _add_command(verb: str, method: str, suffix: str, text: str) -> None:
    """Add a command that sends one request about one override and prints it."""

    @command.command(
        verb, help=text, epilog=exits("done", undecided="the server can't be reached, or refuses the request")
    )
    @click.argument("override_id", callback=checked(name))
    @timezone
    @server
    @as_json
    def run(*, override_id: str, server: str | None, as_json: bool, timezone: str | None) -> int:
        found = ask(server, method, f"/overrides/{override_id}{suffix}")
        if as_json:
            print_json(found)
        else:
            _print(found, local_printer(zone_of_server(server, timezone)))
        return ALLOWED


_add_command("show", "GET", "", "Show one override.")
_add_command("approve", "POST", "/approve", "Approve an override that someone else granted.")
_add_command("revoke", "DELETE", "", "Revoke an override. Its token is refused immediately.")


def _print(override: dict[str, Any], local: Callable[[object], str], *, err: bool = False) -> None:
    approvals = override.get("approvals") or {}
    given = [each.get("by") for each in approvals.get("given") or ()]
    needed = _needed_approvals(override.get("state"), approvals.get("needed") or 0)
    services, environments, policies = (
        _listed(override.get(each)) for each in ("services", "environments", "policies")
    )
    left = f"{override.get('uses_left')} of {override.get('max_uses')}"
    ref = f", only the ref {override['ref']}" if override.get("ref") else ""
    start = f" from {local(override['starts_at'])}" if override.get("starts_at") else ""
    lines = [
        f"{override.get('id')} is {override.get('state')}{needed}",
        f"  lets through: {services} to {environments}{ref}",
        f"  lifts: {policies or 'every policy that may be overridden'}",
        f"  granted by {override.get('granted_by')}: {override.get('reason')}",
        f"  uses left: {left},{start} until {local(override.get('expires_at'))}",
    ]
    if given:
        lines.append(f"  approved by {_listed(given)}")
    if override.get("ticket"):
        lines.append(f"  {override['ticket']}")
    _print_lines(lines, err=err)


def _listed(values: Iterable[object] | None) -> str:
    return ", ".join(map(str, values or ()))


def _print_lines(lines: Iterable[str], *, err: bool) -> None:
    for line in lines:
        echo(plain(line), err=err)


def _needed_approvals(state: object, needed: int) -> str:
    """Return how many approvals an override needs; if it is active without them, only some policies do."""
    count = counted(needed, "approval")
    if not needed:
        return ""
    return f", some policies need {count}" if state == "active" else f", needs {count}"
