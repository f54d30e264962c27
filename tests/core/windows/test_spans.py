"""A longer span never changes the intervals within a shorter one, for every kind of window."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.instant import DAY, EARLIEST, LATEST
from app.core.interval import clip, normalise
from app.core.wallclock import Wall, zone
from app.core.windows import WindowEntry

CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//freezegate//tests
BEGIN:VEVENT
UID:1
DTSTAMP:20200101T000000Z
DTSTART;TZID=America/New_York:20200102T013000
DTEND;TZID=America/New_York:20200102T023000
RRULE:FREQ=WEEKLY
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTAMP:20200101T000000Z
DTSTART;VALUE=DATE:20261224
DTEND;VALUE=DATE:20261227
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")

WINDOWS: list[dict[str, Any]] = [
    {"always": True},
    {"weekly": {"from": "fri 14:00", "to": "mon 08:00"}},
    {"weekly": {"from": "tue 02:30", "to": "tue 02:30"}},
    {"weekly": {"from": "sun 20:00", "to": "sun 08:00", "every": 3, "starting": "2027-01-08"}},
    {"monthly": {"from": "last workday -2 18:00", "to": "first workday 08:00"}},
    {"monthly": {"from": "5th tue +31", "to": "31"}},
    {"monthly": {"from": 29, "to": "3rd workday", "months": ["feb"], "workdays": {"country": "CN"}}},
    {"monthly": {"from": 1, "to": "20th workday", "workdays": {"weekend": ["thu-sun"]}}},
    {"daily": {"from": "22:00", "to": "06:00", "days": ["fri-mon"]}},
    {"dates": {"from": "2026-12-11", "to": "2027-03-01 12:00"}},
    {"yearly": {"from": "12-20 18:00", "to": "01-03"}},
    {"yearly": {"from": "03-01", "to": "02-27"}},
    {"holidays": {"country": "NL", "eve_from": "14:00", "until": "08:00", "bridge_days": True}},
    {"holidays": {"country": "CN", "eve_from": "14:00", "until": "08:00"}},
    {"holidays": {"market": "XNYS"}},
    {"cron": {"start": "30 2 * * *", "duration": "62h"}},
    {"cron": {"start": "0 0 1 1 *", "duration": "300d"}},
    {"cron": {"start": "0 18 * * FRI", "end": "0 8 1 * *"}},
    {"cron": {"start": "0 0 L * *", "end": "0 12 29 2 *"}},
    {"icalendar": {"file": "a.ics"}},
]


@pytest.mark.parametrize("written", WINDOWS, ids=str)
@pytest.mark.parametrize("wide", [True, False])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_asking_for_more_never_changes_what_is_within(
    written: dict[str, Any],
    wide: bool,  # noqa: FBT001 - a parameter of the test
    data: st.DataObject,
) -> None:
    window = WindowEntry.model_validate(written, context={"read": lambda _: CALENDAR}).window
    wall = Wall.of(zone(data.draw(st.sampled_from(["Europe/Amsterdam", "Pacific/Apia", "UTC"]))), wide=wide)
    start = data.draw(st.integers(EARLIEST + 800 * DAY, LATEST - 800 * DAY))
    narrow = (start, start + data.draw(st.integers(1, 100 * DAY)))
    wider = (
        narrow[0] - data.draw(st.integers(0, 400 * DAY)),
        narrow[1] + data.draw(st.integers(0, 90 * DAY)),
    )
    within = clip(normalise(window.intervals(wider, wall)), narrow)
    assert clip(normalise(window.intervals(narrow, wall)), narrow) == within


@pytest.mark.parametrize("written", WINDOWS, ids=str)
def test_every_window_says_itself_in_words_and_can_be_compared(written: dict[str, Any]) -> None:
    one, other = (
        WindowEntry.model_validate(written, context={"read": lambda _: CALENDAR}).window for _ in range(2)
    )
    assert one == other
    assert hash(one) == hash(other)
    assert len(one.words()) > 8


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ({"daily": {"from": "10:00", "to": "10:00"}}, "from and to are equal"),
        ({"dates": {"from": "2026-12-11", "to": "2026-12-10"}}, "to is not after from"),
        ({"cron": {"start": "@daily", "duration": "1h"}}, "@ shorthands are not read"),
        ({"cron": {"start": "0 0 30 2 *", "duration": "1h"}}, "never fires"),
        ({"cron": {"start": "0 0 * * fri-sun", "duration": "1h"}}, "does not wrap"),
        ({"cron": {"start": "0 0 * * *"}}, "either duration or end"),
        ({"holidays": {"country": "NLD"}}, 'did you mean "NL"'),
        ({"holidays": {"country": "NL", "names": ["Kings Day"]}}, 'did you mean "King\'s Day"'),
        ({"holidays": {"country": "NL", "market": "XNYS"}}, "either a country or a market"),
        ({"always": False}, "can only be true"),
    ],
)
def test_a_contradiction_is_refused_with_a_sentence(written: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        WindowEntry.model_validate(written)
