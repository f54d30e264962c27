"""Durations and time zones of an iCalendar file, where the clocks are changed."""

import pytest
from pydantic import ValidationError

from app.core.instant import format_instant, parse_instant
from app.core.wallclock import Wall, zone
from app.core.windows.icalendar import ICalendar

SPAN = (parse_instant("2026-03-20T00:00:00Z"), parse_instant("2026-04-05T00:00:00Z"))
START = "DTSTART;TZID=Europe/Amsterdam:20260328T120000"


def window(*lines: str) -> ICalendar:
    text = "\r\n".join(
        ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//EN", "BEGIN:VEVENT", "UID:1",
         "DTSTAMP:20260101T000000Z", "SUMMARY:x", *lines, "END:VEVENT", "END:VCALENDAR", "")
    )  # fmt: skip
    return ICalendar.model_validate({"file": "team.ics"}, context={"read": lambda _: text})


def ends(*lines: str) -> list[str]:
    found = window(*lines).intervals(SPAN, Wall.of(zone("Europe/Amsterdam"), wide=True))
    return [format_instant(end) for _, end in sorted(found)]


@pytest.mark.parametrize(
    ("duration", "end"),
    [
        ("P1D", "2026-03-29T10:00:00Z"),
        ("PT24H", "2026-03-29T11:00:00Z"),
        ("+PT24H", "2026-03-29T11:00:00Z"),
        ("P1DT2H", "2026-03-29T12:00:00Z"),
        ("P1W", "2026-04-04T10:00:00Z"),
        ("PT90M30S", "2026-03-28T12:30:30Z"),
    ],
)
def test_days_of_a_duration_are_those_of_the_calendar_and_hours_are_exact(duration: str, end: str) -> None:
    assert ends(START, f"DURATION:{duration}") == [end]
    assert ends(START, "DURATION:" + duration[:2], " " + duration[2:]) == [end]


def test_hours_are_exact_in_every_occurrence() -> None:
    daily = ("DTSTART;TZID=Europe/Amsterdam:20260328T013000", "DURATION:PT2H", "RRULE:FREQ=DAILY;COUNT=3")
    assert ends(*daily) == ["2026-03-28T02:30:00Z", "2026-03-29T02:30:00Z", "2026-03-30T01:30:00Z"]


def test_days_that_last_for_days_end_at_midnight() -> None:
    assert ends("DTSTART;VALUE=DATE:20260328", "DURATION:P2D") == ["2026-03-29T22:00:00Z"]


def test_the_alarm_of_an_event_has_a_duration_of_its_own() -> None:
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "REPEAT:2", "DURATION:PT5M", "END:VALARM")
    assert ends(START, "DTEND;TZID=Europe/Amsterdam:20260328T130000", *alarm) == ["2026-03-28T12:00:00Z"]


@pytest.mark.parametrize(
    "line",
    [
        "EXDATE;TZID=Nowhere/Land:20260329T120000",
        "RDATE;TZID=Nowhere/Land:20260329T120000",
        "DTEND;TZID=Nowhere/Land:20260328T130000",
    ],
)
def test_a_zone_that_nobody_knows_is_refused_wherever_it_stands(line: str) -> None:
    with pytest.raises(ValidationError, match="a time zone that nobody knows: Nowhere/Land"):
        window(START, "RRULE:FREQ=DAILY;COUNT=2", line)


@pytest.mark.parametrize("line", ["EXDATE;TZID=Europe/Amsterdam:20260329T120000", "EXDATE:20260329T100000Z"])
def test_an_exception_in_a_zone_that_is_known_takes_its_occurrence_out(line: str) -> None:
    assert len(ends(START, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3", line)) == 2
