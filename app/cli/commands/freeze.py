"""``freezegate freeze``: stop deploys now."""

from typing import Any, Final

import click

from app.cli import ALLOWED
from app.cli.local_time import resolve, zone_of_server
from app.cli.operations import (
    TAKEN_AWAY,
    all_pages,
    ask,
    duration_option,
    instant_option,
    print_json,
    print_table,
)
from app.cli.options import as_json, checked, name, server, timezone
from app.cli.report import echo, plain
from app.core.errors import MalformedValueError

_FIELDS: Final = ("changes", "services", "tags", "environments")
"""The fields of a selector."""


@click.group("freeze")
def command() -> None:
    """Ad-hoc freezes: started in an incident, changed, lifted.

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


def exemption(text: str) -> dict[str, list[str]]:
    """Read a selector: ``changes=rollback,hotfix``, or several such fields divided by spaces."""
    selector: dict[str, list[str]] = {}
    for part in text.split():
        field, equals, names = part.partition("=")
        if field not in _FIELDS or not equals or field in selector:
            raise MalformedValueError(f"write it as changes=rollback,hotfix; fields: {', '.join(_FIELDS)}")
        selector[field] = names.split(",")
    if not selector:
        raise MalformedValueError("name something, such as changes=rollback")
    return selector


def _exemptions(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[dict[str, list[str]], ...]:
    try:
        return tuple(map(exemption, texts))
    except MalformedValueError as error:
        raise click.BadParameter(str(error)) from None


def _about(do: Any) -> Any:
    """The scope of a freeze, its exemptions and its contact."""
    for option in (
        click.option("--link", metavar="URL", help="Where to read more."),
        click.option("--contact", help="Whom to ask."),
        click.option(
            "--exempt",
            multiple=True,
            callback=_exemptions,
            metavar="FIELD=NAMES",
            help="Let these go on, such as changes=rollback,hotfix; repeat for others.",
        ),
        click.option("--tag", "tags", multiple=True, help="Only services with this tag."),
        click.option("--service", "services", multiple=True, help="Only this service; * for any letters."),
        click.option("--environment", "environments", multiple=True, help="Only this environment."),
    ):
        do = option(do)
    return do


@command.command("start")
@click.option("--title", required=True, help="Shown to everyone who is blocked.")
@click.option("--reason", required=True, help="Why.")
@_about
@instant_option("--starts-at", text="When it starts; now if not given.")
@_end
@click.option(
    "--override",
    type=click.Choice(["token", "never"]),
    default="token",
    show_default=True,
    help="Whether an override token lifts it.",
)
@timezone
@server
@as_json
def start(*, server: str | None, as_json: bool, timezone: str | None, **wanted: Any) -> int:
    """Freeze: everything, or what the options name."""
    _one_end(wanted)
    resolve(wanted, zone_of_server(server, timezone))
    return _done(server, "POST", "/freezes", as_json=as_json, body=wanted)


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@server
@as_json
def list_them(*, server: str | None, as_json: bool, everything: bool) -> int:
    """List the ad-hoc freezes."""
    found = all_pages(server, "/freezes", "freezes", "all" if everything else "standing")
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
@timezone
@server
@as_json
def extend(*, freeze_id: str, server: str | None, as_json: bool, timezone: str | None, **wanted: Any) -> int:
    """Move the end of a freeze; --ttl counts from now."""
    _one_end(wanted)
    resolve(wanted, zone_of_server(server, timezone))
    return _done(server, "PATCH", f"/freezes/{freeze_id}", as_json=as_json, body=wanted)


@command.command("change")
@click.argument("freeze_id", callback=checked(name))
@click.option("--title", help="Shown to everyone who is blocked.")
@click.option("--reason", help="Why.")
@_about
@instant_option("--starts-at", text="When it starts; only until it has begun.")
@_end
@click.option("--override", type=click.Choice(["token", "never"]), help="Whether an override token lifts it.")
@click.option(
    "--clear",
    multiple=True,
    type=click.Choice(["contact", "link", "environments", "services", "tags", "exempt"]),
    help="Take this away: all services, say, instead of some.",
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
    **wanted: Any,
) -> int:
    """Change a freeze: what the options name; the rest stays."""
    if _ends(wanted) > 1:
        raise click.UsageError("say when it ends with one of --ttl, --until and --open-ended")
    if twice := [each for each in clear if wanted[each]]:
        raise click.UsageError(f"{twice[0]}: either set it or --clear it")
    wanted.update(dict.fromkeys(clear, TAKEN_AWAY))
    if not any(wanted.values()):
        raise click.UsageError("say what to change")
    resolve(wanted, zone_of_server(server, timezone))
    return _done(server, "PATCH", f"/freezes/{freeze_id}", as_json=as_json, body=wanted)


@command.command("show")
@click.argument("freeze_id", callback=checked(name))
@server
@as_json
def show(*, freeze_id: str, server: str | None, as_json: bool) -> int:
    """Show a freeze, also one that is over."""
    return _done(server, "GET", f"/freezes/{freeze_id}", as_json=as_json)


@command.command("lift")
@click.argument("freeze_id", callback=checked(name))
@click.option("--reason", help="Why; goes on record.")
@server
@as_json
def lift(*, freeze_id: str, reason: str | None, server: str | None, as_json: bool) -> int:
    """Lift a freeze: deploys go on at once."""
    body = None if reason is None else {"reason": reason}
    return _done(server, "DELETE", f"/freezes/{freeze_id}", as_json=as_json, body=body)


def _ends(wanted: dict[str, Any]) -> int:
    """How many of the three options say when it ends."""
    wanted["open_ended"] = wanted["open_ended"] or None
    return sum(wanted[each] is not None for each in ("ttl", "until", "open_ended"))


def _one_end(wanted: dict[str, Any]) -> None:
    if _ends(wanted) != 1:
        raise click.UsageError("say when it ends: --ttl, --until or --open-ended, one of them")


def _done(
    server: str | None, method: str, path: str, *, as_json: bool, body: dict[str, Any] | None = None
) -> int:
    freeze = ask(server, method, path, body=body)
    if as_json:
        print_json(freeze)
        return ALLOWED
    end = f"until {freeze.get('ends_at')}" if freeze.get("ends_at") else "until it is lifted"
    exempt = f", except {_exempt(freeze)}" if freeze.get("exempt") else ""
    why = f": {freeze['lift_reason']}" if freeze.get("lift_reason") else ""
    for line in (
        f"{freeze.get('id')} is {freeze.get('state')}: {freeze.get('title')}",
        f"  stops {_scope(freeze)}{exempt}, from {freeze.get('starts_at')} {end}",
        f"  started by {freeze.get('started_by')}: {freeze.get('reason')}",
        *([f"  ask {freeze['contact']}"] if freeze.get("contact") else ()),
        *([f"  lifted by {freeze['lifted_by']}{why}"] if freeze.get("lifted_by") else ()),
    ):
        echo(plain(line))
    return ALLOWED


def _scope(freeze: dict[str, Any]) -> str:
    named = [str(each) for field in ("environments", "services", "tags") for each in freeze.get(field) or ()]
    return ", ".join(named) or "everything"


def _exempt(freeze: dict[str, Any]) -> str:
    """Its exemptions, as `--exempt` takes them."""
    selectors = [each for each in freeze["exempt"] if isinstance(each, dict)]
    return "; ".join(
        " ".join(f"{field}={','.join(map(str, names))}" for field, names in each.items() if names)
        for each in selectors
    )
