import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from app.core.decision import Question
from app.core.engine import Engine
from app.policies.importers.convert import Converted
from app.policies.importers.imported import ImportOptions
from tests.policies.importers.calendar_reading import RULES, WEEK, closed
from tests.policies.importers.comparison import differences, engine_of, imported, noticed
from tests.policies.importers.wall_spans import HORIZON, Span, instants
from tests.spec.twin import zone

FOLDER = Path(__file__).parent / "ics"
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "America/Sao_Paulo")


def rule_of(chance: random.Random, start: datetime) -> str:
    """A rule that the start of its event fits."""
    nth, month_day, day = (start.day - 1) // 7 + 1, start.day, WEEK[start.weekday()]
    others = ",".join({day, *chance.sample(WEEK, 2)})
    interval = chance.choice(["", "", ";INTERVAL=2", ";INTERVAL=3"])
    rule = chance.choice(
        [
            f"DAILY{interval}",
            f"WEEKLY{interval};BYDAY={others}",
            f"WEEKLY{interval}",
            f"MONTHLY{interval};BYDAY={nth}{day}",
            f"MONTHLY{interval};BYMONTHDAY={month_day}",
            "YEARLY",
            f"YEARLY;BYMONTH={start.month};BYDAY={nth}{day}",
        ]
    )
    return f"FREQ={rule}{chance.choice(['', '', ';COUNT=4', ';COUNT=40', ';UNTIL=20271231T120000Z'])}"


def generated(number: int) -> str:
    chance = random.Random(f"ics {number}")
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//generated//EN"]
    for each in range(chance.randint(2, 5)):
        start = datetime(2026, 1, 1) + timedelta(minutes=30 * chance.randrange(18_000))  # noqa: DTZ001
        end = start + timedelta(hours=chance.choice([1, 5, 12, 24, 60]))
        where = f";TZID={chance.choice(ZONES)}"
        lines += ["BEGIN:VEVENT", f"UID:{number}-{each}", f"SUMMARY:Generated {each}"]
        lines += [f"DTSTART{where}:{start:%Y%m%dT%H%M%S}", f"DTEND{where}:{end:%Y%m%dT%H%M%S}"]
        if chance.random() < 0.8:
            rule = rule_of(chance, start)
            lines.append(f"RRULE:{rule}")
            if chance.random() < 0.4:
                lines.append(f"EXDATE{where}:{start + timedelta(days=7):%Y%m%dT%H%M%S}")
        lines.append("END:VEVENT")
    return "\n".join([*lines, "END:VCALENDAR", ""])


def files() -> Iterator[tuple[str, str]]:
    for path in sorted(FOLDER.iterdir()):
        yield path.name, path.read_bytes().decode()
    for number in range(12):
        yield f"generated-{number}.ics", generated(number)


FILES = dict(files())


@cache
def read(name: str) -> tuple[Converted, Engine]:
    converted = imported("ics", {name: FILES[name]})
    return converted, engine_of(converted)


@cache
def expected(name: str) -> tuple[list[Span], list[int]]:
    """A reading of a file, and the instants at which it is compared."""
    spans = closed(FILES[name])
    zones = [zone(each) for each in (*ZONES, "America/Los_Angeles", "Europe/London") if each in FILES[name]]
    return spans, instants(spans, zones, name)


@pytest.mark.parametrize("name", FILES)
def test_an_imported_calendar_answers_as_rfc_5545_does(name: str) -> None:
    converted, engine = read(name)
    assert not converted.refused
    assert converted.tests
    assert bool(converted.calendars) == name.startswith(("unequal", "leap-years"))
    assert differences(engine, Question("api"), *expected(name)) == []


@pytest.mark.parametrize("rule", RULES)
def test_a_misread_rule_is_noticed(rule: str) -> None:
    assert any(
        noticed(
            read(name)[1], Question("api"), *expected(name)[:1], closed(FILES[name], rule), expected(name)[1]
        )
        for name in FILES
    )


def event(*lines: str, start: str = "20260302T100000Z", end: str = "20260302T180000Z", uid: str = "u") -> str:
    bounds = [f"DTSTART:{start}", f"DTEND:{end}"] if end else [f"DTSTART:{start}"]
    return "\n".join(["BEGIN:VEVENT", f"UID:{uid}", "SUMMARY:Freeze", *bounds, *lines, "END:VEVENT"])


def calendar(*events: str, head: str = "") -> str:
    return "\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", *([head] if head else []), *events, "END:VCALENDAR", ""]
    )


def results(text: str, options: ImportOptions | None = None) -> Converted:
    return imported("ics", {"team.ics": text}, options)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nothing", "not an iCalendar file"),
        (calendar(event("RRULE:FREQ=MINUTELY")), "recurs more often than once an hour"),
        (calendar(event(start="20260230T100000Z")), "has a DTSTART that can't be read"),
    ],
)
def test_a_calendar_that_cannot_be_read_is_refused(text: str, sentence: str) -> None:
    converted = results(text)
    assert converted.policies == 0
    assert sentence in str(converted.refused[0])


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["STATUS:CANCELLED"], "not imported: it is cancelled"),
        (["TRANSP:TRANSPARENT"], "marked free; it freezes nevertheless"),
        (["X-EVENT-TYPE:ADVISORY"], "not imported: it is advisory"),
    ],
)
def test_events_that_need_a_word_are_named(lines: list[str], sentence: str) -> None:
    remarks = [str(each) for each in results(calendar(event(*lines))).differences]
    assert [f"team.ics:3:1: Freeze: {sentence}" in remarks[0], len(remarks)] == [True, 1]


def test_events_that_last_no_time_or_are_over_are_named() -> None:
    text = calendar(event(end=""), event(start="20200101T000000Z", end="20200102T000000Z", uid="v"))
    assert [each.sentence for each in results(text).differences] == [
        "not imported: it lasts no time",
        "1 event is over; not imported",
    ]


def test_whole_days_are_in_utc_unless_a_zone_is_given() -> None:
    text = calendar("BEGIN:VEVENT\nSUMMARY:Day\nDTSTART;VALUE=DATE:20260302\nEND:VEVENT")
    assert "read in UTC unless you give --timezone" in str(results(text).differences[0])
    given = results(text, ImportOptions(HORIZON[0], timezone="Asia/Tokyo"))
    assert not given.differences
    assert 'timezone: "Asia/Tokyo"' in given.text


def test_services_of_the_options_are_those_of_each_policy() -> None:
    options = ImportOptions(HORIZON[0], services=["web"])
    assert "- {services: [web], environments: [production]}" in results(calendar(event()), options).text


@pytest.mark.parametrize(
    "lines",
    [
        ["RRULE:FREQ=WEEKLY;BYDAY=TU"],  # the start doesn't fit its rule
        ["RRULE:FREQ=DAILY;INTERVAL=54"],
        ["RRULE:FREQ=MONTHLY;INTERVAL=5"],
        ["RRULE:FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=2"],
        ["RRULE:FREQ=YEARLY;INTERVAL=2"],
        ["RRULE:FREQ=YEARLY;BYYEARDAY=61"],
        ["RRULE:FREQ=YEARLY;BYDAY=9MO"],
        ["RRULE:FREQ=HOURLY;INTERVAL=48"],
        ["RRULE:FREQ=WEEKLY", "RRULE:FREQ=DAILY;INTERVAL=3"],
        [
            "RRULE:FREQ=WEEKLY",
            "END:VEVENT",
            event("RECURRENCE-ID;RANGE=THISANDFUTURE:20260309T100000Z")[:-11],
        ],
        ["SEQUENCE:1", "END:VEVENT", event("SEQUENCE:2")[:-11]],
    ],
)
def test_a_recurrence_without_an_equal_stays_a_calendar(lines: list[str]) -> None:
    converted = results(calendar(event(*lines)))
    assert not converted.refused
    assert list(converted.calendars) == ["team.ics"]
    assert "its recurrence has no equal in windows" in str(converted.differences[0])
    assert 'icalendar: {file: "team.ics", free: count}' in converted.text


def test_a_calendar_that_stays_a_file_loses_what_does_not_count() -> None:
    rule = "RRULE:FREQ=DAILY;INTERVAL=54"
    converted = results(
        calendar(event("X-EVENT-TYPE:ADVISORY", uid="a"), event(rule), event("STATUS:CANCELLED", uid="c"))
    )
    assert converted.calendars["team.ics"] == calendar(event(rule))


def test_calendars_of_one_name_stay_apart() -> None:
    text = calendar(event("RRULE:FREQ=DAILY;INTERVAL=54"))
    converted = imported("ics", {"a/team.ics": text, "b/team.ics": text, "standard input": text, "...": text})
    assert sorted(converted.calendars) == ["calendar.ics", "standard-input.ics", "team-2.ics", "team.ics"]


def test_an_exception_in_a_repeated_hour_stays_a_calendar() -> None:
    zoned = ";TZID=Europe/Berlin"
    text = f"""BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
DTSTART{zoned}:20261018T023000
DTEND{zoned}:20261018T040000
RRULE:FREQ=WEEKLY
EXDATE{zoned}:20261025T023000
END:VEVENT
END:VCALENDAR
"""
    assert list(results(text).calendars) == ["team.ics"]


def test_few_occurrences_are_written_as_dates() -> None:
    few, some = (
        results(calendar(event(f"RRULE:FREQ=MONTHLY;INTERVAL=5;COUNT={count}"))) for count in (3, 40)
    )
    assert [few.text.count("dates:"), some.text.count("dates:")] == [3, 40]


def test_a_calendar_is_called_by_its_file_without_folders() -> None:
    text = calendar(event(), event(start="20260402T100000Z", end="20260402T180000Z", uid="v")).replace(
        "SUMMARY:Freeze\n", ""
    )
    converted = imported("ics", {"some/folder/team.ics": text})
    assert 'id: team-ics\n    title: "No deploys during the events of team.ics"' in converted.text


@pytest.mark.parametrize(
    ("rule", "head"), [("FREQ=DAILY;INTERVAL=54", "CALSCALE:JULIAN"), ("FREQ=DAILY;UNT:L=20280131", "X-A:b")]
)
def test_a_calendar_that_cannot_be_expanded_is_refused(rule: str, head: str) -> None:
    text = calendar(event(f"RRULE:{rule}"), head=head)
    assert "the calendar can't be expanded" in str(results(text).refused[0])
