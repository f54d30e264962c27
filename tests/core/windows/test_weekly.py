"""Weekly windows of every second, third, … week: which weeks count, and which window covers another."""

from datetime import date, timedelta
from itertools import pairwise, product
from typing import Any

from app.core.instant import DAY, parse_instant
from app.core.interval import Interval, clip, normalise, subtract
from app.core.wallclock import Wall, calendar_date, local_day, zone
from app.core.windows.weekly import Weekly

SPAN = parse_instant("2027-01-01T00:00:00Z"), parse_instant("2028-01-01T00:00:00Z")
BOUNDS = ("mon 00:00", "mon 06:00", "thu 12:00", "sun 20:00")


def weekly(start: str, end: str, every: int = 1, starting: str = "2027-01-08") -> Weekly:
    counted: dict[str, Any] = {"every": every, "starting": starting} if every > 1 else {}
    return Weekly.model_validate({"from": start, "to": end, **counted})


def opens(window: Weekly) -> list[Interval]:
    wall = Wall.of(zone("Europe/Amsterdam"), wide=True)
    return clip(normalise(window.intervals(SPAN, wall)), SPAN)


def test_weeks_are_counted_in_both_directions() -> None:
    found = opens(weekly("fri 14:00", "mon 08:00", 2, "2090-01-06"))
    starts = [calendar_date(start // DAY) for start, _ in found]
    assert starts[0] in (date(2027, 1, 1), date(2027, 1, 8))
    assert (date(2090, 1, 6) - starts[0]).days % 14 == 0
    assert {later - day for day, later in pairwise(starts)} == {timedelta(days=14)}


def test_a_pattern_of_the_week_is_only_there_if_all_weeks_are_alike() -> None:
    assert weekly("fri 14:00", "mon 08:00").week() == [(4 * DAY + 50_400, 7 * DAY + 28_800)]
    assert weekly("fri 14:00", "mon 08:00", 2).week() is None


def test_the_first_opening_from_a_day_on_is_that_day_or_a_later_one() -> None:
    window = weekly("fri 14:00", "mon 08:00", 2)
    counted = local_day(date(2027, 1, 8))
    assert window.first_after(counted) == counted
    assert window.first_after(counted + 1) == counted + 14
    assert window.first_after(counted - 13) == counted
    assert window.first_after(counted - 14) == counted - 14
    assert weekly("fri 14:00", "mon 08:00").first_after(counted + 1) == counted + 7


def test_one_that_is_said_to_cover_another_is_open_whenever_that_is() -> None:
    windows = [
        weekly(start, end, every, starting)
        for start, end in product(BOUNDS, BOUNDS)
        for every, starting in ((1, ""), (2, "2027-01-08"), (2, "2027-01-11"), (4, "2027-01-15"))
    ]
    spans = {window: opens(window) for window in windows}
    covered = 0
    for outer, inner in product(windows, windows):
        if outer.covers(inner):
            assert not subtract(spans[inner], spans[outer]), (outer, inner)
            covered += outer != inner
    assert covered > 300


def test_a_window_covers_the_shorter_ones_of_its_weeks() -> None:
    weekend = weekly("fri 14:00", "tue 08:00", 2)
    assert weekly("fri 14:00", "tue 08:00").covers(weekend)
    assert not weekend.covers(weekly("fri 14:00", "tue 08:00"))
    assert weekend.covers(weekly("sat 00:00", "sun 00:00", 4))
    assert not weekend.covers(weekly("sat 00:00", "sun 00:00", 3))
    assert not weekend.covers(weekly("sat 00:00", "sun 00:00", 2, "2027-01-15"))
    assert weekend.covers(weekly("mon 00:00", "mon 12:00", 2, "2027-01-11"))
    assert not weekend.covers(weekly("mon 00:00", "mon 12:00", 2, "2027-01-04"))


def test_it_says_which_weeks_count() -> None:
    assert weekly("fri 14:00", "mon 08:00", 2).words() == (
        "every 2 weeks from Friday 14:00 to Monday 08:00, counted from the week of 8 Jan 2027"
    )
