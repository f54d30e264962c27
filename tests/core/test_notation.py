import pytest

from app.core.errors import MalformedValueError
from app.core.instant import DAY, HOUR
from app.core.notation import parse_duration, waiting_roughly


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2w", 14 * DAY), ("1w2d3h", 9 * DAY + 3 * HOUR), ("P2W", 14 * DAY), ("52w", 364 * DAY), ("0w", 0)],
)
def test_weeks_are_seven_days(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["2W", "w", "2d1w", "PT2W", "P", "53w", "1.5w"])
def test_a_malformed_duration_is_refused(text: str) -> None:
    with pytest.raises(MalformedValueError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3_600, "1 h"),
        (DAY - 60, "23 h 59 min"),
        (DAY, "1 d"),
        (DAY + 1, "1 d 1 h"),
        (2 * DAY + 17 * HOUR + 1, "2 d 18 h"),
        (2 * DAY - 1, "2 d"),
    ],
)
def test_roughly_means_no_minutes_from_a_day_on(seconds: int, said: str) -> None:
    assert waiting_roughly(seconds) == said
