from datetime import datetime

import pytest

from app.core.errors import MalformedValueError
from app.core.instant import DAY, EARLIEST, HOUR, LATEST, parse_instant
from app.core.wallclock import Zone, local_day, weekday, zone, zone_names


def local(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return local_day(moment.date()) * DAY + moment.hour * HOUR + moment.minute * 60


@pytest.mark.parametrize("shard", range(4))
def test_the_regimes_of_every_zone_agree_with_zoneinfo(shard: int) -> None:
    for name in sorted(zone_names())[shard::4]:
        table = Zone(name)
        for instant in range(EARLIEST - 300 * DAY, LATEST + 300 * DAY, 9 * DAY + 7 * HOUR):
            expected = datetime.fromtimestamp(instant, table.info).utcoffset()
            assert expected is not None
            assert table.offset(instant) == expected.total_seconds(), (name, instant)


def test_a_time_that_occurs_twice_has_an_earliest_and_a_latest_instant() -> None:
    amsterdam = zone("Europe/Amsterdam")
    twice = local("2026-10-25T02:30")
    assert amsterdam.earliest(twice) == parse_instant("2026-10-25T00:30:00Z")
    assert amsterdam.latest(twice) == parse_instant("2026-10-25T01:30:00Z")
    assert len(amsterdam.all(twice)) == 2


def test_a_time_that_is_skipped_is_the_first_instant_after_the_gap() -> None:
    amsterdam = zone("Europe/Amsterdam")
    for text in ("2026-03-29T02:00", "2026-03-29T02:59"):
        assert amsterdam.all(local(text)) == (parse_instant("2026-03-29T01:00:00Z"),)


def test_the_day_that_samoa_skipped_is_the_instant_after_it() -> None:
    apia = zone("Pacific/Apia")
    for text in ("2011-12-30T00:00", "2011-12-30T23:59", "2011-12-31T00:00"):
        assert apia.all(local(text)) == (parse_instant("2011-12-30T10:00:00Z"),)


def test_lord_howe_moves_by_half_an_hour() -> None:
    island = zone("Australia/Lord_Howe")
    assert island.all(local("2026-10-04T02:15")) == (parse_instant("2026-10-03T15:30:00Z"),)
    assert len(island.all(local("2026-04-05T01:45"))) == 2


@pytest.mark.parametrize(
    "name", ["localtime", "posixrules", "right/UTC", "europe/amsterdam", "America", "", "../etc", "Factory"]
)
def test_an_unknown_zone_name_is_refused(name: str) -> None:
    with pytest.raises(MalformedValueError):
        zone(name)


def test_weekdays_are_counted_from_monday() -> None:
    assert weekday(local("2026-11-27T00:00") // DAY) == 4


def test_the_instants_at_which_a_clock_is_set_back() -> None:
    amsterdam = zone("Europe/Amsterdam")
    back = parse_instant("2026-10-25T01:00:00Z")
    assert amsterdam.setbacks(
        parse_instant("2026-01-01T00:00:00Z"), parse_instant("2027-01-01T00:00:00Z")
    ) == [back]
    assert amsterdam.setbacks(back - 1, back + 1) == [back]
    assert amsterdam.setbacks(back, back + DAY) == []
    assert amsterdam.setbacks(back - DAY, back) == []
    assert zone("UTC").setbacks(EARLIEST, LATEST) == []


def test_the_local_times_that_a_clock_skips() -> None:
    amsterdam = zone("Europe/Amsterdam")
    forward = parse_instant("2027-03-28T01:00:00Z")
    gap = (local("2027-03-28T02:00"), local("2027-03-28T03:00"))
    assert amsterdam.skipped(
        parse_instant("2027-01-01T00:00:00Z"), parse_instant("2028-01-01T00:00:00Z")
    ) == [gap]
    assert amsterdam.skipped(forward - 1, forward + 1) == [gap]
    assert amsterdam.skipped(forward, forward + DAY) == []
    assert zone("UTC").skipped(EARLIEST, LATEST) == []


@pytest.mark.parametrize("name", ["America/Vancouver", "America/Edmonton", "America/Winnipeg"])
def test_a_zone_that_only_changes_its_name_does_not_move_its_clock(name: str) -> None:
    # On 2026-11-01 name and DST flag change there, and the offset does not (tzdata 2026b to 2026f).
    before, after = parse_instant("2026-09-01T00:00:00Z"), parse_instant("2027-09-01T00:00:00Z")
    assert zone(name).setbacks(before, after) == []
    assert zone(name).offset(before) == zone(name).offset(after)
