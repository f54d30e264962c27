"""``freezegate calendar``: show the coming weeks, with a row per day and a column per hour."""

import json
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from app.cli import ALLOWED, exits
from app.cli.decision_source import Query
from app.cli.errors import UndecidedError
from app.cli.options import as_json, change, checked, environment, name, source_options, zone_name
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
_ANY_SERVICE: Final = "any"
"""The API requires a service; this is one that no policy is likely to name."""
_MARGIN: Final = " " * 17

ScheduleSource = Callable[[Query, int, int], dict[str, Any]]
"""Returns the `/schedule` of a query between two instants."""


class Block(NamedTuple):
    """A period in which one policy blocks, or only warns."""

    start: int
    end: int
    id: str
    title: str
    warns: bool


class CalendarGrid(NamedTuple):
    """The days to draw, by number, in a zone."""

    blocks: list[Block]
    first_day: int
    days: int
    where: Zone
    today: int


class Cell(NamedTuple):
    """The letter and colour of one hour of the wall clock."""

    letter: str
    colour: str | None = None

    def __str__(self) -> str:
        return click.style(self.letter, fg=self.colour) if self.colour else self.letter


def draw(grid: CalendarGrid) -> Iterator[str]:
    """Yield the lines of the calendar in colour: the ruler, the days, the legend."""
    letters = _letters(grid.blocks)
    hours = _Hours(grid)
    yield _MARGIN + "".join(f"{hour:<6}" for hour in range(0, _HOURS, 6)).rstrip()
    for day in range(grid.first_day, grid.first_day + grid.days):
        marks = (">" if day == grid.today else " ") + ("|" if weekday(day) >= _WEEKEND else " ")
        row = "".join(str(hours.cell(day * _HOURS + hour, letters)) for hour in range(_HOURS))
        yield f"{marks}{calendar_date(day):%a %Y-%m-%d} {row}"
    yield ""
    yield from _legend(grid, letters)


def _legend(grid: CalendarGrid, letters: dict[str, Cell]) -> Iterator[str]:
    for block_id, cell in letters.items():
        block = next(block for block in grid.blocks if block.id == block_id)
        yield f"  {cell}  {plain(block_id)}: {plain(block.title)}{' (only warns)' if block.warns else ''}"
    yield f"  {_OPEN}  open   {_SEVERAL} several   {_SEVERAL_WARN} several, all only warn"
    yield f"  >  today   | weekend   times in {grid.where.name}"


class _Hours:
    """The blocks that overlap each hour of the wall clock.

    Where clocks go back, one of these hours lasts two; where they go forward, one does not exist.
    """

    def __init__(self, grid: CalendarGrid) -> None:
        start, end = _bounds(grid.first_day, grid.days, grid.where)
        self._existing: set[int] = set()
        self._blocks: dict[int, set[Block]] = {}
        for first, last, offset in grid.where.regimes(start, end):
            self._existing.update(_hours_between(first + offset, last + offset))
            for block in grid.blocks:
                begin, until = max(first, block.start), min(last, block.end)
                if begin < until:
                    for hour in _hours_between(begin + offset, until + offset):
                        self._blocks.setdefault(hour, set()).add(block)

    def cell(self, hour: int, letters: dict[str, Cell]) -> Cell:
        """Return the cell of an hour: of the policies that block in it, else of those that warn."""
        if hour not in self._existing:
            return Cell(_SKIPPED)
        blocks = self._blocks.get(hour, set())
        blocking = {block.id for block in blocks if not block.warns}
        chosen = blocking or {block.id for block in blocks}
        if not chosen:
            return Cell(_OPEN)
        if len(chosen) == 1:
            return letters[chosen.pop()]
        return Cell(_SEVERAL, _COLOURS[0]) if blocking else Cell(_SEVERAL_WARN, "yellow")


def _hours_between(start: int, end: int) -> range:
    return range(start // HOUR, (end - 1) // HOUR + 1)


def _bounds(first_day: int, days: int, where: Zone) -> tuple[int, int]:
    return where.earliest(first_day * DAY), where.latest((first_day + days) * DAY)


def _letters(blocks: list[Block]) -> dict[str, Cell]:
    """Assign a letter to each policy in order of appearance: a capital if it blocks, else a small one."""
    letters: dict[str, Cell] = {}
    for block in blocks:
        number = len(letters)
        if block.id not in letters:
            letter = string.ascii_uppercase[number] if number < len(string.ascii_uppercase) else "?"
            colour = "yellow" if block.warns else _COLOURS[number % len(_COLOURS)]
            letters[block.id] = Cell(letter.lower() if block.warns else letter, colour)
    return letters


def _parse_day(text: str) -> int:
    bound = parse_date_bound(text)
    if bound.time is not None:
        raise MalformedValueError("a day such as 2026-12-01, without a time")
    in_range(bound.day * DAY)
    return bound.day


@click.command(
    "calendar", epilog=exits("shown", undecided="the server can't be reached, or refuses the request")
)
@source_options
@click.option(
    "--service",
    metavar="NAME",
    callback=checked(name),
    help="Service to show; default: one that no policy names.",
)
@environment
@change
@click.option("--weeks", default=4, show_default=True, type=click.IntRange(1, 52), help="Number of weeks.")
@click.option(
    "--from", "first", metavar="DATE", callback=checked(_parse_day), help="First day; default: today."
)
@click.option(
    "--timezone",
    metavar="ZONE",
    callback=checked(zone_name),
    help="Time zone to show; default: the zone of the policies.",
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
    """Show the coming weeks of a service and environment, with a row per day and a column per hour.

    An hour that is blocked in part is shown as blocked.
    """
    now = SystemClock().now()
    query = Query(service or "", environment, change)
    ask = _schedule_source(server, policies)
    where = zone(timezone) if timezone else _zone_of(ask(query, now, now + HOUR))
    today = where.local(now) // DAY
    first_day = _parse_day(first) if first else today
    schedule = ask(query, *_bounds(first_day, 7 * weeks, where))
    if as_json:
        click.echo(json.dumps(schedule))
        return ALLOWED
    for line in draw(CalendarGrid(_blocks(schedule), first_day, 7 * weeks, where, today)):
        click.echo(line, color=colours())
    return ALLOWED


def _zone_of(schedule: dict[str, Any]) -> Zone:
    try:
        return zone(parse_zone_name(str(schedule.get("timezone"))))
    except FreezegateError as error:
        raise UndecidedError(f"the server's time zone: {error}; set one with --timezone") from None


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
        raise UndecidedError("the server's response is not a schedule") from None


def _schedule_source(server: str | None, policies: Path | None) -> ScheduleSource:
    if policies is None:
        return _of_server(address(server))
    if server is not None:
        raise click.UsageError("use either --server or --policies, not both")
    return _of_file(policies)


def _of_file(path: Path) -> ScheduleSource:
    from app.cli.timeline_source import read_in_force
    from app.core.decision import Question
    from app.core.interval import Period
    from app.gate.schedule import schedule

    in_force = read_in_force(path)

    def ask(query: Query, start: int, end: int) -> dict[str, Any]:
        question = Question(query.service, query.environment, query.change)
        return schedule(in_force, question, Period(start, end))

    return ask


def _of_server(url: str) -> ScheduleSource:
    def ask(query: Query, start: int, end: int) -> dict[str, Any]:
        params = {**query.fields(), "from": format_instant(start), "to": format_instant(end)}
        params["service"] = query.service or _ANY_SERVICE
        headers = {"Accept": "application/json", **authorisation()}
        response = send(Request("GET", f"{url}/schedule", headers, params))
        try:
            schedule = json.loads(response.content)
        except (ValueError, RecursionError):
            schedule = None
        if response.status != 200:  # noqa: PLR2004 - OK
            raise UndecidedError(plain(f"the server answered {response.status}: {_reason(schedule, query)}"))
        if not isinstance(schedule, dict):
            raise UndecidedError("the server's response is not a schedule")
        return schedule

    return ask


def _reason(problem: object, query: Query) -> str:
    """Return the server's reason for its error, with a hint if it requires a known service."""
    if not isinstance(problem, dict) or not problem.get("detail"):
        return "no schedule"
    errors = problem.get("errors")
    named = errors if isinstance(errors, list) else []
    unknown = any(isinstance(each, dict) and each.get("field") == "service" for each in named)
    return f"{problem['detail']}{'; set one with --service' if unknown and not query.service else ''}"
