"""A denied deploy counts as waiting for exactly 14 days."""

import pytest

from app.core.instant import DAY
from app.core.waits import PATIENCE, Waiting, Waits, WaitTally

START = 1_795_784_700
REQUEST = ("api", "production", "normal")


class Queue:
    """The waits of one request, counted over a period."""

    def __init__(self, days: int = 100) -> None:
        self._tally = WaitTally((START, START + days * DAY))
        self._waiting = Waiting()
        self._seq = 0

    def denied(self, at: int, *policies: str) -> None:
        self._seq += 1
        self._waiting.denied(self._seq, at, REQUEST, frozenset(policies))

    def allowed(self, at: int) -> None:
        self._waiting.allowed(at, REQUEST)

    def finish(self, now: int) -> tuple[Waits, dict[str, Waits]]:
        self._tally.take(wait for _, wait in self._waiting.changed.values())
        return self._tally.finish(now)


def queue() -> Queue:
    made = Queue()
    made.denied(START, "friday")
    return made


def test_patience_is_14_days() -> None:
    assert PATIENCE == 14 * 86_400


@pytest.mark.parametrize(("seconds", "came_back"), [(0, True), (1, False)])
def test_an_allow_ends_the_wait_up_to_14_days_after_it_began(seconds: int, *, came_back: bool) -> None:
    made = queue()
    made.allowed(START + PATIENCE + seconds)
    waits, of_policies = made.finish(START + 90 * DAY)
    expected = (1, PATIENCE, PATIENCE, 0, 0) if came_back else (0, None, None, 1, 0)
    assert waits == of_policies["friday"] == expected


@pytest.mark.parametrize(
    ("seconds", "length", "never"), [(0, PATIENCE, 0), (1, 0, 1)], ids=["same wait", "another wait"]
)
def test_a_denial_after_more_than_14_days_begins_another_wait(seconds: int, length: int, never: int) -> None:
    made = queue()
    again = START + PATIENCE + seconds
    made.denied(again, "friday")
    made.allowed(again)
    waits, _ = made.finish(START + 90 * DAY)
    assert (waits.ended, waits.median, waits.never) == (1, length, never)


@pytest.mark.parametrize(("seconds", "counted"), [(0, (0, 1)), (1, (1, 0))])
def test_it_may_still_come_back_for_14_days(seconds: int, counted: tuple[int, int]) -> None:
    waits, _ = queue().finish(START + PATIENCE + seconds)
    assert (waits.never, waits.waiting) == counted


@pytest.mark.parametrize(
    ("at", "counted"), [(START - 1, 0), (START, 1), (START + DAY - 1, 1), (START + DAY, 0)]
)
def test_waits_that_begin_in_the_period_are_counted(at: int, counted: int) -> None:
    made = Queue(days=1)
    made.denied(at)
    made.allowed(at + 60)
    assert made.finish(START + 90 * DAY)[0].ended == counted


def test_every_policy_that_denied_it_meanwhile_is_waited_for() -> None:
    made = queue()
    made.denied(START + 9, "friday")
    made.denied(START + 10, "month-end")
    made.allowed(START + 60)
    _, of_policies = made.finish(START + DAY)
    assert {name: waits.median for name, waits in of_policies.items()} == {"friday": 60, "month-end": 60}


def test_a_wait_takes_no_time_where_a_clock_went_back() -> None:
    made = queue()
    made.allowed(START - 60)
    assert made.finish(START)[0] == (1, 0, 0, 0, 0)
