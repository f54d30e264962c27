"""Calendars in the form in which common programs export them: answers by hand, and by a second reading.

The files are our own. The second reading is that of the libraries, with their own time zones and without our
bounds; it has no part in `app.core.vcalendar`.
"""

from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events

from app.core.instant import format_instant, parse_instant
from app.core.interval import normalise
from app.core.wallclock import Wall, zone
from app.core.windows.icalendar import ICalendar

FOLDER = Path(__file__).parent / "exports"
HOME = "Europe/Berlin"
SPAN = (parse_instant("2026-09-01T00:00:00Z"), parse_instant("2027-02-01T00:00:00Z"))

BUSY = {
    "google": [
        ("10-02T12", "10-02T16"),
        ("10-09T12", "10-09T16"),
        ("10-23T12", "10-23T16"),
        ("10-30T13", "10-30T17"),  # the clocks were set back
        ("11-06T09", "11-06T19"),  # moved, and longer
        ("11-13T13", "11-13T17"),
    ],
    "outlook": [
        ("10-09T12", "10-09T18"),
        ("10-23T12", "10-23T18"),
        ("11-20T13", "11-20T19"),
        ("11-26T13", "11-26T23"),  # of New York, by its Windows name
    ],
    "apple": [("10-30T11", "10-30T22"), ("11-27T11", "11-27T22"), ("12-25T11", "12-25T22")],
    "nextcloud": [
        ("10-19T20", "10-20T04"),
        ("10-26T21", "10-27T05"),
        ("10-28T21", "10-29T05"),
        ("12-07T23", "12-08T23"),
    ],
    "confluence": [("11-01T23", "11-04T23"), ("12-01T08", "12-03T16")],
    "aws": [
        ("10-30T22", "11-02T13"),
        ("12-01T03", "12-01T04"),
        ("12-02T03", "12-02T04"),
        ("12-03T03", "12-03T04"),
    ],
}
FREE = {
    "google": [("12-23T23", "12-26T23")],
    "outlook": [("12-23T23", "12-26T23")],
    "apple": [("12-04T23", "12-05T23")],
}
"""All-day events that these programs mark free by default."""

Spans = list[tuple[str, str]]


def text(name: str) -> str:
    return (FOLDER / f"{name}.ics").read_bytes().decode()


def read(name: str, *, free: str) -> Spans:
    context = {"read": lambda _: text(name)}
    window = ICalendar.model_validate({"file": "x.ics", "summary": "Freeze*", "free": free}, context=context)
    found = normalise(window.intervals(SPAN, Wall.of(zone(HOME), wide=True)))
    return [(format_instant(start), format_instant(end)) for start, end in found]


def read_again(name: str, *, free: str) -> Spans:
    """The same by the libraries alone."""
    calendar = icalendar.Calendar.from_ical(text(name))
    found = []
    for event in recurring_ical_events.of(calendar).between(datetime(2026, 9, 1, tzinfo=UTC), (2027, 2, 1)):
        counts = free == "count" or event.get("TRANSP") != "TRANSPARENT"
        if counts and event.get("STATUS") != "CANCELLED" and str(event["SUMMARY"]).startswith("Freeze"):
            found.append((instant(event["DTSTART"].dt), instant(event["DTEND"].dt)))
    return sorted(found)


def instant(value: date | datetime) -> str:
    at = value if isinstance(value, datetime) else datetime.combine(value, time(), ZoneInfo(HOME))
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def written(spans: Spans) -> Spans:
    return sorted((f"2026-{start}:00:00Z", f"2026-{end}:00:00Z") for start, end in spans)


@pytest.mark.parametrize("free", ["ignore", "count"])
@pytest.mark.parametrize("name", BUSY)
def test_an_export_freezes_what_its_program_shows(name: str, free: str) -> None:
    expected = written(BUSY[name] + (FREE.get(name, []) if free == "count" else []))
    assert read(name, free=free) == expected
    assert read_again(name, free=free) == expected


def test_every_export_is_read() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == BUSY.keys()
