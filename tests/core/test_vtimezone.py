"""TZIDs resolve to the IANA database, or to the definition in the calendar."""

from datetime import date
from typing import Any

import pytest
from icalendar import Timezone
from icalendar.cal import Component

from app.core.errors import MalformedValueError
from app.core.instant import DAY, EARLIEST, HOUR, LATEST, parse_instant
from app.core.vtimezone import Zones, iana_name, regimes
from app.core.wallclock import zone

ONSET = ("DTSTART:19701025T030000", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100")
SUNDAYS = "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10"


def definition(*observances: tuple[str, ...], name: str = "Own") -> Any:
    lines = [line for each in observances for line in ("BEGIN:STANDARD", *each, "END:STANDARD")]
    # Under another name than VTIMEZONE, so that the library makes nothing of it.
    return Component.from_ical("\r\n".join(("BEGIN:X-ZONE", f"TZID:{name}", *lines, "END:X-ZONE", "")))


@pytest.mark.parametrize(
    ("tzid", "name"),
    [
        ("Europe/Amsterdam", "Europe/Amsterdam"),
        ("/Europe/Amsterdam", "Europe/Amsterdam"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("UTC", "UTC"),
        ("/freeassociation.sourceforge.net/Europe/Berlin", "Europe/Berlin"),
        ("/mozilla.org/20050126_1/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("example.org/Europe/Berlin", None),
        ("europe/amsterdam", None),
        ("America", None),
        ("localtime", None),
        ("Customized Time Zone", None),
        ("", None),
    ],
)
def test_a_name_stands_for_a_zone_of_the_database(tzid: str, name: str | None) -> None:
    assert iana_name(tzid) == name


@pytest.mark.parametrize(
    "name",
    [
        *("Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo"),
        *("America/Sao_Paulo", "Asia/Tehran", "America/St_Johns", "Europe/Dublin"),
    ],
)
def test_a_definition_means_what_the_database_means_by_it(name: str) -> None:
    written = Timezone.from_tzid(name, first_date=date(1990, 1, 1), last_date=date(2030, 1, 1))
    own, known = regimes(written), zone(name)
    for instant in range(EARLIEST, parse_instant("2029-12-30T00:00:00Z"), 5 * DAY + 7 * HOUR):
        assert own.offset(instant) == known.offset(instant)


def test_a_standing_rule_stands_to_the_last_year() -> None:
    summer = ("DTSTART:19700329T020000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", SUNDAYS.replace("10", "3"))
    own, known = regimes(definition((*ONSET, SUNDAYS), summer)), zone("Europe/Berlin")
    for instant in range(EARLIEST, LATEST, 11 * DAY + 7 * HOUR):
        assert own.offset(instant) == known.offset(instant)


def test_before_its_first_onset_a_zone_is_what_it_was_before_it() -> None:
    own = regimes(definition(("DTSTART:20200101T000000", "TZOFFSETFROM:-0500", "TZOFFSETTO:-0400")))
    assert own.offset(EARLIEST) == -5 * HOUR
    assert own.offset(parse_instant("2020-01-01T04:59:59Z")) == -5 * HOUR
    assert own.offset(parse_instant("2020-01-01T05:00:00Z")) == -4 * HOUR
    assert own.offset(LATEST) == -4 * HOUR


@pytest.mark.parametrize(
    ("until", "last"), [("20101031T010000Z", 2010), ("20101031T005959Z", 2009), ("20101031T030000", 2010)]
)
def test_a_rule_ends_with_the_onset_that_until_names(until: str, last: int) -> None:
    summer = ("DTSTART:19700329T020000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", SUNDAYS.replace("10", "3"))
    own = regimes(definition((*ONSET, f"{SUNDAYS};UNTIL={until}"), summer))
    winters = [
        year for year in range(2000, 2020) if own.offset(parse_instant(f"{year}-12-01T00:00:00Z")) == HOUR
    ]
    assert winters[-1] == last


def test_onsets_may_be_listed_one_by_one() -> None:
    winter = (*ONSET, "RDATE:20251026T030000,20261025T030000")
    summer = ("DTSTART:20260329T020000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200")
    own = regimes(definition(winter, summer))
    offsets = [
        own.offset(parse_instant(f"2026-{month}-01T00:00:00Z")) // HOUR for month in ("01", "07", "12")
    ]
    assert offsets == [1, 2, 1]


@pytest.mark.parametrize(
    ("observances", "sentence"),
    [
        ((), "it has neither STANDARD nor DAYLIGHT times"),
        ((ONSET[:2],), "an observance of it needs one TZOFFSETTO"),
        (((*ONSET, "TZOFFSETTO:+0300"),), "an observance of it needs one TZOFFSETTO"),
        (((*ONSET, "RRULE:FREQ=DAILY"),), "a rule that is not of years or months"),
        (((*ONSET, "RRULE:FREQ=YEARLY;INTERVAL=0"),), "a rule that is not of years or months"),
        (
            ((*ONSET, "RRULE:FREQ=YEARLY;BYHOUR=1,2;BYMINUTE=1,2,3,4,5,6,7,8"),),
            "its clocks are changed too often",
        ),
        (
            (
                ("DTSTART:20260329T020000", *ONSET[1:]),
                ("DTSTART:20260330T020000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200"),
            ),
            "its clocks are changed again within two days",
        ),
    ],
)
def test_a_definition_that_can_t_be_used_says_why(
    observances: tuple[tuple[str, ...], ...], sentence: str
) -> None:
    with pytest.raises(MalformedValueError, match=sentence):
        regimes(definition(*observances))


def test_a_definition_is_found_by_its_exact_name_and_read_once() -> None:
    zones = Zones([definition(ONSET)])
    assert zones.find("Own") is zones.find("Own") is not None
    assert zones.find("own") is None


def test_a_definition_of_a_zone_that_is_known_is_never_looked_at() -> None:
    zones = Zones([definition(name="Europe/Berlin"), definition(ONSET, name="Europe/Berlin")])
    assert zones.find("Europe/Berlin") is zone("Europe/Berlin")


def test_a_definition_that_can_t_be_used_matters_only_where_it_is_named() -> None:
    zones = Zones([definition(name="Bad"), definition(ONSET)])
    assert zones.find("Own") is not None
    with pytest.raises(MalformedValueError, match="the time zone Bad can't be used: it has neither STANDARD"):
        zones.find("Bad")
