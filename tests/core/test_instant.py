"""Instants as they are written."""

import pytest

from app.core.errors import MalformedValueError
from app.core.instant import parse_instant


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-27T14:00:60Z", "2026-11-27T25:00:00Z", "2026-11-27T14:60:00Z"),
        *("2026-02-30T14:00:00Z", "2026-13-01T14:00:00Z", "0000-01-01T00:00:00Z"),
    ],
)
def test_a_day_or_time_that_does_not_exist_gets_an_error_of_our_own(text: str) -> None:
    with pytest.raises(MalformedValueError) as caught:
        parse_instant(text)
    assert str(caught.value) == "there is no such day in the calendar, or no such time in a day"
