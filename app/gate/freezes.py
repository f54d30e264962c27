"""Ad-hoc freezes: start, change and lift them, and warn of forgotten ones."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from app.clock import Clock
from app.core.audit import Event
from app.core.decision_json import instant_or_none
from app.core.freeze import Freeze, FreezeState
from app.core.instant import DAY, MINUTE, format_instant
from app.core.policy import PolicySet, Selector
from app.core.reason import own_reason
from app.gate.audit_events import Kind, happened
from app.gate.errors import InvalidFieldError, StateConflictError, UnknownRecordError
from app.gate.ids import new_id
from app.gate.in_force import InForce
from app.gate.scopes import check_selector
from app.gate.store_cache import StoreCache
from app.identity.caller import Caller
from app.policies.vocabulary import Vocabulary

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.transaction import Transaction

MAX_LENGTH: Final = 366 * DAY
"""Seconds; a longer freeze belongs in the policy file."""

UNDO_WITHIN: Final = 10 * MINUTE
"""Seconds in which the lifting of a freeze can be undone: later, deploys rely on it."""

_VOCABULARY: Final = frozenset({"environments", "services", "unknown_services", "changes"})
_NOT_CHANGES: Final = frozenset({"state", "changed_at", "rescoped_at", "forgotten", "open_ended"})
"""Fields derived from others, or from the time."""

_NO_SUCH: Final = "there is no freeze of that id"


class StartRequest(NamedTuple):
    """The properties of a new freeze."""

    title: str
    reason: str
    selector: Selector
    starts_at: int | None
    """None: now."""
    ends_at: int | None
    """None: open-ended."""
    override: Literal["token", "never"] = "token"
    contact: str | None = None
    link: str | None = None
    exempt: tuple[Selector, ...] = ()
    running: Literal["finish", "stop"] = "stop"


class Change(NamedTuple):
    """A change of a freeze: the new values of fields, by their names."""

    values: dict[str, Any]
    """Of `Freeze`: title, reason, contact, link, override, running, exempt, starts_at, ends_at."""
    scope: dict[str, list[str] | None]
    """Of its selector: environments, services, tags; None: all."""


class Freezes:
    """The use cases of ad-hoc freezes."""

    def __init__(self, store: "Store", clock: Clock, cache: StoreCache) -> None:
        """Keep them in `store`, by the time of `clock`."""
        self._store = store
        self._clock = clock
        self._cache = cache

    async def start(self, caller: Caller, wanted: StartRequest, in_force: InForce) -> Freeze:
        """Start a freeze; every claim settled after this returns sees it, on every replica.

        Raises:
            InvalidFieldError: it ends before it starts, or is too long; or it names an environment, service,
                tag or kind of change that the policies do not list.
            ForbiddenError: it may stop a service outside the caller's scope.
            StoreUnavailableError: it could not be recorded.
        """
        _check_names(wanted.selector, wanted.exempt, in_force.policy_set)
        check_selector(caller, wanted.selector, in_force.policy_set)
        microseconds = self._clock.microseconds()
        now = microseconds // 1_000_000
        starts_at = now if wanted.starts_at is None else wanted.starts_at
        if starts_at < now:
            raise InvalidFieldError("starts_at", "lies in the past")
        _check_end(starts_at, wanted.ends_at)
        freeze = Freeze(
            id=new_id("frz", microseconds),
            title=wanted.title,
            reason=wanted.reason,
            contact=wanted.contact,
            link=wanted.link,
            selector=wanted.selector,
            override=wanted.override,
            starts_at=starts_at,
            ends_at=wanted.ends_at,
            started_by=caller.name,
            created_at=now,
            exempt=wanted.exempt,
            running=wanted.running,
        )

        def settle(transaction: "Transaction") -> Freeze:
            self._cache.check_caller(caller, transaction)
            return begin(transaction, freeze, microseconds)

        made = await self._store.write(settle)
        await self._cache.refresh()
        return made

    async def change(self, caller: Caller, freeze_id: str, wanted: Change, in_force: InForce) -> Freeze:
        """Change anything about a freeze but its past; a change that changes nothing is not recorded.

        Raises:
            InvalidFieldError: it would end before it starts, or in the past, or last too long; its start
                lies in the past; or it would name what the policies do not list.
            ForbiddenError: it may stop a service outside the caller's scope, or would.
            StateConflictError: it is over.
            UnknownRecordError: there is no such freeze.
            StoreUnavailableError: it could not be recorded.
        """
        # A name that was removed since the freeze started must not block a change of its title.
        names = in_force.policy_set if wanted.scope or "exempt" in wanted.values else None
        freeze = await self._store.write(partial(self._change, caller, freeze_id, wanted, names))
        await self._cache.refresh()
        return freeze

    async def extend(self, caller: Caller, freeze_id: str, ends_at: int | None) -> Freeze:
        """Move the end of a freeze, also to an earlier instant; None leaves it open. See `change`."""
        wanted = Change({"ends_at": ends_at}, {})
        freeze = await self._store.write(partial(self._change, caller, freeze_id, wanted, None))
        await self._cache.refresh()
        return freeze

    async def lift(self, caller: Caller, freeze_id: str, reason: str | None = None) -> Freeze:
        """Lift a freeze; lifting twice changes nothing, the reason included.

        Raises:
            ForbiddenError: it may stop a service outside the caller's scope.
            StateConflictError: it has ended by itself.
            UnknownRecordError: there is no such freeze.
            StoreUnavailableError: it could not be recorded.
        """
        freeze = await self._store.write(partial(self._lift, caller, freeze_id, reason))
        await self._cache.refresh()
        return freeze

    async def show(self, freeze_id: str) -> Freeze:
        """Return a freeze.

        Raises:
            UnknownRecordError: there is none of that id.
            StoreUnavailableError: it can't be read.
        """
        freeze = await self._store.read(lambda view: view.freeze(freeze_id))
        if freeze is None:
            raise UnknownRecordError(_NO_SUCH)
        return freeze

    async def newest(self, before: str | None, most: int) -> list[Freeze]:
        """Return all freezes, newest first, including those that are over."""
        return await self._store.read(lambda view: view.newest_freezes(before, most))

    def _change(
        self,
        caller: Caller,
        freeze_id: str,
        wanted: Change,
        names: PolicySet | None,
        transaction: "Transaction",
    ) -> Freeze:
        self._cache.check_caller(caller, transaction)
        microseconds = self._clock.microseconds()
        now = microseconds // 1_000_000
        freeze = _unfinished(self._found(caller, freeze_id, transaction), now)
        changed = _changed(freeze, wanted, now)
        self._cache.scopes.selector(caller, changed.selector)
        if names is not None:
            _check_names(changed.selector, changed.exempt, names)
        if changed == freeze:
            return freeze
        changed = changed._replace(changed_at=now)
        if _reach(changed) != _reach(freeze):
            # An older token was not granted for the deploys that it stops from now on.
            changed = changed._replace(rescoped_at=after_the_record(now, transaction))
        transaction.change_freeze(changed)
        transaction.append(change_event(freeze, changed, microseconds, caller.name))
        return changed

    def _lift(self, caller: Caller, freeze_id: str, reason: str | None, transaction: "Transaction") -> Freeze:
        self._cache.check_caller(caller, transaction)
        microseconds = self._clock.microseconds()
        now = microseconds // 1_000_000
        known = self._found(caller, freeze_id, transaction)
        if known.state(now) is FreezeState.LIFTED:
            return known
        lasting = _unfinished(known, now)
        lifted = lasting._replace(lifted_by=caller.name, lifted_at=now, changed_at=now, lift_reason=reason)
        transaction.change_freeze(lifted)
        transaction.append(
            happened(microseconds, Kind.FREEZE_LIFTED, caller.name, freeze=freeze_id, reason=reason)
        )
        return lifted

    def _found(self, caller: Caller, freeze_id: str, transaction: "Transaction") -> Freeze:
        """Return a freeze that lies within the caller's scope."""
        freeze = transaction.freeze(freeze_id)
        if freeze is None:
            raise UnknownRecordError(_NO_SUCH)
        self._cache.scopes.selector(caller, freeze.selector)
        return freeze


def begin(transaction: "Transaction", freeze: Freeze, microseconds: int) -> Freeze:
    """Store and record a new freeze; return it as it is stored."""
    now = microseconds // 1_000_000
    made = freeze._replace(created_at=after_the_record(now, transaction))
    transaction.add_freeze(made)
    body = to_json(made, now)
    transaction.append(happened(microseconds, Kind.FREEZE_STARTED, freeze.started_by, freeze=body))
    return made


def _reach(freeze: Freeze) -> tuple[Selector, tuple[Selector, ...], str, str]:
    """Return the fields that decide which deploys a freeze stops, and whether tokens override it."""
    return freeze.selector, freeze.exempt, freeze.override, freeze.running


def after_the_record(now: int, transaction: "Transaction") -> int:
    """Return the present second, or the one after the latest event if the clock is behind that.

    It is compared with the time of tokens: after the clock was set back, a freeze must not look as old as
    a token that was granted before it.
    """
    latest = transaction.latest_at // 1_000_000
    return now if latest <= now else latest + 1


def lifted_lately(freezes: Iterable[Freeze], now: int) -> list[Freeze]:
    """Return the freezes whose lifting can be undone; not those that were started again since."""
    known = list(freezes)
    since = [(each.title, each.selector) for each in known if each.stands(now)]
    return [each for each in known if _is_undoable(each, now) and (each.title, each.selector) not in since]


def undo(freeze: Freeze, now: int) -> StartRequest:
    """Return the request that starts a lifted freeze again, until the end that it had.

    Raises:
        StateConflictError: it was not lifted lately, or would be over by now.
    """
    if not _is_undoable(freeze, now):
        raise StateConflictError("this freeze was not lifted in the last ten minutes, or is over by now")
    return StartRequest(
        freeze.title,
        freeze.reason,
        freeze.selector,
        freeze.starts_at if freeze.starts_at > now else None,
        freeze.ends_at,
        freeze.override,
        freeze.contact,
        freeze.link,
        freeze.exempt,
        freeze.running,
    )


def _is_undoable(freeze: Freeze, now: int) -> bool:
    is_recent = freeze.lifted_at is not None and now - UNDO_WITHIN < freeze.lifted_at <= now
    return is_recent and (freeze.ends_at is None or freeze.ends_at > now)


def to_json(freeze: Freeze, at: int) -> dict[str, Any]:
    """Return the JSON representation of a freeze at an instant."""
    selector = freeze.selector
    return {
        "id": freeze.id,
        "state": freeze.state(at).value,
        "title": freeze.title,
        "reason": freeze.reason,
        "contact": freeze.contact,
        "link": freeze.link,
        "environments": selector.environments,
        "services": selector.services,
        "tags": selector.tags,
        "exempt": [each.model_dump(exclude_none=True) for each in freeze.exempt],
        "starts_at": format_instant(freeze.starts_at),
        "ends_at": instant_or_none(freeze.ends_at),
        "open_ended": freeze.ends_at is None,
        "forgotten": freeze.forgotten(at),
        "override": freeze.override,
        "running": freeze.running,
        "started_by": freeze.started_by,
        "created_at": format_instant(freeze.created_at),
        "lifted_by": freeze.lifted_by,
        "lifted_at": instant_or_none(freeze.lifted_at),
        "lift_reason": freeze.lift_reason,
        "changed_at": instant_or_none(freeze.changed_at),
        "rescoped_at": instant_or_none(freeze.rescoped_at),
    }


def _unfinished(freeze: Freeze, now: int) -> Freeze:
    state = freeze.state(now)
    if state in (FreezeState.ENDED, FreezeState.LIFTED):
        raise StateConflictError(f"this freeze is over: {state.value}")
    return freeze


def _changed(freeze: Freeze, wanted: Change, now: int) -> Freeze:
    """Return the freeze with the changes; check its start and end if one of them moves."""
    scope = {**freeze.selector.model_dump(), **wanted.scope}
    named = freeze._replace(**wanted.values, selector=Selector.model_validate(scope))
    changed = _titled(freeze, named, wanted)
    if changed.starts_at != freeze.starts_at:
        if freeze.starts_at <= now:
            raise InvalidFieldError("starts_at", "this freeze has begun; its start stays as it was")
        if changed.starts_at < now:
            raise InvalidFieldError("starts_at", "lies in the past")
    if (changed.starts_at, changed.ends_at) != (freeze.starts_at, freeze.ends_at):
        _check_end(max(now, changed.starts_at), changed.ends_at, changed.starts_at)
    return changed


def _titled(before: Freeze, after: Freeze, wanted: Change) -> Freeze:
    """Return the changed freeze with its title as the reason, if no other is given or was."""
    was_title = "reason" not in wanted.values and not own_reason(before.title, before.reason)
    return after._replace(reason=after.title) if was_title or not after.reason else after


def change_event(
    before: Freeze, after: Freeze, microseconds: int, actor: str, *, renewed: bool = False
) -> Event:
    """Return the event of a change of a freeze; no one is notified of one that is only `renewed`."""
    now = microseconds // 1_000_000
    if before._replace(ends_at=after.ends_at, changed_at=after.changed_at) == after:
        return happened(
            microseconds,
            Kind.FREEZE_EXTENDED,
            actor,
            freeze=after.id,
            ends_at=instant_or_none(after.ends_at),
            ended_at_before=instant_or_none(before.ends_at),
            **({"renewed": True} if renewed else {}),
        )
    old, new = to_json(before, now), to_json(after, now)
    changes = {name: old[name] for name in new if old[name] != new[name] and name not in _NOT_CHANGES}
    return happened(microseconds, Kind.FREEZE_CHANGED, actor, freeze=new, before=changes)


def _check_end(not_before: int, ends_at: int | None, starts_at: int | None = None) -> None:
    if ends_at is None:
        return
    if ends_at <= not_before:
        raise InvalidFieldError("until", "must lie after its start, and after now")
    if ends_at - (not_before if starts_at is None else starts_at) > MAX_LENGTH:
        raise InvalidFieldError("until", "longer than 366 days: that is a policy, and belongs into the file")


def _check_names(selector: Selector, exempt: tuple[Selector, ...], policy_set: PolicySet) -> None:
    """Check names as in the policy file: a freeze with an unknown name would stop nothing.

    A service outside the catalogue may be deployed, and so frozen, unless the file refuses such services.

    Raises:
        InvalidFieldError: a name is unknown; the message has it, with the nearest known one.
    """
    vocabulary = names_of(policy_set)
    for one, prefix in ((selector, ""), *((each, "exempt") for each in exempt)):
        for field in ("environments", "services", "tags", "changes"):
            for name in getattr(one, field) or ():
                fault = name_fault(field, name, vocabulary)
                if fault is not None:
                    raise InvalidFieldError(prefix or field, fault)


def names_of(policy_set: PolicySet) -> Vocabulary:
    """Return the names that a freeze may use."""
    return Vocabulary([policy_set.model_dump(include=set(_VOCABULARY), exclude_none=True)])


def name_fault(field: str, name: str, vocabulary: Vocabulary) -> str | None:
    """Return the sentence about a name that a freeze can't use; None if it can."""
    if field == "services" and not vocabulary.refuses_unknown:
        return None
    if field == "tags" and not vocabulary.has_catalogue:
        return "there is no catalogue, so no service has tags"
    return vocabulary.fault_of(field, name)
