"""Live events for all subscribers: found once by each replica, sent to all of them.

Decisions, freezes and overrides come out of the record, so what another replica did is told, too. The
state of the environments is looked at beside it, for it changes by time alone.
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

MOST_TOLD: Final = 25
"""Events told at one look; where more happened, how many were left out is told instead."""

MOST_REPLAYED: Final = 100
"""Events told again to somebody who was away; who missed more reads ``/decisions``."""

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
    Kind.OUTCOME_REPORTED: "outcome",
    Kind.POLICIES_LOADED: "policies",
}
"""What is told, and under which name; keys, sessions and refusals are the admins' to know."""

_DECISION: Final = (
    "decision_id", "at", "outcome", "service", "environment", "change", "message", "blocking", "warnings",
)  # fmt: skip


class News(NamedTuple):
    """Something that changed."""

    name: str
    """``state``, ``decision``, ``freeze``, ``override``, ``outcome``, ``policies`` or ``missed``."""
    data: dict[str, Any]
    seq: int | None = None
    """Its place in the record, or how far that has been told; None for what is no place to go on from."""


class Standing(NamedTuple):
    """What everybody who listens has been told; whoever begins at the same one begins with the same."""

    seq: int
    """The place in the record up to which events have been told."""
    now: int
    revision: str
    freezes_version: int
    stale: bool
    degraded: bool


class Live:
    """Looks what has changed since it looked last."""

    def __init__(self, store: "Store", policies: Policies, cache: StoreCache, clock: Clock) -> None:
        """Watch `store`, through what `cache` has seen of it, and the policies in force."""
        self._store = store
        self._policies = policies
        self._cache = cache
        self._clock = clock
        self._seq: int | None = None
        self._state: dict[str, Any] | None = None

    @property
    def standing(self) -> Standing:
        """How far everybody has been told."""
        in_force = self._policies.in_force
        return Standing(
            self._told_up_to(),
            self._clock.now(),
            in_force.revision,
            in_force.freezes_version,
            self._policies.last_error is not None,
            self._cache.degraded_since is not None,
        )

    def beginning(self, standing: Standing, seen: int | None) -> list[News]:
        """Return the initial events of a new subscriber: current state, then the events after `seen`.

        Up to `standing`: what comes after that is told to everybody. Of too much, the latest, and how much
        was missed. Looks into the store.

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

    def _told_up_to(self) -> int:
        """The place up to which events have been told; to begin with, where the record stands then."""
        if self._seq is None:
            self._seq = self._cache.seq
        return self._seq

    async def _recorded(self) -> list[News]:
        after, last = self._told_up_to(), self._cache.seq
        if last <= after:
            self._seq = last
            return []
        missed, count = _span(after, last, MOST_TOLD)
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
    """Of the events after one place up to another, how many to leave out, and how many to tell."""
    missed = max(0, last - after - most)
    return missed, max(0, last - after - missed)


def _news(links: Sequence[Link], missed: int) -> list[News]:
    news = [told for link in links if (told := _told(link)) is not None]
    return [News("missed", {"events": missed}), *news] if missed else news


def _told(link: Link) -> News | None:
    """Return the public view of an event; None if it is admin-only."""
    family = _FAMILIES.get(link.kind)
    if family is None:
        return None
    data = json.loads(link.data)
    told: dict[str, Any] = {
        "kind": link.kind,
        "recorded_at": format_instant(link.at // 1_000_000),
        "by": link.actor or None,
    }
    if family == "decision":
        answer = data["answer"]
        told |= {name: answer.get(name) for name in _DECISION}
        told |= {name: data.get(name) for name in ("actor", "ref", "run_url")}
    else:
        about = data.get(family)
        told |= {"id": about["id"] if isinstance(about, dict) else about}
    return News(family, told, link.seq)
