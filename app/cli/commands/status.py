"""``freezegate status``: what is frozen now, why and until when; one service in every environment."""

import sys
from shutil import get_terminal_size
from typing import Any, Final

import click

from app.cli import ALLOWED, exits
from app.cli.api_client import RequestRejectedError, ask
from app.cli.errors import UndecidedError
from app.cli.local_time import local_printer, to_instant, zone_of_server
from app.cli.options import as_json, checked, instant_option, name, server, timezone
from app.cli.report import echo_line, print_json
from app.cli.service_text import service_lines
from app.cli.status_text import Line, Times, status_lines

_DECISIONS: Final = 5
_AHEAD: Final = 28 * 86_400
"""Seconds ahead that the changes of a service are listed for; as far as `/status` looks."""


@click.command(
    "status", epilog=exits("done", undecided="the server can't be reached, or refuses the request")
)
@click.option(
    "--service", metavar="NAME", callback=checked(name), help="Show one service in every environment."
)
@click.option("--environment", metavar="NAME", callback=checked(name), help="Show only this environment.")
@click.option("--services", is_flag=True, help="Name every service that differs from its environment.")
@instant_option("--at", text="Show the state at this time instead of now.")
@timezone
@server
@as_json
def command(
    *,
    service: str | None,
    environment: str | None,
    services: bool,
    at: str | None,
    server: str | None,
    timezone: str | None,
    as_json: bool,
) -> int:
    """Show what is frozen now, why, by whom and until when.

    Open environments share a line, and so do the services that differ from their environment.
    """
    params = {"environment": environment} if environment else {}
    if at is not None:
        params["at"] = to_instant(at, zone_of_server(server, timezone))
    body = ask(server, "GET", "/status", params=params)
    _check(body)
    if service is not None:
        body = _of_service(server, body, service)
    elif services:
        _add_pages(server, body, params)
    if as_json:
        print_json(body)
        return ALLOWED
    times = _times(body, timezone)
    lines = service_lines(body, times) if service else status_lines(body, times, everything=services)
    for line in lines:
        _print(line, whole=services)
    return ALLOWED


def _print(line: Line, *, whole: bool) -> None:
    """Print a line; on a terminal, its first word is in colour, and it is cut at the last column."""
    text = line.text
    if sys.stdout.isatty() and not whole and len(text) > (width := get_terminal_size().columns):
        text = f"{text[: width - 1]}…"
    echo_line(text, line.colour)


def _check(body: dict[str, Any]) -> None:
    if not isinstance(body.get("environments"), list) or not isinstance(body.get("at"), str):
        raise UndecidedError("the server's response can't be used: it is no status")


def _times(body: dict[str, Any], timezone: str | None) -> Times:
    from app.core.explain import local_time
    from app.core.instant import parse_instant
    from app.core.notation import waiting_time

    at = parse_instant(body["at"])
    zone = timezone or str(body.get("timezone"))
    local = local_printer(lambda: zone, lambda instant, where: local_time(instant, where, at))
    return Times(local, lambda text: waiting_time(max(0, parse_instant(str(text)) - at)))


def _add_pages(server: str | None, body: dict[str, Any], params: dict[str, str]) -> None:
    """Put the services of all pages into the answer, as of the instant of the first."""
    for state in body["environments"]:
        while state.get("next"):
            asked = {
                **params,
                "at": body["at"],
                "environment": str(state["environment"]),
                "cursor": str(state["next"]),
            }
            (page,) = ask(server, "GET", "/status", params=asked)["environments"]
            state["services"] += page["services"]
            state["next"] = page["next"]


def _of_service(server: str | None, body: dict[str, Any], service: str) -> dict[str, Any]:
    """Return the state of a service in each environment, its next changes and its last decisions."""
    from app.core.instant import format_instant, parse_instant

    at = body["at"]
    until = format_instant(parse_instant(at) + _AHEAD)
    states, schedules = [], []
    for environment in (str(each["environment"]) for each in body["environments"]):
        asked = {"service": service, "environment": environment}
        states.append(ask(server, "GET", "/can-deploy", params={**asked, "at": at, "deny_status": "200"}))
        schedules.append(ask(server, "GET", "/schedule", params={**asked, "from": at, "to": until}))
    return {
        "service": service,
        "at": at,
        "timezone": body.get("timezone"),
        "environments": states,
        "schedules": schedules,
        "decisions": _decisions(server, service),
    }


def _decisions(server: str | None, service: str) -> list[dict[str, Any]] | None:
    """Return the last decisions on a service; None if this key may not read them."""
    params = {"service": service, "limit": str(_DECISIONS)}
    try:
        found = ask(server, "GET", "/decisions", params=params).get("decisions")
    except RequestRejectedError:
        return None
    return found if isinstance(found, list) else None
