"""The period of decisions that are counted: 90 days up to this minute, unless something else is asked for."""

import pytest

from app.core.errors import MalformedValueError
from app.core.instant import DAY, EARLIEST, parse_instant
from app.core.record_period import record_period

MINUTE = parse_instant("2026-11-29T20:01:00Z")
NOW = MINUTE - 42


def test_it_is_the_last_90_days_up_to_the_end_of_this_minute() -> None:
    assert record_period(NOW) == (MINUTE - 90 * DAY, MINUTE)
    assert record_period(MINUTE) == (MINUTE - 90 * DAY, MINUTE)
    assert record_period(NOW, NOW - 1) == (NOW - 1, MINUTE)
    assert record_period(NOW, None, NOW) == (NOW - 90 * DAY, NOW)
    assert record_period(NOW, None, EARLIEST + 1) == (EARLIEST, EARLIEST + 1)


def test_it_is_not_empty_and_at_most_366_days_long() -> None:
    assert record_period(NOW, NOW - 366 * DAY) == (NOW - 366 * DAY, MINUTE)
    for start, end in ((NOW - 366 * DAY - 1, None), (NOW, None), (NOW, NOW), (NOW, NOW + 366 * DAY + 1)):
        with pytest.raises(MalformedValueError, match="by 366 days at most"):
            record_period(NOW, start, end)
