"""The state of a calendar by URL, in words and as JSON; its URL is in neither."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from app.core.calendar_loss import Loss
from app.core.decision_json import instant_or_none
from app.core.instant import HOUR, format_instant
from app.core.notation import waiting_time
from app.policies.calendars.kept import Kept

OLD_AFTER: Final = 2 * HOUR
"""Seconds after which a calendar that could not be checked is called old: eight fetches have failed."""


class Pending(NamedTuple):
    """A text that is not taken yet, because it has lost half of the coming events or more."""

    text: str
    seen_at: int
    loss: Loss


class CalendarState(NamedTuple):
    """The state of a calendar by URL."""

    name: str
    address: str
    """The host and a short hash of the URL."""
    kept: Kept | None
    failure: str | None
    """Why the last fetch failed; None if it didn't."""
    failing_since: int | None
    pending: Pending | None
    disk_failure: str | None
    """Why it could not be kept on disk."""

    def age(self, now: int) -> int | None:
        """Return the seconds since its server last said that it is current; None if it was never loaded."""
        return None if self.kept is None else max(0, now - self.kept.checked_at)


def to_json(state: CalendarState, now: int) -> dict[str, Any]:
    """Return the JSON representation of a calendar, for `/status`."""
    kept, pending = state.kept, state.pending
    return {
        "name": state.name,
        "address": state.address,
        "loaded": kept is not None,
        "fetched_at": kept and format_instant(kept.fetched_at),
        "checked_at": kept and format_instant(kept.checked_at),
        "age_s": state.age(now),
        "failure": state.failure,
        "failing_since": instant_or_none(state.failing_since),
        "held_back": pending and {"seen_at": format_instant(pending.seen_at), **pending.loss._asdict()},
    }


def warnings(states: Sequence[CalendarState], now: int) -> Iterator[str]:
    """Yield a sentence for each thing about calendars that needs attention."""
    for state in states:
        yield from (f"The calendar {state.name} {sentence}" for sentence in _warnings(state, now))


def _warnings(state: CalendarState, now: int) -> Iterator[str]:
    age, pending = state.age(now), state.pending
    why = f": {state.failure}" if state.failure else ""
    if age is None:
        yield f"was never loaded{why}. A policy that requires it freezes at all times; others see no events."
    elif age >= OLD_AFTER:
        yield f"was last checked {waiting_time(age)} ago{why}. Its events stay in force."
    if pending is not None:
        seen_at = format_instant(pending.seen_at)
        yield f"has lost {pending.loss.words} at {seen_at}. They stay in force until a second fetch agrees."
    if state.disk_failure is not None:
        yield f"can't be kept on disk: {state.disk_failure}. After a restart it counts as never loaded."
