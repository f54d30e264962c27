import pytest

from app.core.errors import MalformedValueError, OutOfRangeError
from app.core.instant import format_instant
from app.core.wallclock import zone
from app.policies.moment import parse_moment

AMSTERDAM = zone("Europe/Amsterdam")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-27 14:00", "2026-11-27T13:00:00Z"),
        ("2026-11-27T14:00:30", "2026-11-27T13:00:30Z"),
        ("2026-07-01 14:00", "2026-07-01T12:00:00Z"),
        ("2026-11-27T14:00:00+01:00", "2026-11-27T13:00:00Z"),
        ("2026-11-27 14:00-05:30", "2026-11-27T19:30:00Z"),
        ("2026-11-27T14:00Z", "2026-11-27T14:00:00Z"),
        ("2026-10-25 02:30+02:00", "2026-10-25T00:30:00Z"),
        ("2026-10-25 02:30+01:00", "2026-10-25T01:30:00Z"),
        ("2000-01-01 01:00", "2000-01-01T00:00:00Z"),
        ("2101-01-01 00:59:59", "2100-12-31T23:59:59Z"),
    ],
)
def test_a_moment_is_local_time_or_carries_its_offset(text: str, instant: str) -> None:
    assert format_instant(parse_moment(text, AMSTERDAM)) == instant


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "2026-11-27",
            "14:00",
            "27-11-2026 14:00",
            "2026-11-27 14",
            "2026-11-27 24:00",
            "2026-11-27 14:60",
        ),
        *(
            "2026-11-27 14:00 CET",
            "2026-11-27 14:00+1",
            "2026-11-27 14:00+24:00",
            " 2026-11-27 14:00",
            "٢٠٢٦-11-27 14:00",
        ),
        *(
            "2026-11-31 14:00",
            "2027-02-29 14:00",
            "0000-01-01 00:00",
            "2026-11-27  14:00",
            "2026-11-27 14:00\n",
        ),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(MalformedValueError):
        parse_moment(text, AMSTERDAM)


@pytest.mark.parametrize(
    ("text", "word"), [("2027-03-28 02:00", "does not exist"), ("2026-10-25 02:59:59", "occurs twice")]
)
def test_a_local_time_that_is_not_one_instant_wants_an_offset(text: str, word: str) -> None:
    with pytest.raises(MalformedValueError, match=word):
        parse_moment(text, AMSTERDAM)


@pytest.mark.parametrize(
    "text", ["2000-01-01 00:59:59", "2101-01-01 01:00", "0001-01-01 00:00", "9999-12-31 23:59"]
)
def test_an_instant_outside_of_the_years_that_are_answered_is_refused(text: str) -> None:
    with pytest.raises(OutOfRangeError):
        parse_moment(text, AMSTERDAM)
