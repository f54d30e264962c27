"""Durations, periods and time zones of an iCalendar file, where the clocks are changed."""

from itertools import permutations

import pytest
from pydantic import ValidationError

from app.core.errors import MalformedValueError
from app.core.instant import format_instant, parse_instant
from app.core.interval import Interval, normalise
from app.core.vcalendar import read_calendar
from app.core.wallclock import Wall, zone
from app.core.windows.icalendar import ICalendar

SPRING = (parse_instant("2026-03-20T00:00:00Z"), parse_instant("2026-04-05T00:00:00Z"))
YEAR = (parse_instant("2026-01-01T00:00:00Z"), parse_instant("2027-01-01T00:00:00Z"))
START = "DTSTART;TZID=Europe/Amsterdam:20260328T120000"


def window(*lines: str, zones: tuple[str, ...] = ()) -> ICalendar:
    text = "\r\n".join(
        ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//EN", *zones, "BEGIN:VEVENT", "UID:1",
         "DTSTAMP:20260101T000000Z", "SUMMARY:x", *lines, "END:VEVENT", "END:VCALENDAR", "")
    )  # fmt: skip
    return ICalendar.model_validate({"file": "team.ics"}, context={"read": lambda _: text})


def spans(calendar: ICalendar, span: Interval = YEAR, *, wide: bool = True) -> list[tuple[str, str]]:
    """What a calendar freezes; an empty occurrence is none."""
    found = normalise(calendar.intervals(span, Wall.of(zone("Europe/Amsterdam"), wide=wide)))
    return [(format_instant(start), format_instant(end)) for start, end in found]


def ends(*lines: str) -> list[str]:
    found = window(*lines).intervals(SPRING, Wall.of(zone("Europe/Amsterdam"), wide=True))
    return [format_instant(end) for _, end in sorted(found)]


def fixed(name: str, offset: str) -> tuple[str, ...]:
    """A zone whose clocks are never changed, as a calendar defines it."""
    standard = ("BEGIN:STANDARD", "DTSTART:19700101T000000", f"TZOFFSETFROM:{offset}", f"TZOFFSETTO:{offset}")
    return ("BEGIN:VTIMEZONE", f"TZID:{name}", *standard, "END:STANDARD", "END:VTIMEZONE")


def outlook(name: str) -> tuple[str, ...]:
    """Central Europe, as Outlook writes it."""
    return (
        "BEGIN:VTIMEZONE", f"TZID:{name}",
        "BEGIN:STANDARD", "DTSTART:16010101T030000", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100",
        "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10", "END:STANDARD",
        "BEGIN:DAYLIGHT", "DTSTART:16010101T020000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200",
        "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3", "END:DAYLIGHT",
        "END:VTIMEZONE",
    )  # fmt: skip


def event(name: str, start: str, end: str) -> tuple[str, ...]:
    return (f'DTSTART;TZID="{name}":{start}', f'DTEND;TZID="{name}":{end}')


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


def test_a_whole_day_is_one_of_the_calendars_own_zone() -> None:
    whole_day = ("DTSTART;VALUE=DATE:20260610",)
    assert spans(window(*whole_day)) == [("2026-06-09T22:00:00Z", "2026-06-10T22:00:00Z")]
    tokyo = window(*whole_day, zones=("X-WR-TIMEZONE:Asia/Tokyo",))
    assert spans(tokyo) == [("2026-06-09T15:00:00Z", "2026-06-10T15:00:00Z")]
    every_year = (*whole_day, "DTEND;VALUE=DATE:20260612", "RRULE:FREQ=YEARLY", "RDATE;VALUE=DATE:20260701")
    assert spans(window(*every_year, zones=("X-WR-TIMEZONE:America/New_York",))) == [
        ("2026-06-10T04:00:00Z", "2026-06-12T04:00:00Z"),
        ("2026-07-01T04:00:00Z", "2026-07-03T04:00:00Z"),
    ]


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
def test_an_unknown_zone_is_refused_wherever_it_stands(line: str) -> None:
    with pytest.raises(ValidationError, match="an unknown time zone: Nowhere/Land"):
        window(START, "RRULE:FREQ=DAILY;COUNT=2", line)


@pytest.mark.parametrize("line", ["EXDATE;TZID=Europe/Amsterdam:20260329T120000", "EXDATE:20260329T100000Z"])
def test_an_exception_in_a_zone_that_is_known_takes_its_occurrence_out(line: str) -> None:
    assert len(ends(START, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3", line)) == 2


# Zones that a calendar defines itself

CUSTOM = "Customized Time Zone"
TEN_TO_ELEVEN = event(CUSTOM, "20260610T100000", "20260610T110000")


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_a_name_means_in_each_calendar_what_that_calendar_says(order: tuple[int, ...]) -> None:
    offsets, expected = ("-0500", "+0100"), (("15:00", "16:00"), ("09:00", "10:00"))
    calendars = {number: window(*TEN_TO_ELEVEN, zones=fixed(CUSTOM, offsets[number])) for number in order}
    for number in (*order, *reversed(order)):
        start, end = expected[number]
        assert spans(calendars[number]) == [(f"2026-06-10T{start}:00Z", f"2026-06-10T{end}:00Z")]


def test_a_zone_that_only_another_calendar_knows_is_refused() -> None:
    window(*TEN_TO_ELEVEN, zones=fixed(CUSTOM, "-0500"))
    with pytest.raises(ValidationError, match="an unknown time zone: Customized Time Zone"):
        window(*TEN_TO_ELEVEN)
    window(*event("/vendor/Europe/Paris", "20260610T100000", "20260610T110000"))
    with pytest.raises(ValidationError, match="an unknown time zone: vendor/Europe/Paris"):
        window(*event("vendor/Europe/Paris", "20260610T100000", "20260610T110000"))


def test_a_zone_that_is_corrected_is_read_anew() -> None:
    assert spans(window(*TEN_TO_ELEVEN, zones=fixed(CUSTOM, "-0500")))[0][0] == "2026-06-10T15:00:00Z"
    assert spans(window(*TEN_TO_ELEVEN, zones=fixed(CUSTOM, "-0400")))[0][0] == "2026-06-10T14:00:00Z"


def test_a_zone_may_be_defined_below_the_events_that_name_it() -> None:
    zones = "\r\n".join(fixed(CUSTOM, "-0500"))
    text = "\r\n".join(
        ("BEGIN:VCALENDAR", "BEGIN:VEVENT", *TEN_TO_ELEVEN, "END:VEVENT", zones, "END:VCALENDAR")
    )
    found = ICalendar.model_validate({"file": "a.ics"}, context={"read": lambda _: text})
    assert spans(found) == [("2026-06-10T15:00:00Z", "2026-06-10T16:00:00Z")]


def test_two_zones_of_one_name_in_a_calendar_are_refused_if_they_differ() -> None:
    twice = (*fixed(CUSTOM, "-0500"), *fixed(CUSTOM, "-0500"))
    assert spans(window(*TEN_TO_ELEVEN, zones=twice))[0][0] == "2026-06-10T15:00:00Z"
    with pytest.raises(ValidationError, match="defines the time zone Customized Time Zone twice"):
        window(*TEN_TO_ELEVEN, zones=(*fixed(CUSTOM, "-0500"), *fixed(CUSTOM, "-0400")))


# The same bounds in a zone by its own name, by that of Windows, by that of a vendor, and by a definition.

NAMES = ["Europe/Amsterdam", "W. Europe Standard Time", "/mozilla.org/20050126_1/Europe/Berlin", CUSTOM]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("start", "end", "wide", "narrow"),
    [
        ("20261025T010000", "20261025T023000", ("2026-10-24T23:00:00Z", "2026-10-25T01:30:00Z"), "00:30"),
        ("20261025T023000", "20261025T040000", ("2026-10-25T00:30:00Z", "2026-10-25T03:00:00Z"), "03:00"),
        ("20260329T010000", "20260329T023000", ("2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"), "01:00"),
        ("20260329T023000", "20260329T040000", ("2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"), "02:00"),
    ],
)
def test_a_bound_that_occurs_twice_or_not_at_all_is_read_alike_in_every_zone(
    name: str, start: str, end: str, wide: tuple[str, str], narrow: str
) -> None:
    calendar = window(*event(name, start, end), zones=outlook(name))
    assert spans(calendar) == [wide]
    assert spans(calendar, wide=False)[0][1][11:16] == narrow


@pytest.mark.parametrize("name", NAMES)
def test_a_recurring_bound_keeps_its_local_time_in_every_zone(name: str) -> None:
    calendar = window(
        *event(name, "20260327T220000", "20260328T060000"), "RRULE:FREQ=DAILY;COUNT=3", zones=outlook(name)
    )
    assert spans(calendar) == [
        ("2026-03-27T21:00:00Z", "2026-03-28T05:00:00Z"),
        ("2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z"),
        ("2026-03-29T20:00:00Z", "2026-03-30T04:00:00Z"),
    ]


def test_a_zone_that_a_calendar_defines_goes_on_changing_its_clocks_to_the_last_year() -> None:
    calendar = window(*event(CUSTOM, "20990610T100000", "20990610T110000"), zones=outlook(CUSTOM))
    span = (parse_instant("2099-06-01T00:00:00Z"), parse_instant("2099-07-01T00:00:00Z"))
    assert spans(calendar, span) == [("2099-06-10T08:00:00Z", "2099-06-10T09:00:00Z")]


def test_start_and_end_may_be_in_different_zones() -> None:
    # 25 hours, for the clocks of the one are changed in between, and noon in UTC stays what it is.
    calendar = window("DTSTART;TZID=Europe/Amsterdam:20260328T120000", "DTEND:20260329T120000Z")
    assert spans(calendar) == [("2026-03-28T11:00:00Z", "2026-03-29T12:00:00Z")]


def test_a_calendar_may_name_a_zone_for_times_that_have_none() -> None:
    def titled(name: str) -> ICalendar:
        return window("DTSTART:20260610T100000", "DTEND:20260610T110000", zones=(f"X-WR-TIMEZONE:{name}",))

    assert spans(titled("America/New_York")) == [("2026-06-10T14:00:00Z", "2026-06-10T15:00:00Z")]
    with pytest.raises(ValidationError, match="the calendar is in an unknown time zone: Mars/Olympus"):
        titled("Mars/Olympus")


def test_a_recurrence_in_utc_is_in_the_zone_of_the_calendar() -> None:
    bounds = ("DTSTART:20260328T110000Z", "DTEND:20260328T120000Z", "RRULE:FREQ=DAILY;COUNT=2")
    zones = ("X-WR-TIMEZONE:Europe/Amsterdam",)
    assert [start for start, _ in spans(window(*bounds))] == ["2026-03-28T11:00:00Z", "2026-03-29T11:00:00Z"]
    assert [start for start, _ in spans(window(*bounds, zones=zones))] == [
        "2026-03-28T11:00:00Z",
        "2026-03-29T10:00:00Z",
    ]


def test_a_time_in_utc_that_also_names_a_zone_is_refused() -> None:
    assert spans(window("DTSTART;TZID=UTC:20260328T110000Z", "DURATION:PT1H"))
    with pytest.raises(ValidationError, match='"x" has a DTSTART in UTC that names a time zone as well'):
        window("DTSTART;TZID=Europe/Amsterdam:20260328T110000Z", "DURATION:PT1H")


def test_a_name_in_quotes_may_hold_colons_and_commas() -> None:
    name = "(UTC+01:00) Amsterdam, Berlin"
    period = f'RDATE;VALUE=PERIOD;TZID="{name}":20260612T100000/PT3H'
    calendar = window(*event(name, "20260610T100000", "20260610T110000"), period, zones=outlook(name))
    assert spans(calendar) == [
        ("2026-06-10T08:00:00Z", "2026-06-10T09:00:00Z"),
        ("2026-06-12T08:00:00Z", "2026-06-12T11:00:00Z"),
    ]


# Recurrence


def test_events_that_share_a_uid_by_mistake_all_count() -> None:
    copied = ("END:VEVENT", "BEGIN:VEVENT", "UID:1", "DTSTART:20260612T100000Z", "DURATION:PT1H")
    assert spans(window("DTSTART:20260610T100000Z", "DURATION:PT1H", *copied)) == [
        ("2026-06-10T10:00:00Z", "2026-06-10T11:00:00Z"),
        ("2026-06-12T10:00:00Z", "2026-06-12T11:00:00Z"),
    ]
    revised = (*copied, "SEQUENCE:1")
    assert spans(window("DTSTART:20260610T100000Z", "DURATION:PT1H", *revised)) == [
        ("2026-06-12T10:00:00Z", "2026-06-12T11:00:00Z")
    ]


def test_an_exception_takes_out_its_own_occurrence_and_no_other() -> None:
    # 10:00 in New York is 15:00 in UTC, which is not to be taken for the 15:00 of New York.
    calendar = window(
        "DTSTART;TZID=America/New_York:20260302T100000",
        "DURATION:PT1H",
        "RRULE:FREQ=DAILY;COUNT=4;BYHOUR=10,15",
        "EXDATE;TZID=America/New_York:20260302T100000",
    )
    assert [start for start, _ in spans(calendar)] == [
        "2026-03-02T20:00:00Z",
        "2026-03-03T15:00:00Z",
        "2026-03-03T20:00:00Z",
    ]


@pytest.mark.parametrize("until", ["20260330T100000Z", "20260330T120000", "20260330"])
def test_the_last_occurrence_is_the_one_that_until_names(until: str) -> None:
    found = ends(START, "DURATION:PT1H", f"RRULE:FREQ=DAILY;UNTIL={until}")
    assert found == ["2026-03-28T12:00:00Z", "2026-03-29T11:00:00Z", "2026-03-30T11:00:00Z"]


def test_an_occurrence_that_is_moved_is_where_it_was_moved_to() -> None:
    series = window(START, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3")
    moved = (
        "END:VEVENT", "BEGIN:VEVENT", "UID:1", "RECURRENCE-ID:20260329T100000Z",
        "DTSTART;TZID=America/New_York:20260401T120000", "DURATION:PT2H",
    )  # fmt: skip
    assert len(spans(series)) == 3
    assert spans(window(START, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3", *moved)) == [
        ("2026-03-28T11:00:00Z", "2026-03-28T12:00:00Z"),
        ("2026-03-30T10:00:00Z", "2026-03-30T11:00:00Z"),
        ("2026-04-01T16:00:00Z", "2026-04-01T18:00:00Z"),
    ]


def test_moving_an_event_with_all_that_follow_moves_them_by_the_same_local_time() -> None:
    moved = (
        "END:VEVENT", "BEGIN:VEVENT", "UID:1", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260329T100000Z",
        "DTSTART;TZID=Europe/Amsterdam:20260329T140000", "DURATION:PT2H",
    )  # fmt: skip
    assert spans(window(START, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3", *moved)) == [
        ("2026-03-28T11:00:00Z", "2026-03-28T12:00:00Z"),
        ("2026-03-29T12:00:00Z", "2026-03-29T14:00:00Z"),
        ("2026-03-30T12:00:00Z", "2026-03-30T14:00:00Z"),
    ]


@pytest.mark.parametrize("length", ["DURATION:PT1H", "DTEND:20260610T110000Z"])
@pytest.mark.parametrize("period", ["20260612T100000Z/20260612T130000Z", "20260612T100000Z/PT3H"])
def test_a_period_lasts_as_long_as_it_says(length: str, period: str) -> None:
    calendar = window("DTSTART:20260610T100000Z", length, f"RDATE;VALUE=PERIOD:{period}")
    assert spans(calendar) == [
        ("2026-06-10T10:00:00Z", "2026-06-10T11:00:00Z"),
        ("2026-06-12T10:00:00Z", "2026-06-12T13:00:00Z"),
    ]


def test_a_period_that_is_far_longer_than_its_event_is_found_at_its_end_as_well() -> None:
    calendar = window(
        "DTSTART;TZID=Europe/Amsterdam:20260110T100000",
        "DURATION:PT1H",
        "RDATE;VALUE=PERIOD;TZID=Europe/Amsterdam:20260112T100000/20261012T100000",
    )
    october = (parse_instant("2026-10-01T00:00:00Z"), parse_instant("2026-10-31T00:00:00Z"))
    assert ("2026-01-12T09:00:00Z", "2026-10-12T08:00:00Z") in spans(calendar, october)


def test_a_date_in_a_zone_of_its_own_is_read_in_that_zone() -> None:
    calendar = window(
        START, "DURATION:PT1H", "RDATE;TZID=America/New_York:20260330T120000", "RDATE:20261025T013000Z"
    )
    assert spans(calendar) == [
        ("2026-03-28T11:00:00Z", "2026-03-28T12:00:00Z"),
        ("2026-03-30T16:00:00Z", "2026-03-30T17:00:00Z"),
        ("2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"),
    ]


@pytest.mark.parametrize("end", ["DTEND:20260610T090000Z", "DTEND:20260610T100000Z"])
def test_an_event_whose_end_is_not_after_its_start_is_empty(end: str) -> None:
    assert spans(window("DTSTART:20260610T100000Z", end)) == []
    assert spans(window("DTSTART:20260610T100000Z", end, "RRULE:FREQ=DAILY;COUNT=3")) == []


def test_an_event_without_length_has_none_in_a_repeated_hour_either() -> None:
    assert spans(window("DTSTART;TZID=Europe/Amsterdam:20261025T023000")) == []


def test_a_duration_of_nothing_beside_an_end_is_passed_over() -> None:
    calendar = window("DTSTART:20260610T100000Z", "DTEND:20260610T110000Z", "DURATION:PT0S")
    assert spans(calendar) == [("2026-06-10T10:00:00Z", "2026-06-10T11:00:00Z")]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ((START, "EXRULE:FREQ=WEEKLY"), "has an EXRULE, which RFC 5545 dropped; write EXDATE"),
        (("DTSTART:tomorrow",), "has a DTSTART that can't be read"),
        ((START, "DTEND:later"), "has a DTEND that can't be read"),
        ((START, "EXDATE:never"), "has an EXDATE that can't be read"),
        ((START, "RRULE:FREQ=DAILY;COUNT=often"), "has an RRULE that can't be read"),
        ((START, "DURATION:PT1H", "DTEND:20260610T100000Z"), "has both DTEND and DURATION"),
        ((START, "DURATION:PT1H", "DURATION:PT2H"), "has more than one DURATION"),
        (("DTSTART:00120213T100000", "DTEND:20120217T180000"), "lasts for more than a hundred years"),
        ((START, "RDATE;VALUE=TIME:083000"), "has an RDATE that is neither a day nor a time of one"),
        (
            ("DTSTART;VALUE=DATE:20260610", "RDATE;VALUE=PERIOD:20260612T100000Z/PT3H"),
            "lasts for days and has an RDATE with a time",
        ),
        (
            (START, "DURATION:PT1H", "RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"),
            "recurs by a rule that never fires: its parts exclude each other",
        ),
        (
            (START, "DURATION:PT1H", "RRULE:FREQ=DAILY;BYWEEKNO=7"),
            "has a recurrence with BYWEEKNO, which RFC 5545 allows with FREQ=YEARLY only",
        ),
    ],
)
def test_an_unsupported_event_is_refused(lines: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        window(*lines)
    assert f'the event "x" {sentence}' in str(caught.value)


def test_the_events_of_a_calendar_recur_no_more_often_than_a_bound() -> None:
    hourly = (START, "DURATION:PT1H", "RRULE:FREQ=HOURLY")
    event = "BEGIN:VEVENT\r\nUID:{}\r\n" + "\r\n".join(hourly) + "\r\nEND:VEVENT\r\n"
    events = "".join(event.format(number) for number in range(21))
    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{events}END:VCALENDAR\r\n"
    with pytest.raises(MalformedValueError, match="recur 504 times a day; 500 is the limit"):
        read_calendar(text)
    assert window(*hourly).per_day() == 24
    assert window(START, "DURATION:PT1H").per_day() == 1


# What counts


def counting(free: str, *lines: str) -> ICalendar:
    read = window(*lines)
    fields = {"file": "team.ics", "free": free}
    return ICalendar.model_validate(fields, context={"read": lambda _: read._text})


def test_a_free_event_counts_only_where_the_policy_says_so() -> None:
    free = ("DTSTART;VALUE=DATE:20261214", "TRANSP:TRANSPARENT")
    assert spans(counting("ignore", *free)) == []
    assert spans(counting("count", *free)) == [("2026-12-13T23:00:00Z", "2026-12-14T23:00:00Z")]
    assert counting("count", *free).remarks() == []
    assert counting("count", *free, "STATUS:CANCELLED").remarks() == [
        "never open: there is no event in the calendar"
    ]
    assert counting("count", *free).words() == "during the events of team.ics"


def faults(*lines: str) -> list[str | None]:
    return [event.fault for event in window(*lines).matching()]


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (("DTSTART:20261214T100000Z",), "lasts no time: it has no end, or one that equals its start"),
        (("DTSTART:20261214T100000Z", "DTEND:20261214T090000Z"), "ends before it begins"),
        (
            ("DTSTART;TZID=Asia/Tokyo:20261214T100000", "DTEND;TZID=Europe/Berlin:20261214T100000"),
            None,
        ),
        (
            ("DTSTART;TZID=Europe/Berlin:20261214T100000", "DTEND;TZID=Asia/Tokyo:20261214T100000"),
            "ends before it begins",
        ),
        (("DTSTART;VALUE=DATE:20261214",), None),
        (
            ("DTSTART;VALUE=DATE:20261214", "DTEND;VALUE=DATE:20261214"),
            "lasts no time: the DTEND of whole days is the day after the last of them",
        ),
        (
            ("DTSTART:20261214T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;UNTIL=20251220T000000Z"),
            "recurs until a time (UNTIL) before its own start",
        ),
        (("DTSTART:20261214T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;UNTIL=20261214T100000Z"), None),
        (("DTSTART:20261214T100000Z", "RDATE;VALUE=PERIOD:20261215T100000Z/PT1H"), None),
    ],
)
def test_an_event_that_is_never_open_says_why(lines: tuple[str, ...], fault: str | None) -> None:
    assert faults(*lines) == [fault]
    assert (spans(window(*lines)) == []) is (fault is not None)


def test_a_series_with_an_until_is_over_by_it() -> None:
    wall = Wall.of(zone("Europe/Amsterdam"), wide=True)
    series = ("DTSTART;TZID=Europe/Amsterdam:20260601T100000", "DURATION:PT1H")
    until = window(*series, "RRULE:FREQ=WEEKLY;UNTIL=20260901T100000Z").over_by(wall)
    assert until == parse_instant("2026-09-01T11:00:00Z")
    assert window(*series, "RRULE:FREQ=WEEKLY").over_by(wall) is None
    assert window(*series, "RRULE:FREQ=WEEKLY;COUNT=3").over_by(wall) is None


# Where calendar programs differ: the table of docs/how-to/calendars/icalendar.md


def local(start: str, end: str) -> tuple[str, ...]:
    zoned = "TZID=Europe/Amsterdam"
    return (f"DTSTART;{zoned}:{start}", f"DTEND;{zoned}:{end}", "RRULE:FREQ=DAILY;COUNT=2")


def test_a_recurrence_in_a_skipped_hour_begins_after_it_and_in_a_repeated_one_lasts_two() -> None:
    assert spans(window(*local("20260329T023000", "20260329T033000")))[0] == (
        "2026-03-29T01:00:00Z",
        "2026-03-29T01:30:00Z",
    )
    assert spans(window(*local("20261025T023000", "20261025T033000")))[0] == (
        "2026-10-25T00:30:00Z",
        "2026-10-25T02:30:00Z",
    )


def test_every_month_on_the_31st_is_only_in_months_that_have_it() -> None:
    found = spans(window("DTSTART:20260131T100000Z", "DURATION:PT1H", "RRULE:FREQ=MONTHLY;COUNT=3"))
    assert [start[:10] for start, _ in found] == ["2026-01-31", "2026-03-31", "2026-05-31"]


def test_a_series_of_dates_begins_with_its_start() -> None:
    found = spans(window("DTSTART:20260601T100000Z", "DURATION:PT1H", "RDATE:20260603T100000Z"))
    assert [start[:10] for start, _ in found] == ["2026-06-01", "2026-06-03"]


def test_this_and_future_moves_all_later_occurrences() -> None:
    series = ("DTSTART:20260601T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3")
    again = ("END:VEVENT", "BEGIN:VEVENT", "UID:1", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260602T100000Z")
    found = spans(window(*series, *again, "DTSTART:20260602T120000Z", "DURATION:PT1H"))
    assert [start for start, _ in found] == [
        "2026-06-01T10:00:00Z",
        "2026-06-02T12:00:00Z",
        "2026-06-03T12:00:00Z",
    ]


def test_a_start_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValidationError, match="has a DTSTART that can't be read"):
        window("DTSTART:2026-06-01", "DURATION:PT1H")


@pytest.mark.parametrize(
    ("name", "known"),
    [("W. Europe Standart Time", "W. Europe Standard Time"), ("Europe/Berln", "Europe/Berlin")],
)
def test_an_unknown_zone_gets_the_nearest_name(name: str, known: str) -> None:
    with pytest.raises(ValidationError, match=f'unknown time zone: {name}; did you mean "{known}"'):
        window(*event(name, "20260610T100000", "20260610T110000"))
