"""``freezegate calendar``: the coming weeks as a picture, a row a day and a column an hour."""

import os
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from app.cli.options import asked_of
from app.cli.oracle import DEADLINE, UndecidedError
from app.cli.report import colours
from app.clock import SystemClock
from app.core.decision import Question
from app.core.errors import MalformedValueError
from app.core.instant import DAY, HOUR, format_instant, parse_instant
from app.core.notation import parse_date_bound, parse_zone_name
from app.core.wallclock import Zone, calendar_date, weekday, zone

_HOURS: Final = 24
_WEEKEND: Final = 5
_OPEN: Final = "."
_OVERLAP: Final = "#"
_COLOURS: Final = ("red", "magenta", "blue", "cyan")


class Block(NamedTuple):
    """A stretch in which one policy blocks, or only warns."""

    start: int
    end: int
    id: str
    title: str
    warns: bool


class Picture(NamedTuple):
    """What is drawn."""

    blocks: list[Block]
    first_day: int
    days: int
    where: Zone
    today: int


def draw(picture: Picture) -> Iterator[str]:
    """The rows of the picture, the ruler first and the legend last; plain text."""
    letters = _letters(picture.blocks)
    yield " " * 13 + "".join(f"{hour:<6}" for hour in range(0, _HOURS, 6)).rstrip()
    for day in range(picture.first_day, picture.first_day + picture.days):
        yield _row(picture, day, letters)
    yield ""
    for block_id, letter in letters.items():
        title = next(block.title for block in picture.blocks if block.id == block_id)
        yield f"  {letter}  {block_id}: {title}"
    overlap = f"   {_OVERLAP} several" if len(letters) > 1 else ""
    yield f"  {_OPEN}  open{overlap}   times in {picture.where.name}"


def _row(picture: Picture, day: int, letters: dict[str, str]) -> str:
    on = calendar_date(day)
    mark = ">" if day == picture.today else "|" if weekday(day) >= _WEEKEND else " "
    cells = "".join(_cell(picture, day * DAY + hour * HOUR, letters) for hour in range(_HOURS))
    return f"{mark} {on:%a} {on.day:2} {on:%b} {cells}"


def _cell(picture: Picture, local: int, letters: dict[str, str]) -> str:
    """What holds in an hour of the wall clock, if only for a part of it; a skipped hour is blank."""
    start, end = picture.where.earliest(local), picture.where.latest(local + HOUR)
    if picture.where.earliest(local + HOUR) <= start and end <= start:
        return " "
    here = {block for block in picture.blocks if block.start < end and block.end > start}
    blocking = {letters[block.id] for block in here if not block.warns}
    chosen = blocking or {letters[block.id] for block in here}
    if not chosen:
        return _OPEN
    return chosen.pop() if len(chosen) == 1 else _OVERLAP


def _letters(blocks: list[Block]) -> dict[str, str]:
    """A letter for each policy in the picture: capitals block, small ones warn."""
    letters: dict[str, str] = {}
    capitals, small = iter(string.ascii_uppercase), iter(string.ascii_lowercase)
    for block in sorted(blocks):
        if block.id not in letters:
            letters[block.id] = next(small if block.warns else capitals, "?")
    return letters


@click.command("calendar")
@asked_of
@click.option("--service", default="any", show_default=True, help="For this service.")
@click.option("--environment", default="production", show_default=True, help="In this environment.")
@click.option("--weeks", default=4, show_default=True, type=click.IntRange(1, 52), help="How many weeks.")
@click.option("--from", "first", metavar="DATE", help="The first day; today if not given.")
@click.option("--timezone", help="Draw in this zone; that of the policies if not given.")
def command(
    *,
    server: str | None,
    policies: Path | None,
    service: str,
    environment: str,
    weeks: int,
    first: str | None,
    timezone: str | None,
) -> int:
    """Draw the coming weeks of a service and environment: a row a day, a column an hour."""
    now = SystemClock().now()
    question = Question(service, environment)
    ask = _of_server(server) if policies is None else _of_file(policies)
    home = timezone or ask(question, now, now + HOUR)["timezone"]
    where = zone(parse_zone_name(home))
    today = where.local(now) // DAY
    first_day = parse_date_bound(first).day if first else today
    span = where.earliest(first_day * DAY), where.latest((first_day + 7 * weeks) * DAY)
    blocks = list(_blocks(ask(question, *span)))
    for line in draw(Picture(blocks, first_day, 7 * weeks, where, today)):
        click.echo(_coloured(line), color=colours())
    return 0


def _coloured(line: str) -> str:
    """Letters in colour; click takes the colour out where there is no terminal."""
    head, body = line[:13], line[13:]
    if line[:1] not in (">", "|", " ") or len(body) > _HOURS or not head.strip():
        return line
    painted = "".join(
        click.style(cell, fg=_COLOURS[ord(cell) % len(_COLOURS)])
        if cell.isalpha() or cell == _OVERLAP
        else cell
        for cell in body
    )
    return head + painted


def _blocks(schedule: dict[str, Any]) -> Iterator[Block]:
    for segment in schedule["segments"]:
        start, end = parse_instant(segment["from"]), parse_instant(segment["to"])
        for entry in segment["blocking"]:
            yield Block(start, end, entry["id"], entry["title"], warns=False)
        for entry in segment["warnings"]:
            yield Block(start, end, entry["id"], entry["title"], warns=True)


def _of_file(path: Path) -> Any:
    from app.gate.check import Span, schedule
    from app.gate.in_force import InForce
    from app.policies.load import load
    from app.policies.source import Source

    snapshot = Source(path).read()
    in_force = InForce(load(snapshot).engine, snapshot, 0, ())
    return lambda question, start, end: schedule(in_force, question, Span(start, end))


def _of_server(server: str | None) -> Any:
    url = server or os.environ.get("FREEZEGATE_URL")
    if not url:
        raise MalformedValueError("name a server with --server or FREEZEGATE_URL, or a file with --policies")

    base = url.rstrip("/")

    def ask(question: Question, start: int, end: int) -> Any:
        import httpx

        asked = {
            "service": question.service,
            "environment": question.environment,
            "from": format_instant(start),
            "to": format_instant(end),
        }
        key = os.environ.get("FREEZEGATE_API_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            response = httpx.get(
                f"{url.rstrip('/')}/schedule", params=asked, headers=headers, timeout=DEADLINE
            )
            schedule: dict[str, Any] = response.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise UndecidedError(f"the server gives no schedule: {error}") from None
        if not isinstance(schedule, dict) or not isinstance(schedule.get("segments"), list):
            raise UndecidedError("the server's reply is no schedule")
        return schedule

    return ask
