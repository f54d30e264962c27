"""``freezegate year``: show a whole year of an environment, in the terminal or as a picture to print."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import click

from app.cli import ALLOWED, exits
from app.cli.errors import UndecidedError
from app.cli.options import TEXT, change, checked, environment, format_of, name, source_options, zone_name
from app.cli.report import colours, writing
from app.clock import SystemClock
from app.core.errors import MalformedValueError

if TYPE_CHECKING:
    from app.core.year import Year

_FORMATS: Final = (TEXT, "svg", "json")
_NARROW: Final = 80
"""Columns where there is no terminal."""


def _year(text: str) -> None:
    from app.core.year import FIRST_YEAR, LAST_YEAR

    if not (text.isascii() and text.isdecimal() and FIRST_YEAR <= int(text[:5]) <= LAST_YEAR):
        raise MalformedValueError(f"a year of {FIRST_YEAR} to {LAST_YEAR}")


def _url(text: str) -> None:
    if not text.startswith(("https://", "http://")):
        raise MalformedValueError("the URL of a gate, such as https://gate.example.com")


@click.command("year", epilog=exits("shown", undecided="the server can't be reached, or refuses the request"))
@click.argument("number", metavar="[YEAR]", required=False, callback=checked(_year))
@source_options
@click.option(
    "--service",
    metavar="NAME",
    callback=checked(name),
    help="Service to show; default: the environment as a whole.",
)
@environment
@change
@click.option(
    "--timezone",
    metavar="ZONE",
    callback=checked(zone_name),
    help="Time zone of the days; default: the zone of the policies.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(_FORMATS),
    default=TEXT,
    show_default=True,
    help="text for a terminal, svg for a sheet of A3, or json.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write to this file instead of standard output; an existing file is overwritten.",
)
@click.option(
    "--url",
    metavar="URL",
    callback=checked(_url),
    help="svg: link each day to its page on this gate.",
)
def command(  # noqa: PLR0913 - each is an option
    *,
    number: str | None,
    server: str | None,
    policies: Path | None,
    service: str | None,
    environment: str,
    change: str,
    timezone: str | None,
    kind: str,
    as_json: bool,
    output: Path | None,
    url: str | None,
) -> int:
    """Show YEAR, or the present year: what is frozen each day, by which policies, and the holidays.

    In the terminal each day has a few letters, as many as fit, and each policy its own; a stretch that is
    frozen in part is shown as frozen. Policies that only warn are left out.
    """
    kind = format_of(kind, as_json=as_json)
    if url is not None and kind != "svg":
        raise click.UsageError("--url goes with --format svg only")
    fields = {"environment": environment, "service": service, "change": change, "timezone": timezone}
    now = SystemClock().now()
    shown = _shown(server, policies, {"year": number, **fields}, now)
    text = _RENDERERS[kind](shown, now, url)
    if output is None:
        click.echo(text, nl=False, color=colours())
        return ALLOWED
    with writing(output):
        output.write_text(click.unstyle(text), encoding="utf-8")
    return ALLOWED


def _shown(server: str | None, policies: Path | None, fields: dict[str, str | None], now: int) -> "Year":
    """Return a year from policy files, or from a server.

    Raises:
        UsageError: both are named.
        UndecidedError: the server's response is not a year.
        PolicyFileError: the policies have errors.
    """
    if policies is None:
        return _of_server(server, {field: text for field, text in fields.items() if text is not None})
    if server is not None:
        raise click.UsageError("use either --server or --policies, not both")
    return _of_file(policies, fields, now)


def _of_file(policies: Path, fields: dict[str, str | None], now: int) -> "Year":
    from app.cli.timeline_source import read_in_force
    from app.core.instant import DAY
    from app.core.wallclock import calendar_date, zone
    from app.core.year import YearRequest
    from app.gate.year import year_in_force

    in_force = read_in_force(policies)
    where = zone(fields["timezone"]) if fields["timezone"] else in_force.home
    number = int(fields["year"] or calendar_date(where.local(now) // DAY).year)
    request = YearRequest(number, str(fields["environment"]), fields["service"], str(fields["change"]))
    return year_in_force(in_force, request, where, now)


def _of_server(server: str | None, params: dict[str, str]) -> "Year":
    from app.cli.api_client import ask
    from app.core.year.representation import year_from_json

    try:
        return year_from_json(ask(server, "GET", "/year", params=params))
    except MalformedValueError:
        raise UndecidedError("the server's response is not a year") from None


def _text(shown: "Year", now: int, _: str | None) -> str:
    from app.cli.year_text import draw_year
    from app.core.instant import DAY

    width = shutil.get_terminal_size((_NARROW, 0)).columns
    return "".join(f"{line}\n" for line in draw_year(shown, shown.zone.local(now) // DAY, width))


def _svg(shown: "Year", now: int, url: str | None) -> str:
    from app.core.instant import DAY
    from app.core.wallclock import calendar_date
    from app.core.year.svg import year_svg

    request = shown.request
    fields = {"year": request.year, "environment": request.environment, "change": request.change}
    fields |= {"service": request.service} if request.service else {}

    def link(day: int) -> str:
        query = urlencode({**fields, "day": calendar_date(day).isoformat()})
        return f"{str(url).rstrip('/')}/dashboard/year?{query}#day"

    return year_svg(shown, shown.zone.local(now) // DAY, link if url else None)


def _json(shown: "Year", _now: int, _url: str | None) -> str:
    from app.core.year.representation import year_to_json

    return f"{json.dumps(year_to_json(shown))}\n"


_RENDERERS: Final[dict[str, Callable[["Year", int, str | None], str]]] = {
    TEXT: _text,
    "svg": _svg,
    "json": _json,
}
