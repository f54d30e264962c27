"""The period of a comparison: this minute and 60 days, unless something else is asked for."""

import pytest

from app.core.diff.period import diff_period
from app.core.errors import MalformedValueError
from app.core.instant import DAY, LATEST, parse_instant

MINUTE = parse_instant("2026-11-29T20:00:00Z")
NOW = MINUTE + 42


def test_it_is_the_coming_60_days_from_this_minute_on() -> None:
    assert diff_period(NOW) == (MINUTE, MINUTE + 60 * DAY)
    assert diff_period(NOW, NOW + 1) == (NOW + 1, NOW + 1 + 60 * DAY)
    assert diff_period(NOW, None, NOW + 1) == (MINUTE, NOW + 1)


def test_it_ends_where_instants_end() -> None:
    assert diff_period(NOW, LATEST - DAY) == (LATEST - DAY, LATEST)


def test_it_is_not_empty_and_at_most_366_days_long() -> None:
    assert diff_period(NOW, NOW, NOW + 366 * DAY) == (NOW, NOW + 366 * DAY)
    for end in (NOW + 366 * DAY + 1, NOW, NOW - 1):
        with pytest.raises(MalformedValueError, match="after its start, by 366 days at most"):
            diff_period(NOW, NOW, end)
    with pytest.raises(MalformedValueError):
        diff_period(NOW, LATEST)
