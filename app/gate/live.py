"""Live events: found once by each replica, and sent to all of its subscribers.

Decisions, freezes and overrides come from the record, so they include those of other replicas. The state
of the environments is read separately, because it changes with time alone.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.clock import Clock
from app.core.audit import Link
from app.core.instant import format_instant
from app.gate.audit_events import Kind
from app.gate.errors import StoreUnavailableError
from app.gate.in_force import Policies
from app.gate.status import environments
from app.gate.store_cache import StoreCache

if TYPE_CHECKING:
    from app.store.store import Store

MOST_SENT: Final = 25
"""Events sent at one look; of more, the oldest are left out, and a `missed` event gives their number."""

MOST_REPLAYED: Final = 100
"""Events replayed to a subscriber that reconnects; ``/decisions`` has earlier ones."""

_FAMILIES: Final[Mapping[str, str]] = {
    Kind.DECISION: "decision",
    Kind.OVERRIDE_GRANTED: "override",
    Kind.OVERRIDE_APPROVED: "override",
    Kind.OVERRIDE_SPENT: "override",
    Kind.OVERRIDE_REVOKED: "override",
    Kind.FREEZE_STARTED: "freeze",
    Kind.FREEZE_EXTENDED: "freeze",
    Kind.FREEZE_CHANGED: "freeze",
    Kind.FREEZE_LIFTED: "freeze",
    Kind.HOLD_REQUESTED: "hold",
    Kind.HOLD_RELEASED: "hold",
    Kind.HOLD_RETURNED: "hold",
    Kind.HOLD_ANSWERED: "hold",
    Kind.HOLD_CANCELLED: "hold",
    Kind.HOLD_EXPIRED: "hold",
    Kind.OUTCOME_REPORTED: "outcome",
    Kind.POLICIES_LOADED: "policies",
}
"""The events that are sent, by the name of each; keys, sessions and refusals are admin-only."""

_DECISION: Final = (
    "decision_id", "at", "outcome", "service", "environment", "change", "message", "blocking", "warnings",
)  # fmt: skip

_OF_SEVERAL: Final = ("services", "parts")
"""Members of the decisions on several services alone."""


class News(NamedTuple):
    """Something that changed."""

    name: str
    """``state``, ``decision``, ``freeze``, ``override``, ``hold``, ``outcome``, ``policies``, ``missed``."""
    data: dict[str, Any]
    seq: int | None = None
    """The place in the record to resume from; None if the event has none."""


class Standing(NamedTuple):
    """The state that all subscribers have seen; new ones at the same state get the same initial events."""

    seq: int
    """The place in the record up to which events have been sent."""
    now: int
    revision: str
    freezes_version: int
    stale: bool
    degraded: bool


class Live:
    """The changes since the last look, for all subscribers of a replica."""

    def __init__(self, store: "Store", policies: Policies, cache: StoreCache, clock: Clock) -> None:
        """Watch `store`, as far as `cache` has seen it, and the policies in force."""
        self._store = store
        self._policies = policies
        self._cache = cache
        self._clock = clock
        self._seq: int | None = None
        self._state: dict[str, Any] | None = None

    @property
    def standing(self) -> Standing:
        """The state that all subscribers have seen."""
        in_force = self._policies.in_force
        return Standing(
            self._sent_up_to(),
            self._clock.now(),
            in_force.revision,
            in_force.freezes_version,
            self._policies.last_error is not None,
            self._cache.degraded_since is not None,
        )

    def beginning(self, standing: Standing, seen: int | None) -> list[News]:
        """Return the initial events of a new subscriber: current state, then the events after `seen`.

        Events after `standing` follow with those for all subscribers. Of more than `MOST_REPLAYED`, only the
        latest are returned, with the number of those missed. Reads the store.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        state = News("state", self._present(), standing.seq)
        if seen is None:
            return [state]
        missed, count = _span(seen, standing.seq, MOST_REPLAYED)
        links = self._store.query(lambda view: view.events_after(seen + missed, count)) if count else []
        return [state, *_news(links, missed)]

    async def look(self) -> list[News]:
        """Return what has changed since the last call; at the first call, nothing."""
        news = await self._recorded()
        state = self._present()
        if self._state is not None and state != self._state:
            news.append(News("state", state))
        self._state = state
        return news

    def _sent_up_to(self) -> int:
        """Return the place up to which events have been sent; at first, the end of the record."""
        if self._seq is None:
            self._seq = self._cache.seq
        return self._seq

    async def _recorded(self) -> list[News]:
        after, last = self._sent_up_to(), self._cache.seq
        if last <= after:
            self._seq = last
            return []
        missed, count = _span(after, last, MOST_SENT)
        try:
            links = await self._store.read(lambda view: view.events_after(after + missed, count))
        except StoreUnavailableError:
            return []  # the next look finds the same
        self._seq = last
        return _news(links, missed)

    def _present(self) -> dict[str, Any]:
        in_force, failure = self._policies.in_force, self._policies.last_error
        return {
            "environments": environments(in_force, self._clock.now()),
            "policy_revision": in_force.revision,
            "policies_stale": failure is not None,
            "store_degraded": self._cache.degraded_since is not None,
        }


def _span(after: int, last: int, most: int) -> tuple[int, int]:
    """Return how many of the events after one place up to another to leave out, and how many to send."""
    missed = max(0, last - after - most)
    return missed, max(0, last - after - missed)


def _news(links: Sequence[Link], missed: int) -> list[News]:
    news = [public for link in links if (public := _public(link)) is not None]
    return [News("missed", {"events": missed}), *news] if missed else news


def _public(link: Link) -> News | None:
    """Return the public view of an event; None if it is admin-only."""
    family = _FAMILIES.get(link.kind)
    if family is None:
        return None
    data = json.loads(link.data)
    body: dict[str, Any] = {
        "kind": link.kind,
        "recorded_at": format_instant(link.at // 1_000_000),
        "by": link.actor or None,
    }
    if family == "decision":
        answer = data["answer"]
        body |= {name: answer.get(name) for name in _DECISION}
        body |= {name: answer[name] for name in _OF_SEVERAL if name in answer}
        body |= {name: data.get(name) for name in ("actor", "ref", "run_url")}
    else:
        about = data.get(family)
        body |= {"id": about["id"] if isinstance(about, dict) else about}
    return News(family, body, link.seq)
