"""Those who were denied, and wait until what they asked for would be allowed.

Each waits for exactly that: the service, the kind of change, and as many seconds as the deploy takes;
whatever it was that vetoed, at once or in the course of it.
"""

import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from app.core.decision import Question
from app.core.engine import Engine
from app.core.errors import UnknownNameError
from app.core.instant import DAY, LATEST
from app.core.notification import one_line
from app.store.records import Denial

MOST_WAITING: Final = 200
"""Different questions that wait in one environment; who asks others is counted with the environment."""

WAITED_FOR: Final = 90 * DAY
"""Seconds after which nobody waits any more, or the places would fill with services that are no more."""

_MOST_KNOWN: Final = 5
"""Names that are kept of those who asked the same; the rest are counted."""

_LONGEST_NAME: Final = 100
_MOST_REMEMBERED: Final = 4_096


class Waiting(NamedTuple):
    """Those who asked the same and were denied."""

    service: str
    """Empty: whatever nothing singles out."""
    change: str
    duration: int
    at: int
    """When the last of them was denied, in seconds."""
    who: tuple[str, ...]
    """Each name once; empty for an anonymous one."""
    more: int
    """Claims beside those."""

    def joined_by(self, denial: Denial) -> "Waiting":
        """With one more, who is named if there is room, and counted otherwise."""
        at, name = max(self.at, denial.at), one_line(denial.who, _LONGEST_NAME)
        if not self.service or (name not in self.who and len(self.who) >= _MOST_KNOWN):
            return self._replace(at=at, more=self.more + 1)
        return self._replace(at=at, who=tuple(dict.fromkeys((*self.who, name))))


class Openings:
    """When questions would be allowed, by one engine."""

    def __init__(self, engine: Engine) -> None:
        """Ask `engine`, and remember what it says: those who wait are looked at every second."""
        self.engine = engine
        self._known: dict[Question, tuple[int, int]] = {}

    def after(self, asked: Question, at: int) -> int:
        """The first instant from `at` on at which it would be allowed; `LATEST` if nobody knows."""
        since, opens = self._known.get(asked, (at, at))
        if since <= at < opens:
            return opens
        opens = self._find(asked, at)
        if opens > at:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[asked] = (at, opens)
        return opens

    def _find(self, asked: Question, at: int) -> int:
        try:
            if asked.service:
                scope = self.engine.scope(asked.service, asked.environment, asked.change)
            else:
                scope = self.engine.environment(asked.environment)
        except UnknownNameError:
            # The policies of now refuse it altogether.
            return LATEST
        decision = scope.decide(asked, at)
        return at if decision.allowed else decision.opens_at or LATEST


class DeniedQueue:
    """Those who wait in one environment, while somebody goes along the time."""

    def __init__(self, openings: Openings, environment: str, known: Iterable[Waiting], since: int) -> None:
        """Begin with those who are `known`, and were told nothing up to `since`."""
        self._openings = openings
        self._environment = environment
        self._others = Question("", environment, openings.engine.policy_set.usual_change)
        self._waiting: dict[Question, Waiting] = {}
        self._opens: dict[Question, int] = {}
        for each in known:
            asked = Question(each.service, environment, each.change, each.duration)
            self._waiting[asked] = each
            self._opens[asked] = openings.after(asked, max(since, each.at))

    @property
    def opens_at(self) -> int:
        """When the next of them would be allowed; `LATEST` if nobody knows when."""
        return min(self._opens.values(), default=LATEST)

    def enter(self, denial: Denial) -> None:
        """Let somebody wait who was denied; not whose denial these policies know nothing of."""
        asked, by_freeze = _read(denial, self._environment)
        opens = self._openings.after(asked, denial.at)
        # A freeze may have been lifted within that second. Policies only differ where a replica is
        # behind, or ahead: what it denies is not open there.
        if opens == denial.at and not by_freeze:
            return
        if asked not in self._waiting and len(self._waiting) >= MOST_WAITING:
            asked = self._others
            opens = self._openings.after(asked, denial.at)
            if opens == denial.at:
                return
        fresh = Waiting(asked.service, asked.change, asked.duration, denial.at, (), 0)
        self._waiting[asked] = self._waiting.get(asked, fresh).joined_by(denial)
        self._opens[asked] = opens

    def pop_open(self) -> list[Waiting]:
        """Let go of the next who would be allowed; all of them at one instant."""
        at = self.opens_at
        free = [asked for asked, opens in self._opens.items() if opens == at]
        for asked in free:
            del self._opens[asked]
        return [self._waiting.pop(asked) for asked in free]

    def remaining(self, at: int) -> tuple[Waiting, ...]:
        """Those who still wait, and have not done so for too long."""
        return tuple(each for each in self._waiting.values() if each.at > at - WAITED_FOR)


def read_waiting(written: list[Any]) -> Waiting:
    """Those who wait, as JSON has kept them."""
    service, change, duration, at, who, more = written
    return Waiting(service, change, duration, at, tuple(who), more)


def _read(denial: Denial, environment: str) -> tuple[Question, bool]:
    """What was asked, and whether a freeze was among what vetoed."""
    answer: dict[str, Any] = json.loads(denial.data)["answer"]
    asked = Question(denial.service, environment, answer["change"], answer["duration_s"])
    return asked, any(each["kind"] == "freeze" for each in answer["blocking"])
