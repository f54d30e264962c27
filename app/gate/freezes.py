"""Ad-hoc freezes: started in an incident, extended, lifted, and pointed out when they are forgotten."""

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from app.clock import Clock
from app.core.answer import instant_or_none
from app.core.errors import UnknownNameError
from app.core.freeze import Freeze, FreezeState
from app.core.instant import DAY, format_instant
from app.core.policy import Selector
from app.gate.errors import InvalidFieldError, StateConflictError, UnknownRecordError
from app.gate.happened import Kind, happened
from app.gate.ids import new_id
from app.gate.in_force import InForce
from app.gate.replica import Replica
from app.identity.caller import Caller

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.transaction import Transaction

MAX_LENGTH: Final = 366 * DAY
"""Seconds; what lasts longer belongs into the policy file."""

_NO_SUCH: Final = "there is no freeze of that id"


class StartRequest(NamedTuple):
    """What a freeze is to be."""

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


class Freezes:
    """The use cases of ad-hoc freezes."""

    def __init__(self, store: "Store", clock: Clock, replica: Replica) -> None:
        """Keep them in `store`, by the time of `clock`."""
        self._store = store
        self._clock = clock
        self._replica = replica

    async def start(self, caller: Caller, wanted: StartRequest, in_force: InForce) -> Freeze:
        """Freeze; every claim that is settled after this returns sees it, on every replica.

        Raises:
            InvalidFieldError: it ends before it starts, or is too long.
            UnknownNameError: it names an environment, service or tag that the policies do not list.
            StoreUnavailableError: it could not be recorded.
        """
        _check_names(wanted.selector, in_force)
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
        )
        event = happened(microseconds, Kind.FREEZE_STARTED, caller.name, freeze=described(freeze, now))

        def settle(transaction: "Transaction") -> None:
            self._replica.check_caller(caller, transaction)
            transaction.add_freeze(freeze)
            transaction.append(event)

        await self._store.write(settle)
        await self._replica.refresh()
        return freeze

    async def extend(self, caller: Caller, freeze_id: str, ends_at: int | None) -> Freeze:
        """Move the end of a freeze, also to an earlier instant; None leaves it open.

        Raises:
            InvalidFieldError: it would end before it starts, or in the past, or last too long.
            StateConflictError: it is over.
            UnknownRecordError: there is no such freeze.
            StoreUnavailableError: it could not be recorded.
        """
        freeze = await self._store.write(partial(self._extend, caller, freeze_id, ends_at))
        await self._replica.refresh()
        return freeze

    async def lift(self, caller: Caller, freeze_id: str) -> Freeze:
        """Lift a freeze; lifting twice changes nothing.

        Raises:
            StateConflictError: it has ended by itself.
            UnknownRecordError: there is no such freeze.
            StoreUnavailableError: it could not be recorded.
        """
        freeze = await self._store.write(partial(self._lift, caller, freeze_id))
        await self._replica.refresh()
        return freeze

    async def show(self, freeze_id: str) -> Freeze:
        """A freeze.

        Raises:
            UnknownRecordError: there is none of that id.
            StoreUnavailableError: it can't be read.
        """
        freeze = await self._store.read(lambda view: view.freeze(freeze_id))
        if freeze is None:
            raise UnknownRecordError(_NO_SUCH)
        return freeze

    async def newest(self, before: str | None, most: int) -> list[Freeze]:
        """All freezes, newest first; those that are over, too."""
        return await self._store.read(lambda view: view.newest_freezes(before, most))

    def _extend(
        self, caller: Caller, freeze_id: str, ends_at: int | None, transaction: "Transaction"
    ) -> Freeze:
        self._replica.check_caller(caller, transaction)
        microseconds = self._clock.microseconds()
        now = microseconds // 1_000_000
        freeze = _lasting(transaction, freeze_id, now)
        _check_end(max(now, freeze.starts_at), ends_at, freeze.starts_at)
        extended = freeze._replace(ends_at=ends_at, changed_at=now)
        transaction.change_freeze(extended)
        transaction.append(
            happened(
                microseconds,
                Kind.FREEZE_EXTENDED,
                caller.name,
                freeze=freeze_id,
                ends_at=instant_or_none(ends_at),
                ended_at_before=instant_or_none(freeze.ends_at),
            )
        )
        return extended

    def _lift(self, caller: Caller, freeze_id: str, transaction: "Transaction") -> Freeze:
        self._replica.check_caller(caller, transaction)
        microseconds = self._clock.microseconds()
        now = microseconds // 1_000_000
        known = transaction.freeze(freeze_id)
        if known is not None and known.state(now) is FreezeState.LIFTED:
            return known
        lasting = _lasting(transaction, freeze_id, now)
        lifted = lasting._replace(lifted_by=caller.name, lifted_at=now, changed_at=now)
        transaction.change_freeze(lifted)
        transaction.append(happened(microseconds, Kind.FREEZE_LIFTED, caller.name, freeze=freeze_id))
        return lifted


def described(freeze: Freeze, at: int) -> dict[str, Any]:
    """A freeze as it is shown at an instant."""
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
        "starts_at": format_instant(freeze.starts_at),
        "ends_at": instant_or_none(freeze.ends_at),
        "open_ended": freeze.ends_at is None,
        "forgotten": freeze.forgotten(at),
        "override": freeze.override,
        "started_by": freeze.started_by,
        "created_at": format_instant(freeze.created_at),
        "lifted_by": freeze.lifted_by,
        "lifted_at": instant_or_none(freeze.lifted_at),
    }


def _lasting(transaction: "Transaction", freeze_id: str, now: int) -> Freeze:
    freeze = transaction.freeze(freeze_id)
    if freeze is None:
        raise UnknownRecordError(_NO_SUCH)
    state = freeze.state(now)
    if state in (FreezeState.ENDED, FreezeState.LIFTED):
        raise StateConflictError(f"this freeze is over: {state.value}")
    return freeze


def _check_end(not_before: int, ends_at: int | None, starts_at: int | None = None) -> None:
    if ends_at is None:
        return
    if ends_at <= not_before:
        raise InvalidFieldError("until", "must lie after its start, and after now")
    if ends_at - (not_before if starts_at is None else starts_at) > MAX_LENGTH:
        raise InvalidFieldError("until", "longer than 366 days: that is a policy, and belongs into the file")


def _check_names(selector: Selector, in_force: InForce) -> None:
    """As in the policy file: a freeze that names what does not exist would stop nothing."""
    known = in_force.policy_set
    for environment in selector.environments or ():
        if environment not in known.environments:
            raise UnknownNameError("environments", environment, tuple(known.environments))
    catalogue = known.services
    if catalogue is not None:
        for service in selector.services or ():
            if "*" not in service and service not in catalogue:
                raise UnknownNameError("services", service, ())
    tags = {tag for service in (catalogue or {}).values() for tag in service.tags}
    for tag in selector.tags or ():
        if "*" not in tag and tag not in tags:
            raise UnknownNameError("tags", tag, tuple(sorted(tags)))
