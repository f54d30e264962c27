"""``freezegate calendar``: the coming weeks as a picture, a row a day and a column an hour."""

import json
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from app.cli import ALLOWED
from app.cli.decision_source import Asked
from app.cli.errors import UndecidedError
from app.cli.options import as_json, asked_of, change, checked, environment, name, zone_name
from app.cli.report import colours, plain
from app.cli.server import Request, address, authorisation, send
from app.clock import SystemClock
from app.core.errors import FreezegateError, MalformedValueError
from app.core.instant import DAY, HOUR, format_instant, in_range, parse_instant
from app.core.notation import parse_date_bound, parse_zone_name
from app.core.wallclock import Zone, calendar_date, weekday, zone

_HOURS: Final = 24
_WEEKEND: Final = 5
_OPEN: Final = "."
_SEVERAL: Final = "#"
_SEVERAL_WARN: Final = "+"
_SKIPPED: Final = " "
_COLOURS: Final = ("red", "magenta", "blue", "cyan", "green")
_LIKE_ANY_OTHER: Final = "any"
"""A server is always asked for a service; nothing singles out this one."""
_MARGIN: Final = " " * 17

Timetable = Callable[[Asked, int, int], dict[str, Any]]
"""Gives the `/schedule` of a question from one instant to another."""


class Block(NamedTuple):
    """A stretch in which one policy blocks, or only warns."""

    start: int
    end: int
    id: str
    title: str
    warns: bool


class Picture(NamedTuple):
    """What is drawn: days by their numbers, in a zone."""

    blocks: list[Block]
    first_day: int
    days: int
    where: Zone
    today: int


class Cell(NamedTuple):
    """One hour of the wall clock, as it is drawn, and in which colour."""

    letter: str
    colour: str | None = None

    def __str__(self) -> str:
        return click.style(self.letter, fg=self.colour) if self.colour else self.letter


def draw(picture: Picture) -> Iterator[str]:
    """The rows of the picture, the ruler first and the legend last, in colour."""
    letters = _letters(picture.blocks)
    hours = _Hours(picture)
    yield _MARGIN + "".join(f"{hour:<6}" for hour in range(0, _HOURS, 6)).rstrip()
    for day in range(picture.first_day, picture.first_day + picture.days):
        on = calendar_date(day)
        marks = (">" if day == picture.today else " ") + ("|" if weekday(day) >= _WEEKEND else " ")
        row = "".join(str(hours.cell(day * _HOURS + hour, letters)) for hour in range(_HOURS))
        yield f"{marks}{on:%a %Y-%m-%d} {row}"
    yield ""
    for block_id, cell in letters.items():
        block = next(block for block in picture.blocks if block.id == block_id)
        yield f"  {cell}  {plain(block_id)}: {plain(block.title)}{' (only warns)' if block.warns else ''}"
    yield f"  {_OPEN}  open   {_SEVERAL} several   {_SEVERAL_WARN} several, all only warn"
    yield f"  >  today   | weekend   times in {picture.where.name}"


class _Hours:
    """What holds in each hour of the wall clock, if only for a part of it.

    Hours are counted on the wall clock. Where clocks go back one of them lasts two, where they go
    forward one does not exist.
    """

    def __init__(self, picture: Picture) -> None:
        start, end = _span(picture.first_day, picture.days, picture.where)
        self._existing: set[int] = set()
        self._held: dict[int, set[Block]] = {}
        for first, last, offset in _regimes(picture.where, start, end):
            self._existing.update(_touched(first + offset, last + offset))
            for block in picture.blocks:
                begin, until = max(first, block.start), min(last, block.end)
                if begin < until:
                    for hour in _touched(begin + offset, until + offset):
                        self._held.setdefault(hour, set()).add(block)

    def cell(self, hour: int, letters: dict[str, Cell]) -> Cell:
        """How an hour is drawn: by who blocks in it, else by who warns."""
        if hour not in self._existing:
            return Cell(_SKIPPED)
        held = self._held.get(hour, set())
        blocking = {block.id for block in held if not block.warns}
        chosen = blocking or {block.id for block in held}
        if not chosen:
            return Cell(_OPEN)
        if len(chosen) == 1:
            return letters[chosen.pop()]
        return Cell(_SEVERAL, _COLOURS[0]) if blocking else Cell(_SEVERAL_WARN, "yellow")


def _touched(start: int, end: int) -> range:
    return range(start // HOUR, (end - 1) // HOUR + 1)


def _span(first_day: int, days: int, where: Zone) -> tuple[int, int]:
    return where.earliest(first_day * DAY), where.latest((first_day + days) * DAY)


def _regimes(where: Zone, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The stretches of one constant offset between two instants, found by halving each day that has two."""
    begin = start
    for probe in range(start, end, DAY):
        after = min(probe + DAY, end)
        if where.offset(after) == where.offset(begin):
            continue
        low, high = probe, after
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if where.offset(middle) == where.offset(begin) else (low, middle)
        if begin < high < end:
            yield begin, high, where.offset(begin)
            begin = high
    yield begin, end, where.offset(begin)


def _letters(blocks: list[Block]) -> dict[str, Cell]:
    """A letter for each policy in the picture, as they come: capitals block, small ones warn."""
    letters: dict[str, Cell] = {}
    for block in blocks:
        number = len(letters)
        if block.id not in letters:
            letter = string.ascii_uppercase[number] if number < len(string.ascii_uppercase) else "?"
            colour = "yellow" if block.warns else _COLOURS[number % len(_COLOURS)]
            letters[block.id] = Cell(letter.lower() if block.warns else letter, colour)
    return letters


def _read_day(text: str) -> int:
    bound = parse_date_bound(text)
    if bound.time is not None:
        raise MalformedValueError("a day such as 2026-12-01, without a time")
    in_range(bound.day * DAY)
    return bound.day


@click.command("calendar")
@asked_of
@click.option(
    "--service", callback=checked(name), help="For this service; else for one that no rule singles out."
)
@environment
@change
@click.option("--weeks", default=4, show_default=True, type=click.IntRange(1, 52), help="How many weeks.")
@click.option(
    "--from", "first", metavar="DATE", callback=checked(_read_day), help="The first day; today if not given."
)
@click.option(
    "--timezone",
    callback=checked(zone_name),
    help="Draw in this zone; that of the policies if not given.",
)
@as_json
def command(  # noqa: PLR0913 - each is an option
    *,
    server: str | None,
    policies: Path | None,
    service: str | None,
    environment: str,
    change: str,
    weeks: int,
    first: str | None,
    timezone: str | None,
    as_json: bool,
) -> int:
    """Draw the coming weeks of a service and environment: a row a day, a column an hour.

    An hour in which anything blocks, if only for a part of it, is drawn as blocked.
    """
    now = SystemClock().now()
    asked = Asked(service or "", environment, change)
    ask = _timetable(server, policies)
    where = zone(timezone) if timezone else _zone_of(ask(asked, now, now + HOUR))
    today = where.local(now) // DAY
    first_day = _read_day(first) if first else today
    schedule = ask(asked, *_span(first_day, 7 * weeks, where))
    if as_json:
        click.echo(json.dumps(schedule))
        return ALLOWED
    for line in draw(Picture(_blocks(schedule), first_day, 7 * weeks, where, today)):
        click.echo(line, color=colours())
    return ALLOWED


def _zone_of(schedule: dict[str, Any]) -> Zone:
    try:
        return zone(parse_zone_name(str(schedule.get("timezone"))))
    except FreezegateError as error:
        raise UndecidedError(f"the server's time zone: {error}; choose one with --timezone") from None


def _blocks(schedule: dict[str, Any]) -> list[Block]:
    try:
        return [
            Block(
                parse_instant(segment["from"]),
                parse_instant(segment["to"]),
                str(entry["id"]),
                str(entry["title"]),
                warns=key == "warnings",
            )
            for segment in schedule["segments"]
            for key in ("blocking", "warnings")
            for entry in segment[key]
        ]
    except (KeyError, TypeError, FreezegateError):
        raise UndecidedError("the server's reply is no schedule") from None


def _timetable(server: str | None, policies: Path | None) -> Timetable:
    if policies is None:
        return _of_server(address(server))
    if server is not None:
        raise click.UsageError("ask either a --server or a file with --policies")
    return _of_file(policies)


def _of_file(path: Path) -> Timetable:
    from app.cli.files import loaded_from
    from app.core.decision import Question
    from app.gate.check import Period, schedule
    from app.gate.in_force import InForce
    from app.policies.source import Source

    source = Source(path)
    snapshot = source.read()
    in_force = InForce(loaded_from(source, snapshot).engine, snapshot, 0, ())

    def ask(asked: Asked, start: int, end: int) -> dict[str, Any]:
        question = Question(asked.service, asked.environment, asked.change)
        return schedule(in_force, question, Period(start, end))

    return ask


def _of_server(url: str) -> Timetable:
    def ask(asked: Asked, start: int, end: int) -> dict[str, Any]:
        params = {**asked.fields(), "from": format_instant(start), "to": format_instant(end)}
        params["service"] = asked.service or _LIKE_ANY_OTHER
        headers = {"Accept": "application/json", **authorisation()}
        reply = send(Request("GET", f"{url}/schedule", headers, params))
        try:
            schedule = json.loads(reply.content)
        except (ValueError, RecursionError):
            schedule = None
        if reply.status != 200:  # noqa: PLR2004 - OK
            raise UndecidedError(plain(f"the server answered {reply.status}: {_why(schedule, asked)}"))
        if not isinstance(schedule, dict):
            raise UndecidedError("the server's reply is no schedule")
        return schedule

    return ask


def _why(problem: object, asked: Asked) -> str:
    """Why a server gives no schedule, as it says; and what would help, where it wants to know the service."""
    if not isinstance(problem, dict) or not problem.get("detail"):
        return "no schedule"
    errors = problem.get("errors")
    named = errors if isinstance(errors, list) else []
    unknown = any(isinstance(each, dict) and each.get("field") == "service" for each in named)
    return f"{problem['detail']}{'; choose one with --service' if unknown and not asked.service else ''}"
