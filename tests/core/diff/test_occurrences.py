"""Times that recur are named once."""

import pytest

from app.core.diff import Hours
from app.core.diff.occurrences import occurrences
from app.core.instant import DAY, HOUR, parse_instant
from app.core.wallclock import zone

MONDAY = parse_instant("2026-11-29T23:00:00Z")
HOME = zone("Europe/Amsterdam")


def words(days: list[int], start: int, length: int) -> list[tuple[str, int]]:
    found = [
        Hours(
            MONDAY + day * DAY + start * HOUR, MONDAY + day * DAY + (start + length) * HOUR, True, ("a",), ()
        )
        for day in days
    ]
    return [(each.words, each.times) for each in occurrences(found, HOME)]


@pytest.mark.parametrize(
    ("days", "start", "length", "expected"),
    [
        ([4, 11], 14, 1, "Fri 14:00 to 15:00"),
        ([0, 1], 9, 2, "Mon, Tue 09:00 to 11:00"),
        ([0, 1, 2, 3], 9, 2, "Mon to Thu 09:00 to 11:00"),
        ([0, 2, 4], 9, 2, "Mon, Wed, Fri 09:00 to 11:00"),
        ([*range(7)], 12, 1, "daily 12:00 to 13:00"),
        ([4, 11], 14, 66, "Fri 14:00 to Mon 08:00"),
        ([0, 1], 22, 8, "Mon, Tue 22:00 to 06:00 the next day"),
        ([0, 1], 22, 50, "Mon, Tue 22:00 to 24:00 2 days later"),
        ([0, 7], 0, 24, "Mon 00:00 to 24:00"),
    ],
)
def test_stretches_of_the_same_times_are_one(days: list[int], start: int, length: int, expected: str) -> None:
    assert words(days, start, length) == [(expected, len(days))]


def test_other_times_are_others_in_their_order() -> None:
    first, second = words([0], 9, 1), words([1], 10, 1)
    both = [
        Hours(MONDAY + 9 * HOUR, MONDAY + 10 * HOUR, True, ("a",), ()),
        Hours(MONDAY + DAY + 10 * HOUR, MONDAY + DAY + 11 * HOUR, True, ("a",), ()),
        Hours(MONDAY + 7 * DAY + 9 * HOUR, MONDAY + 7 * DAY + 10 * HOUR, False, (), ("a",)),
    ]
    found = occurrences(both, HOME)
    assert [(each.words, each.opens) for each in found] == [
        (first[0][0], True),
        (second[0][0], True),
        (first[0][0], False),
    ]
