"""``freezegate freeze``: stop deploys now."""

from typing import Any

import click

from app.cli import ALLOWED, FROZEN, fail
from app.cli.operations import (
    RefusedError,
    all_pages,
    ask,
    duration_option,
    instant_option,
    print_json,
    print_table,
    server,
)
from app.cli.options import as_json, checked, name
from app.cli.report import echo, plain


@click.group("freeze")
def command() -> None:
    """Ad-hoc freezes: started in an incident, extended, lifted.

    Who is asking is taken from FREEZEGATE_API_KEY.
    """


def _end(do: Any) -> Any:
    """When it ends: one of three options."""
    for option in (
        click.option("--open-ended", is_flag=True, help="It lasts until somebody lifts it."),
        instant_option("--until", text="When it ends."),
        duration_option("--ttl", text="How long it lasts."),
    ):
        do = option(do)
    return do


@command.command("start")
@click.option("--title", required=True, help="What everybody reads who is stopped.")
@click.option("--reason", required=True, help="Why.")
@click.option("--environment", "environments", multiple=True, help="Only this environment.")
@click.option("--service", "services", multiple=True, help="Only this service; * for any letters.")
@click.option("--tag", "tags", multiple=True, help="Only services with this tag.")
@instant_option("--at", "starts_at", text="When it starts; now if not given.")
@_end
@click.option(
    "--override",
    type=click.Choice(["token", "never"]),
    default="token",
    show_default=True,
    help="Whether an override token lifts it.",
)
@click.option("--contact", help="Whom to ask.")
@click.option("--link", metavar="URL", help="Where to read more.")
@server
@as_json
def start(*, server: str | None, as_json: bool, **wanted: Any) -> int:
    """Freeze: everything, or what the options name."""
    _one_end(wanted)
    return _done(server, "POST", "/freezes", as_json=as_json, body=wanted)


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@server
@as_json
def list_them(*, server: str | None, as_json: bool, everything: bool) -> int:
    """List the ad-hoc freezes."""
    try:
        found = all_pages(server, "/freezes", "freezes", "all" if everything else "standing")
    except RefusedError as error:
        fail(str(error))
        return FROZEN
    if as_json:
        print_json(found)
    elif not found:
        echo("There are no ad-hoc freezes.")
    else:
        print_table(
            ("ID", "STATE", "SCOPE", "FROM", "UNTIL", "STARTED BY", "TITLE"),
            [
                (
                    each.get("id"),
                    each.get("state"),
                    _scope(each),
                    each.get("starts_at"),
                    each.get("ends_at") or "open-ended",
                    each.get("started_by"),
                    each.get("title"),
                )
                for each in found
            ],
        )
    return ALLOWED


@command.command("extend")
@click.argument("freeze_id", callback=checked(name))
@_end
@server
@as_json
def extend(*, freeze_id: str, server: str | None, as_json: bool, **wanted: Any) -> int:
    """Move the end of a freeze; --ttl counts from now."""
    _one_end(wanted)
    return _done(server, "PATCH", f"/freezes/{freeze_id}", as_json=as_json, body=wanted)


@command.command("lift")
@click.argument("freeze_id", callback=checked(name))
@server
@as_json
def lift(*, freeze_id: str, server: str | None, as_json: bool) -> int:
    """Lift a freeze: deploys go on at once."""
    return _done(server, "DELETE", f"/freezes/{freeze_id}", as_json=as_json)


def _one_end(wanted: dict[str, Any]) -> None:
    wanted["open_ended"] = wanted["open_ended"] or None
    if sum(wanted[each] is not None for each in ("ttl", "until", "open_ended")) != 1:
        raise click.UsageError("say when it ends: --ttl, --until or --open-ended, one of them")


def _done(
    server: str | None, method: str, path: str, *, as_json: bool, body: dict[str, Any] | None = None
) -> int:
    try:
        freeze = ask(server, method, path, body=body)
    except RefusedError as error:
        fail(str(error))
        return FROZEN
    if as_json:
        print_json(freeze)
        return ALLOWED
    end = f"until {freeze.get('ends_at')}" if freeze.get("ends_at") else "until it is lifted"
    for line in (
        f"{freeze.get('id')} is {freeze.get('state')}: {freeze.get('title')}",
        f"  stops {_scope(freeze)}, from {freeze.get('starts_at')} {end}",
        f"  started by {freeze.get('started_by')}: {freeze.get('reason')}",
        *([f"  lifted by {freeze['lifted_by']}"] if freeze.get("lifted_by") else ()),
    ):
        echo(plain(line))
    return ALLOWED


def _scope(freeze: dict[str, Any]) -> str:
    named = [str(each) for field in ("environments", "services", "tags") for each in freeze.get(field) or ()]
    return ", ".join(named) or "everything"
