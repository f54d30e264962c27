import pytest

from app.core.errors import MalformedValueError
from app.core.instant import DAY, HOUR
from app.core.notation import parse_duration


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
