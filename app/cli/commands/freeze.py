"""``freezegate freeze``: stop deploys now."""

from typing import Any, Final

import click

from app.cli import ALLOWED, exits
from app.cli.api_client import CLEARED, all_pages, ask
from app.cli.local_time import ZoneName, local_printer, resolve_fields, zone_of_server
from app.cli.options import as_json, checked, duration_option, instant_option, name, server, timezone
from app.cli.report import echo, plain, print_json, print_table
from app.core.errors import MalformedValueError
from app.core.reason import own_reason

_FIELDS: Final = ("changes", "services", "tags", "environments")
"""The fields of a selector."""


@click.group("freeze")
def command() -> None:
    """Start, change and lift ad-hoc freezes.

    Uses the API key in FREEZEGATE_API_KEY.
    """


def _end_options(function: Any) -> Any:
    """Add the three options for the end of a freeze."""
    for option in (
        click.option("--open-ended", is_flag=True, help="No end: the freeze lasts until it is lifted."),
        instant_option("--until", text="Time at which it ends."),
        duration_option("--ttl", text="How long it lasts, from its start or from now."),
    ):
        function = option(function)
    return function


def parse_selector(text: str) -> dict[str, list[str]]:
    """Parse a selector: ``changes=rollback,hotfix``, or several such fields separated by spaces."""
    selector: dict[str, list[str]] = {}
    for part in text.split():
        field, equals, names = part.partition("=")
        if field not in _FIELDS or not equals or field in selector:
            raise MalformedValueError(f"write it as changes=rollback,hotfix; fields: {', '.join(_FIELDS)}")
        selector[field] = names.split(",")
    if not selector:
        raise MalformedValueError("it is empty; write it as changes=rollback,hotfix")
    return selector


def _parse_selectors(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[dict[str, list[str]], ...]:
    try:
        return tuple(map(parse_selector, texts))
    except MalformedValueError as error:
        raise click.BadParameter(str(error)) from None


def _scope_options(function: Any) -> Any:
    """Add the options for the scope, the exemptions, the contact and the link."""
    for option in (
        click.option("--link", metavar="URL", help="Page with more information."),
        click.option("--contact", metavar="TEXT", help="Person or channel to ask."),
        click.option(
            "--exempt",
            multiple=True,
            callback=_parse_selectors,
            metavar="FIELD=NAMES",
            help="Keep these allowed, such as changes=rollback,hotfix. Repeatable.",
        ),
        click.option(
            "--tag", "tags", metavar="NAME", multiple=True, help="Only services with this tag. Repeatable."
        ),
        click.option(
            "--service",
            "services",
            metavar="NAME",
            multiple=True,
            help="Only this service; * matches any characters but /. Repeatable.",
        ),
        click.option(
            "--environment",
            "environments",
            metavar="NAME",
            multiple=True,
            help="Only this environment. Repeatable.",
        ),
    ):
        function = option(function)
    return function


@command.command(
    "start", epilog=exits("done", undecided="the server can't be reached, or refuses the request")
)
@click.option("--title", metavar="TEXT", required=True, help="Shown to everyone who is blocked.")
@click.option("--reason", metavar="TEXT", help="Reason, shown with the title; default: the title says it.")
@_scope_options
@instant_option("--starts-at", text="Time at which it starts; default: now.")
@_end_options
@click.option(
    "--override",
    type=click.Choice(["token", "never"]),
    default="token",
    show_default=True,
    help="Whether an override token lifts it.",
)
@click.option(
    "--running",
    type=click.Choice(["finish", "stop"]),
    default="stop",
    show_default=True,
    help="Whether claims that continue a running deploy go on.",
)
@timezone
@server
@as_json
def start(*, server: str | None, as_json: bool, timezone: str | None, **body: Any) -> int:
    """Start a freeze, by default of everything."""
    _require_one_end(body)
    zone_name = zone_of_server(server, timezone)
    resolve_fields(body, zone_name)
    freeze = ask(server, "POST", "/freezes", body=body)
    return _print(freeze, zone_name, as_json=as_json)


@command.command(
    "list", epilog=exits("done", undecided="the server can't be reached, or refuses the request")
)
@click.option("--all", "everything", is_flag=True, help="Include ended and lifted ones.")
@timezone
@server
@as_json
def list_freezes(*, server: str | None, as_json: bool, timezone: str | None, everything: bool) -> int:
    """List the ad-hoc freezes."""
    found = all_pages(server, "/freezes", "freezes", "all" if everything else "standing")
    if as_json:
        print_json(found)
    elif not found:
        echo("There are no ad-hoc freezes.")
    else:
        local = local_printer(zone_of_server(server, timezone))
        print_table(
            ("ID", "STATE", "SCOPE", "FROM", "UNTIL", "STARTED BY", "TITLE"),
            [
                (
                    each.get("id"),
                    each.get("state"),
                    _scope(each),
                    local(each.get("starts_at")),
                    local(each["ends_at"]) if each.get("ends_at") else "open-ended",
                    each.get("started_by"),
                    each.get("title"),
                )
                for each in found
            ],
        )
    return ALLOWED


@command.command(
    "extend", epilog=exits("done", undecided="the server can't be reached, or refuses the request")
)
@click.argument("freeze_id", callback=checked(name))
@_end_options
@timezone
@server
@as_json
def extend(*, freeze_id: str, server: str | None, as_json: bool, timezone: str | None, **body: Any) -> int:
    """Move the end of a freeze. --ttl counts from now."""
    _require_one_end(body)
    return _patch(server, freeze_id, body, zone_of_server(server, timezone), as_json=as_json)


@command.command(
    "change", epilog=exits("done", undecided="the server can't be reached, or refuses the request")
)
@click.argument("freeze_id", callback=checked(name))
@click.option("--title", metavar="TEXT", help="Shown to everyone who is blocked.")
@click.option("--reason", metavar="TEXT", help="Reason, shown with the title.")
@_scope_options
@instant_option("--starts-at", text="Time at which it starts; only before it has started.")
@_end_options
@click.option("--override", type=click.Choice(["token", "never"]), help="Whether an override token lifts it.")
@click.option(
    "--running",
    type=click.Choice(["finish", "stop"]),
    help="Whether claims that continue a running deploy go on.",
)
@click.option(
    "--clear",
    multiple=True,
    type=click.Choice(["reason", "contact", "link", "environments", "services", "tags", "exempt"]),
    help="Remove this setting; without `services`, for example, all services are frozen. Repeatable.",
)
@timezone
@server
@as_json
def change(
    *,
    freeze_id: str,
    server: str | None,
    as_json: bool,
    timezone: str | None,
    clear: tuple[str, ...],
    **body: Any,
) -> int:
    """Change the settings of a freeze that the options name."""
    if _count_ends(body) > 1:
        raise click.UsageError("set its end with one of --ttl, --until and --open-ended")
    if twice := [each for each in clear if body[each]]:
        raise click.UsageError(f"{twice[0]}: either set it or --clear it")
    body.update(dict.fromkeys(clear, CLEARED))
    if not any(body.values()):
        raise click.UsageError("nothing to change: name at least one option")
    return _patch(server, freeze_id, body, zone_of_server(server, timezone), as_json=as_json)


@command.command(
    "show", epilog=exits("done", undecided="the server can't be reached, or refuses the request")
)
@click.argument("freeze_id", callback=checked(name))
@timezone
@server
@as_json
def show(*, freeze_id: str, server: str | None, as_json: bool, timezone: str | None) -> int:
    """Show a freeze, also one that has ended."""
    freeze = ask(server, "GET", f"/freezes/{freeze_id}")
    return _print(freeze, zone_of_server(server, timezone), as_json=as_json)


@command.command(
    "lift", epilog=exits("done", undecided="the server can't be reached, or refuses the request")
)
@click.argument("freeze_id", callback=checked(name))
@click.option("--reason", metavar="TEXT", help="Reason, for the record.")
@timezone
@server
@as_json
def lift(
    *, freeze_id: str, reason: str | None, server: str | None, as_json: bool, timezone: str | None
) -> int:
    """Lift a freeze, effective immediately."""
    body = None if reason is None else {"reason": reason}
    freeze = ask(server, "DELETE", f"/freezes/{freeze_id}", body=body)
    return _print(freeze, zone_of_server(server, timezone), as_json=as_json)


def _count_ends(body: dict[str, Any]) -> int:
    """Count how many of the three options set an end, and drop an --open-ended that is not set."""
    body["open_ended"] = body["open_ended"] or None
    return sum(body[each] is not None for each in ("ttl", "until", "open_ended"))


def _require_one_end(body: dict[str, Any]) -> None:
    if _count_ends(body) != 1:
        raise click.UsageError("set its end with one of --ttl, --until and --open-ended")


def _patch(
    server: str | None, freeze_id: str, body: dict[str, Any], zone_name: ZoneName, *, as_json: bool
) -> int:
    resolve_fields(body, zone_name)
    return _print(ask(server, "PATCH", f"/freezes/{freeze_id}", body=body), zone_name, as_json=as_json)


def _print(freeze: dict[str, Any], zone_name: ZoneName, *, as_json: bool) -> int:
    if as_json:
        print_json(freeze)
        return ALLOWED
    local = local_printer(zone_name)
    end = f"until {local(freeze['ends_at'])}" if freeze.get("ends_at") else "until it is lifted"
    exempt = f", except {_exempt(freeze)}" if freeze.get("exempt") else ""
    finish = {"finish": "; running deploys may finish"}.get(str(freeze.get("running")), "")
    why = f": {freeze['lift_reason']}" if freeze.get("lift_reason") else ""
    for line in (
        f"{freeze.get('id')} is {freeze.get('state')}: {freeze.get('title')}",
        f"  stops {_scope(freeze)}{exempt}, from {local(freeze.get('starts_at'))} {end}{finish}",
        f"  started by {freeze.get('started_by')}{_reason(freeze)}",
        *([f"  ask {freeze['contact']}"] if freeze.get("contact") else ()),
        *([f"  lifted by {freeze['lifted_by']}{why}"] if freeze.get("lifted_by") else ()),
    ):
        echo(plain(line))
    return ALLOWED


def _reason(freeze: dict[str, Any]) -> str:
    own = own_reason(freeze.get("title"), freeze.get("reason"))
    return f": {own}" if own else ""


def _scope(freeze: dict[str, Any]) -> str:
    named = [str(each) for field in ("environments", "services", "tags") for each in freeze.get(field) or ()]
    return ", ".join(named) or "everything"


def _exempt(freeze: dict[str, Any]) -> str:
    """Return the exemptions in the form that `--exempt` takes."""
    selectors = [each for each in freeze["exempt"] if isinstance(each, dict)]
    return "; ".join(
        " ".join(f"{field}={','.join(map(str, names))}" for field, names in each.items() if names)
        for each in selectors
    )
