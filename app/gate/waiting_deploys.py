"""Deploys that wait, as callers of the API and of the dashboard see them; see `app.gate.holds`."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.core.errors import FreezegateError
from app.core.explain import message
from app.core.hold import OF_CALLERS, Hold, HoldState
from app.core.instant import format_instant
from app.core.turns import Waiting, turns
from app.gate.check import check_async
from app.gate.errors import ForbiddenError, IdempotencyConflictError
from app.gate.holds import MOST_UNFINISHED, HoldRequest, Holds, is_own, to_json
from app.gate.in_force import InForce, Policies
from app.gate.store_cache import StoreCache
from app.identity.caller import Caller, Role
from app.store.records import HoldFilter

__all__ = ["HoldFilter"]

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.view import View

MOST_SHOWN: Final = 100
"""Waiting deploys of an environment that are shown at a time; the others are counted."""


class WaitingDeploys(NamedTuple):
    """The deploys that wait for an environment."""

    environment: str
    holds: list[dict[str, Any]]
    """In the order of their turns, with `turn_at`."""
    more: int
    """Those that are only counted."""

    @property
    def total(self) -> int:
        """The number of deploys that wait."""
        return len(self.holds) + self.more


class HoldDesk:
    """Takes in deploys that wait, gives them back, and says when their turns come."""

    def __init__(self, store: "Store", holds: Holds, policies: Policies, cache: StoreCache) -> None:
        """Serve the holds of `store`."""
        self._store = store
        self._holds = holds
        self._policies = policies
        self._cache = cache

    async def hold(self, caller: Caller, wanted: HoldRequest) -> tuple[dict[str, Any], bool]:
        """Let a deploy wait; return the hold, and whether it is new. Errors are those of `Holds.ask`.

        Raises:
            IdempotencyConflictError: the key is that of another deploy, or of another caller, or its hold is
                answered elsewhere.
        """
        hold, is_new = await self._holds.ask(caller, wanted, self._policies.in_force)
        if hold.question != wanted.question or not is_own(hold, caller):
            raise IdempotencyConflictError("this key is that of another deploy; take one that is unique")
        if (hold.responder, hold.target) != (wanted.responder, wanted.target):
            raise IdempotencyConflictError(
                "this key is that of a deploy that is answered elsewhere; take one that is unique"
            )
        return await self._explained(hold), is_new

    async def withdraw(self, caller: Caller, hold_id: str, reason: str | None) -> dict[str, Any]:
        """Cancel a hold of the caller's, or of anybody's for ops. Errors are those of `Holds.cancel`.

        Raises:
            ForbiddenError: it is that of another caller or of a system, or the caller may not act on its
                services.
        """
        hold = await self._holds.show(hold_id)
        own = is_own(hold, caller) and hold.responder in OF_CALLERS
        self._cache.scopes.services(caller, hold.question.names)
        if not (caller.may(Role.OPS) or own):
            raise ForbiddenError("another caller asked for this hold; cancelling it needs the role ops")
        return to_json(await self._holds.cancel(caller, hold_id, reason))

    async def show(self, hold_id: str) -> dict[str, Any]:
        """Return a hold, and why it waits. Errors are those of `Holds.show`."""
        return await self._explained(await self._holds.show(hold_id))

    async def _explained(self, hold: Hold) -> dict[str, Any]:
        """Return a hold with the sentence that says why it waits; None if it waits no longer."""
        sentence = None
        if hold.state is HoldState.WAITING:
            sentence = await self._why(hold)
        return {**to_json(hold), "message": sentence}

    async def _why(self, hold: Hold) -> str | None:
        in_force = self._policies.in_force
        try:
            decision = await check_async(in_force, hold.question, self._cache.steady.now())
        except FreezegateError:
            return None  # the policies no longer list its names
        sentence = message(decision, in_force.home)
        return f"{sentence} It waits for its turn." if decision.allowed else sentence

    async def page(self, wanted: HoldFilter, before: str | None, most: int) -> list[dict[str, Any]]:
        """Return holds, newest first, with their turns; `before` is the id of the last one before."""
        in_force, now = self._policies.in_force, self._cache.steady.now()

        def query(view: "View") -> list[dict[str, Any]]:
            found = view.newest_holds(wanted, before, most)
            is_waiting = any(each.state is HoldState.WAITING for each in found)
            at = turns_of(view, view.waiting_holds(MOST_UNFINISHED), in_force, now) if is_waiting else {}
            return [_with_turn(each, at) for each in found]

        return await self._store.read(query)


def waiting_deploys(view: "View", in_force: InForce, now: int) -> list[WaitingDeploys]:
    """Return the deploys that wait, by environment; environments without any are left out."""
    waiting = view.waiting_holds(MOST_UNFINISHED)
    at = turns_of(view, waiting, in_force, now)
    names = [*in_force.policy_set.environments]
    gone = {each.question.environment for each in waiting}.difference(names)
    found = (_of_environment(name, waiting, at) for name in (*names, *sorted(gone)))
    return [each for each in found if each.holds]


def _of_environment(name: str, waiting: Iterable[Hold], at: dict[str, int]) -> WaitingDeploys:
    here = [each for each in waiting if each.question.environment == name]
    here.sort(key=lambda each: (at.get(each.id, _NEVER), each.created_at, each.id))
    shown = [_with_turn(each, at) for each in here[:MOST_SHOWN]]
    return WaitingDeploys(name, shown, len(here) - len(shown))


_NEVER: Final = 1 << 62
"""Sorts those without a turn behind all others."""


def turns_of(view: "View", waiting: Sequence[Hold], in_force: InForce, now: int) -> dict[str, int]:
    """Return the expected turns of the holds that wait, by id."""
    each = (
        Waiting(
            hold.id,
            hold.question.environment,
            hold.created_at,
            _opens_at(hold, in_force, now),
            hold.expires_at,
        )
        for hold in waiting
    )
    return turns(each, lambda name: in_force.policy_set.environment(name).release, now, view.releases)


def _opens_at(hold: Hold, in_force: InForce, now: int) -> int | None:
    """Return when a hold's deploy may start: as it was last looked at, else by the policies."""
    if hold.opens_at is not None and hold.opens_at > now:
        return hold.opens_at
    try:
        decision = in_force.engine.decide(hold.question, now)
    except FreezegateError:
        return None  # the policies no longer list its names
    return now if decision.allowed else decision.opens_at


def _with_turn(hold: Hold, at: dict[str, int]) -> dict[str, Any]:
    turn = at.get(hold.id)
    return {**to_json(hold), "turn_at": None if turn is None else format_instant(turn)}
