"""``freezegate init``: write a first policy file for a country, a time zone and a style."""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from app.cli import ALLOWED, exits
from app.cli.options import DEFAULT_POLICIES, checked, zone_name
from app.cli.report import echo, print_problems, writing
from app.clock import SystemClock
from app.core import holiday_codes as codes
from app.core import zone_names
from app.core.errors import MalformedValueError
from app.core.instant import DAY
from app.core.wallclock import zone
from app.core.workdays import NATIONWIDE
from app.policies.lint.lint import lint
from app.policies.source import Source
from app.policies.starter import Starter, Style, starter_text
from app.yaml.problem import quoted

_LOCAL_TIME: Final = "/etc/localtime"
_STYLES: Final = [style.value for style in Style]
_YEAR, _WEEK = 366, 7
_MOST_ZONES: Final = 6
"""The most zones of a country that an error lists."""


def country_code(text: str) -> None:
    """Check that a text is the code of a country whose holidays are known."""
    for fault in codes.fault_of((), text, "code of a country", codes.countries()):
        raise MalformedValueError(fault.sentence)


@click.command("init", epilog=exits("written", undecided="the file can't be written"))
@click.argument("path", type=click.Path(path_type=Path), default=DEFAULT_POLICIES, required=False)
@click.option(
    "--country",
    metavar="NL",
    callback=checked(country_code),
    help="ISO 3166 code; default: that of the zone.",
)
@click.option(
    "--subdivision", metavar="BY", help="A region of the country; nationwide holidays if not given."
)
@click.option(
    "--timezone",
    metavar="ZONE",
    callback=checked(zone_name),
    help="The zone of all times; default: the one of the country, or this machine's.",
)
@click.option(
    "--style",
    type=click.Choice(_STYLES),
    help="Freeze from the afternoon before the weekend (default), or deploy in working hours only.",
)
def command(
    *, path: Path, country: str | None, subdivision: str | None, timezone: str | None, style: str | None
) -> int:
    """Write a first policy file, with comments and tests, to PATH (policies.yaml if not given).

    An existing file is never overwritten. In a terminal, the command prompts for options that you omit;
    otherwise it guesses them from the machine's time zone.
    """
    if path.exists():
        raise click.UsageError(f"{path} exists already; give the path of a file that does not")
    current = None if timezone is None else zone_names.renamed(timezone) or timezone
    given = _Given(country, current, style, subdivision)
    now = SystemClock().now()
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    starter = _asked(given, now) if asks else _guessed(given, now)
    text = starter_text(starter, now // DAY)
    with writing(path), path.open("x", encoding="utf-8") as file:
        file.write(text)
    _report(path, starter, now)
    return ALLOWED


class _Given(NamedTuple):
    """The options, each None if not given."""

    country: str | None
    timezone: str | None
    style: str | None
    subdivision: str | None


def _report(path: Path, starter: Starter, now: int) -> None:
    """Print what was written, what lint says about it, and what comes next."""
    region = f" {starter.subdivision}" if starter.subdivision else ""
    what = f"{starter.country}{region}, {starter.timezone}, {starter.style.value}"
    echo(f"wrote {path} for {what}", colour="green")
    source = Source(path)
    print_problems(map(source.shown, lint(source.read(), now)), github=False)
    argument, option = ("", "") if str(path) == DEFAULT_POLICIES else (f" {path}", f" --policies {path}")
    echo(f"next: read it, then `freezegate test{argument}` and `freezegate serve{option}`")


def _guessed(given: _Given, now: int) -> Starter:
    """Complete what is given from the zone of the machine, or of the country.

    Raises:
        UsageError: the country or the zone can't be determined.
    """
    country = given.country or _country_of(given.timezone or _zone_of_machine())
    if country is None:
        raise click.UsageError("which country's holidays? Give it with --country, for example --country NL")
    timezone = given.timezone or _zone_of(country, now)
    if timezone is None:
        raise click.UsageError(f"which time zone? Give it with --timezone{_its_zones(country)}")
    return Starter(country, timezone, Style(given.style or Style.FRIDAY), _part(country, given.subdivision))


def _asked(given: _Given, now: int) -> Starter:
    """Ask for what is not given, with guesses as defaults."""
    guess = _country_of(given.timezone or _zone_of_machine())
    country = given.country or _prompt("Country of the holidays (ISO 3166 code)", guess, country_code)
    timezone = given.timezone or _prompt("Time zone (IANA name)", _zone_of(country, now), zone_name)
    style = given.style or click.prompt("Style", default=Style.FRIDAY.value, type=click.Choice(_STYLES))
    subdivision = given.subdivision
    if subdivision is None and (parts := codes.subdivisions(country).codes):
        question = f"Region of {country}, such as {parts[0]}, or {NATIONWIDE} for nationwide days only"
        subdivision = _prompt(question, NATIONWIDE, partial(_check_part, country))
    return Starter(country, timezone, Style(style), _part(country, subdivision))


def _prompt(question: str, default: str | None, check: Callable[[str], object]) -> str:
    def value(text: str) -> str:
        try:
            check(text)
        except MalformedValueError as error:
            raise click.BadParameter(str(error)) from None
        return text

    answer: Any = click.prompt(question, default=default, value_proc=value)
    return str(answer)


def _part(country: str, subdivision: str | None) -> str | None:
    if subdivision is None or subdivision == NATIONWIDE:
        return None
    try:
        _check_part(country, subdivision)
    except MalformedValueError as error:
        raise click.BadParameter(f"{quoted(subdivision)}: {error}", param_hint="--subdivision") from None
    return subdivision


def _check_part(country: str, text: str) -> None:
    known = codes.subdivisions(country)
    for fault in codes.fault_of((), text, f"subdivision of {country}", known) if text != NATIONWIDE else ():
        raise MalformedValueError(fault.sentence)


def _country_of(timezone: str | None) -> str | None:
    """Return the country of a zone, if its holidays are known."""
    country = zone_names.country_of(timezone) if timezone else None
    return country if country in codes.countries().codes else None


def _zone_of(country: str, now: int) -> str | None:
    """Return the zone of the machine if it is in the country, else one if all of the country agree."""
    zones = zone_names.zones_of_countries().get(country, ())
    here = _zone_of_machine()
    if here in zones:
        return here
    clocks = {tuple(zone(name).offset(now + days * DAY) for days in range(0, _YEAR, _WEEK)) for name in zones}
    return zones[0] if len(clocks) == 1 else None


def _zone_of_machine() -> str | None:
    """Return the zone that ``TZ`` or the system names, under its current name; None if it isn't a place."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not name:
        _, _, name = os.path.realpath(_LOCAL_TIME).rpartition("/zoneinfo/")
    current = zone_names.renamed(name) or name
    return current if current in zone_names.current_places() else None


def _its_zones(country: str) -> str:
    zones = zone_names.zones_of_countries().get(country, ())
    more = ", …" if len(zones) > _MOST_ZONES else ""
    return f"; {country} has {', '.join(zones[:_MOST_ZONES])}{more}" if zones else ""
