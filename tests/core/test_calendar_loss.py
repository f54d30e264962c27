"""What counts as an event that a calendar has lost."""

import pytest

from app.core.calendar_loss import Loss, loss
from app.core.windows.icalendar import ComingEvent


def events(*written: str) -> list[ComingEvent]:
    """Events such as ``a5``: the UID and the hour of the start."""
    return [ComingEvent(each[0], (int(each[1:]), int(each[1:]) + 1)) for each in written]


@pytest.mark.parametrize(
    ("before", "after", "expected", "size"),
    [
        ("", "", (0, 0), "small"),
        ("", "a1 b2", (0, 0), "small"),
        ("a1 b2", "a1 b2 c3", (0, 2), "small"),
        ("a1 b2", "a1", (1, 2), "large"),
        ("a1 b2 c3", "a1", (2, 3), "large"),
        ("a1", "", (1, 1), "large"),
        ("a1 b2", "", (2, 2), "large"),
        ("a1 b2", "a5 b6", (0, 2), "small"),  # moved
        ("a1 a2 a3 a4", "a1", (3, 4), "large"),  # a series that was cut short
        ("a1 a2 a3 a4", "a5 a6 a7 a8", (0, 4), "small"),
        ("a1 b2", "x1 y2", (0, 2), "small"),  # exported anew, with other UIDs
        ("a1 b2 c3", "x7 y8 z9", (3, 3), "large"),  # another calendar
        ("a1 b2 c3 d4", "x1 b9", (2, 4), "large"),
    ],
)
def test_a_loss_is_what_has_no_counterpart(
    before: str, after: str, expected: tuple[int, int], size: str
) -> None:
    found = loss(events(*before.split()), events(*after.split()))
    assert found == Loss(*expected)
    assert found.is_large is (size == "large")


def test_a_loss_is_said_in_words() -> None:
    assert Loss(1, 1).words == "its only coming event"
    assert Loss(2, 2).words == "all of its 2 coming events"
    assert Loss(1_200, 1_300).words == "1,200 of its 1,300 coming events"
