"""``freezegate holds``: list, show and cancel the deploys that wait."""

from collections.abc import Callable
from typing import Any

import click

from app.cli import ALLOWED, exits
from app.cli.api_client import all_pages, ask
from app.cli.local_time import ZoneName, local_printer, zone_of_server
from app.cli.options import as_json, checked, name, server, timezone
from app.cli.report import echo, plain, print_json, print_table

_EXITS = exits("done", undecided="the server can't be reached, or refuses the request")


@click.group("holds", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> int:
    """List, show and cancel the deploys that wait for the gate to open; without a command, list them.

    Uses the API key in FREEZEGATE_API_KEY.
    """
    if context.invoked_subcommand is not None:
        return ALLOWED
    return int(list_holds.invoke(list_holds.make_context("list", [], parent=context)))


@command.command("list", epilog=_EXITS)
@click.option(
    "--all", "everything", is_flag=True, help="Include those of the last 30 days that are finished."
)
@timezone
@server
@as_json
def list_holds(*, server: str | None, as_json: bool, timezone: str | None, everything: bool) -> int:
    """List the deploys that wait.

    Each has the time of its turn, and until when it can wait.
    """
    found = all_pages(server, "/holds", "holds", "all" if everything else "unfinished")
    if as_json:
        print_json(found)
    elif not found:
        echo("No deploy waits.")
    else:
        local = _local(zone_of_server(server, timezone))
        head = ("ID", "STATE", "SERVICE", "ENVIRONMENT", "WHO", "SINCE", "TURN", "EXPIRES")
        print_table(head, [_row(each, local) for each in found])
    return ALLOWED


@command.command("show", epilog=_EXITS)
@click.argument("hold_id", callback=checked(name))
@timezone
@server
@as_json
def show(*, hold_id: str, server: str | None, as_json: bool, timezone: str | None) -> int:
    """Show one deploy that waits or waited."""
    hold = ask(server, "GET", f"/holds/{hold_id}")
    return _print(hold, zone_of_server(server, timezone), as_json=as_json)


@command.command("cancel", epilog=_EXITS)
@click.argument("hold_id", callback=checked(name))
@click.option("--reason", metavar="TEXT", help="Reason, for the record and for the system that waits.")
@timezone
@server
@as_json
def cancel(
    *, hold_id: str, reason: str | None, server: str | None, as_json: bool, timezone: str | None
) -> int:
    """Cancel a deploy that waits.

    You may cancel your own, and with the role ops that of others.
    """
    body = None if reason is None else {"reason": reason}
    hold = ask(server, "DELETE", f"/holds/{hold_id}", body=body)
    return _print(hold, zone_of_server(server, timezone), as_json=as_json)


def _row(hold: dict[str, Any], local: Callable[[object], str]) -> list[object]:
    turn = hold.get("turn_at")
    return [
        hold.get("id"),
        hold.get("state"),
        hold.get("service"),
        hold.get("environment"),
        _who(hold),
        local(hold.get("created_at")),
        local(turn) if turn else "will be rejected" if hold.get("state") == "waiting" else "",
        local(hold.get("expires_at")),
    ]


def _local(zone_name: ZoneName) -> Callable[[object], str]:
    """Return a function that prints an instant as in the messages of the gate."""
    from app.clock import SystemClock
    from app.core.explain import local_time

    now = SystemClock().now()
    return local_printer(zone_name, lambda instant, where: local_time(instant, where, now))


def _who(hold: dict[str, Any]) -> str:
    return str(hold.get("actor") or hold.get("requested_by") or "anonymous")


def _times(hold: dict[str, Any], local: Callable[[object], str]) -> list[str]:
    since = local(hold.get("created_at"))
    if hold.get("state") == "waiting":
        opens = f", opens {local(hold['opens_at'])}" if hold.get("opens_at") else ""
        return [
            f"  asked for by {_who(hold)}, waits since {since}{opens}",
            f"  can wait until {local(hold.get('expires_at'))}",
        ]
    by = f" by {hold['cancelled_by']}" if hold.get("cancelled_by") else ""
    why = f": {hold['cancel_reason']}" if hold.get("cancel_reason") else ""
    return [
        f"  asked for by {_who(hold)} on {since}",
        f"  {hold.get('state')} on {local(hold.get('changed_at'))}{by}{why}",
    ]


def _print(hold: dict[str, Any], zone_name: ZoneName, *, as_json: bool) -> int:
    if as_json:
        print_json(hold)
        return ALLOWED
    local = _local(zone_name)
    run = " ".join(str(hold[each]) for each in ("ref", "run_url") if hold.get(each))
    for line in (
        f"{hold.get('id')} is {hold.get('state')}: {hold.get('service')} to {hold.get('environment')}",
        *_times(hold, local),
        *([f"  {run}"] if run else ()),
        *([f"  released by {hold['decision_id']}"] if hold.get("decision_id") else ()),
    ):
        echo(plain(line))
    return ALLOWED
