"""The queue of denied requests: each waits until the same request would be allowed.

A request is the service, the kind of change and the duration of the deploy in seconds. It doesn't matter
which rule vetoed it, or whether that rule blocked at the start or later during the deploy.
"""

import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from app.core.decision import Question
from app.core.decision_json import recorded_question
from app.core.engine import Engine
from app.core.errors import TooManyRulesError, UnknownNameError
from app.core.instant import DAY, LATEST
from app.core.notification import one_line
from app.store.records import Denial

MOST_WAITING: Final = 200
"""Different questions that wait in one environment; further ones are counted with the environment itself."""

MOST_SERVICES: Final = 20
"""Services of a deploy that waits by itself; one of more is counted with the environment itself, too."""

WAITED_FOR: Final = 90 * DAY
"""Seconds after which a request is dropped; otherwise removed services would fill the queue."""

_MOST_KNOWN: Final = 5
"""Names that are kept of the callers of one question; the rest are counted."""

_LONGEST_NAME: Final = 100
_MOST_REMEMBERED: Final = 4_096


class Waiting(NamedTuple):
    """The callers who asked the same question and were denied."""

    service: str
    """Empty: the environment itself, a service that no selector singles out."""
    change: str
    duration: int
    at: int
    """The instant of the latest denial, in seconds."""
    who: tuple[str, ...]
    """Each name once; empty for an anonymous caller."""
    more: int
    """The number of further claims, without a name."""
    services: tuple[str, ...] = ()
    """The services of a deploy of several."""

    def joined_by(self, denial: Denial) -> "Waiting":
        """Return a copy with one more denial: named if there is room, counted otherwise."""
        at, name = max(self.at, denial.at), one_line(denial.who, _LONGEST_NAME)
        if not self.service or (name not in self.who and len(self.who) >= _MOST_KNOWN):
            return self._replace(at=at, more=self.more + 1)
        return self._replace(at=at, who=tuple(dict.fromkeys((*self.who, name))))


class Openings:
    """The instants at which questions would be allowed, by one engine."""

    def __init__(self, engine: Engine) -> None:
        """Ask `engine` and remember its answers: the queue is read every second."""
        self.engine = engine
        self._known: dict[Question, tuple[int, int]] = {}

    def after(self, asked: Question, at: int) -> int:
        """Return the first instant from `at` on at which it would be allowed; `LATEST` if unknown."""
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
            scope = (
                self.engine.scope_of(asked) if asked.service else self.engine.environment(asked.environment)
            )
        except (UnknownNameError, TooManyRulesError):
            # The present policies no longer know its names, or take no claim for so many services.
            return LATEST
        decision = scope.decide(asked, at)
        return at if decision.allowed else decision.opens_at or LATEST


class DeniedQueue:
    """The denied requests of one environment, while a scan advances through time."""

    def __init__(self, openings: Openings, environment: str, known: Iterable[Waiting], since: int) -> None:
        """Begin with the requests that are `known` and were still waiting at `since`."""
        self._openings = openings
        self._environment = environment
        self._others = Question("", environment, openings.engine.policy_set.usual_change)
        self._waiting: dict[Question, Waiting] = {}
        self._opens: dict[Question, int] = {}
        for each in known:
            asked = Question(each.service, environment, each.change, each.duration, each.services)
            self._waiting[asked] = each
            self._opens[asked] = openings.after(asked, max(since, each.at))

    @property
    def opens_at(self) -> int:
        """The instant at which the next of them would be allowed; `LATEST` if unknown."""
        return min(self._opens.values(), default=LATEST)

    def enter(self, denial: Denial) -> None:
        """Add a denied request, unless these policies would have allowed it."""
        asked, by_freeze = _read(denial, self._environment)
        opens = self._openings.after(asked, denial.at)
        # A freeze may have been lifted within that second. Without a freeze, the policies differ: another
        # replica, behind or ahead, denied it, and what is open here is not open there.
        if opens == denial.at and not by_freeze:
            return
        if not self._has_room(asked):
            asked = self._others
            opens = self._openings.after(asked, denial.at)
            if opens == denial.at:
                return
        fresh = Waiting(asked.service, asked.change, asked.duration, denial.at, (), 0, asked.services)
        self._waiting[asked] = self._waiting.get(asked, fresh).joined_by(denial)
        self._opens[asked] = opens

    def _has_room(self, asked: Question) -> bool:
        """Return whether a question may wait by itself: the queue is written every second."""
        if asked in self._waiting:
            return True
        return len(self._waiting) < MOST_WAITING and len(asked.services) <= MOST_SERVICES

    def pop_open(self) -> list[Waiting]:
        """Remove and return the next requests to be allowed: all that open at the same instant."""
        at = self.opens_at
        free = [asked for asked, opens in self._opens.items() if opens == at]
        for asked in free:
            del self._opens[asked]
        return [self._waiting.pop(asked) for asked in free]

    def remaining(self, at: int) -> tuple[Waiting, ...]:
        """Return the requests that still wait, without those older than `WAITED_FOR`."""
        return tuple(each for each in self._waiting.values() if each.at > at - WAITED_FOR)


def read_waiting(written: list[Any]) -> Waiting:
    """Parse a waiting request from the list that JSON has kept."""
    service, change, duration, at, who, more, *services = written
    return Waiting(service, change, duration, at, tuple(who), more, tuple(*services))


def _read(denial: Denial, environment: str) -> tuple[Question, bool]:
    """Return the question of a denial, and whether a freeze was among the blocking rules."""
    answer: dict[str, Any] = json.loads(denial.data)["answer"]
    asked = recorded_question(answer)._replace(environment=environment)
    return asked, any(each["kind"] == "freeze" for each in answer["blocking"])
