"""Holds: deploys that wait for the gate to open; see `app.core.hold`.

Asking, looking and cancelling are here. What waits is released by `app.gate.releases`, and answered by
`app.gate.answers`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.clock import Clock
from app.core.decision import Question
from app.core.decision_json import instant_or_none
from app.core.hold import LONGEST_WAIT, OF_CALLERS, POLLED, UNFINISHED, AnswerKind, Hold, HoldState
from app.core.instant import DAY, format_instant
from app.core.policy import PolicySet
from app.gate.audit_events import Kind, happened
from app.gate.check import check_async
from app.gate.claim import RETRIED_FOR, UNFIT, Claim
from app.gate.errors import (
    InvalidFieldError,
    NoSecretKeyError,
    StateConflictError,
    UnknownRecordError,
)
from app.gate.hold_changes import Moment, change, queue_answer
from app.gate.ids import new_id
from app.gate.in_force import InForce, with_freezes
from app.gate.store_cache import StoreCache
from app.gate.waiting_room import check_room
from app.identity.caller import Caller
from app.identity.credentials import fingerprint
from app.identity.sealing import Sealing
from app.store.records import HoldCount, HoldFilter

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.transaction import Transaction

__all__ = ["HoldCount", "HoldFilter"]

MOST_UNFINISHED: Final = 10_000
"""Holds that wait at a time: a company of 5,000 services in two environments."""

KEPT_FOR: Final = 30 * DAY
"""Seconds that a finished hold is listed; its events stay."""

USUAL_WAIT: Final = DAY
"""Seconds that a deploy waits after the opening if the request doesn't say: enough for its turn and a closed
hour or two, but not for ever after a lost run."""

MOST_TARGET: Final = 8_192
"""Letters of a target as JSON; the longest URLs of platforms have about 2,000."""

MOST_SECRET: Final = 16_384
"""Letters of a secret; tokens of CI systems have up to 4,000."""

_LONGEST: Final = {"responder": 50, "key": 256, "ref": 2_000, "actor": 2_000, "run_url": 2_000}
_NO_SUCH: Final = "there is no hold of that id"


class HoldRequest(NamedTuple):
    """A deploy that waits, as a vendor asks for it."""

    question: Question
    responder: str
    """The name of the vendor; `app.core.hold.POLLED` for one who looks by itself."""
    key: str
    """Identifies the deploy at the vendor: asked again with it, it is the same hold; see `Holds.ask`."""
    target: dict[str, Any]
    """JSON-compatible: where and how the vendor is answered; nothing secret."""
    expires_at: int | None
    """The instant until which the vendor can wait; None: for `USUAL_WAIT` after it opens."""
    ref: str | None = None
    actor: str | None = None
    run_url: str | None = None
    secret: str | None = None
    """Given back with each answer; stored encrypted."""


class Asked(NamedTuple):
    """The hold of a request."""

    hold: Hold
    is_new: bool


class Holds:
    """The use cases of those who wait."""

    def __init__(self, store: "Store", clock: Clock, cache: StoreCache) -> None:
        """Keep holds in `store`, by the time of `clock`."""
        self._store = store
        self._clock = clock
        self._cache = cache
        self.sealing: Sealing | None = None
        """Encrypts the secrets of holds; None: holds with secrets are refused."""
        self.targets: Mapping[str, Callable[[Mapping[str, Any]], None]] | None = None
        """The vendors that can be answered, each with the check of its targets; None: any."""

    async def hold(self, caller: Caller, wanted: HoldRequest, in_force: InForce) -> Hold:
        """Let a deploy wait; return its hold. See `ask`."""
        return (await self.ask(caller, wanted, in_force)).hold

    async def ask(self, caller: Caller, wanted: HoldRequest, in_force: InForce) -> Asked:
        """Let a deploy wait, also one that is allowed: it is released in its turn, usually within a second.

        Asked again with a key, it is the known hold, as it is. Requests of vendors are about one job for
        ever, and so are their keys. Callers choose theirs, such as the id of a run that is run again: once
        the hold is finished, the key is free. An approval or a cancellation is given again for `RETRIED_FOR`,
        because the first answer may be lost; an approval only while the deploy may start.

        Returns:
            The hold, and whether it is a new one.

        Raises:
            UnknownNameError: the policies list no such environment, kind of change or service.
            TooManyRulesError: too many rules match its services.
            MalformedValueError: a text of the request can't be recorded.
            InvalidFieldError: it would expire in the past, or wait for too long; a field is too long; or the
                vendor has no section in the integrations file.
            ForbiddenError: the caller may not claim for this service.
            UnauthenticatedError: the caller's key was revoked.
            NoSecretKeyError: it has a secret, and there is no key to encrypt it with.
            BusyError: too many deploys wait; see `app.gate.waiting_room`.
            StoreUnavailableError: it could not be recorded.
        """
        now, microseconds = self._cache.steady.now(), self._clock.microseconds()
        _check(caller, wanted, in_force.policy_set, now)
        self._check_target(wanted)
        known = await self._store.read(lambda view: view.hold_of_key(_responders(wanted), wanted.key))
        if known is not None and (known.state in UNFINISHED or known.responder not in OF_CALLERS):
            return Asked(known, is_new=False)
        decision = await check_async(in_force, wanted.question, microseconds // 1_000_000)
        opens_at = None if decision.allowed else decision.opens_at
        hold = self._made(caller, wanted, opens_at, microseconds, now)
        keys = _responders(wanted)
        return await self._store.write(partial(self._settle, caller, hold, keys, in_force, microseconds))

    async def cancel(self, caller: Caller, hold_id: str, reason: str | None) -> Hold:
        """Cancel a hold; cancelling twice changes nothing.

        The vendor is told, unless the one who asked takes it back.

        Raises:
            StateConflictError: it is finished.
            UnknownRecordError: there is no such hold.
            MalformedValueError: the reason can't be recorded.
            StoreUnavailableError: it could not be recorded.
        """
        if reason is not None and UNFIT.search(reason):
            raise InvalidFieldError("reason", "takes no control characters, and only whole characters")
        return await self._store.write(partial(self._cancel, caller, hold_id, reason))

    async def show(self, hold_id: str) -> Hold:
        """Return a hold.

        Raises:
            UnknownRecordError: there is none of that id.
            StoreUnavailableError: it can't be read.
        """
        found = await self._store.read(lambda view: view.hold(hold_id))
        if found is None:
            raise UnknownRecordError(_NO_SUCH)
        return found

    async def listed(self, wanted: HoldFilter, before: str | None, most: int) -> list[Hold]:
        """Return holds, newest first; `before` is the id of the last one of the page before."""
        return await self._store.read(lambda view: view.newest_holds(wanted, before, most))

    async def find(self, responder: str, key: str) -> Hold | None:
        """Return the latest hold of a vendor's key, finished or not; None if there is none."""
        return await self._store.read(lambda view: view.hold_of_key([responder], key))

    async def counts(self) -> list[HoldCount]:
        """Return the numbers of unfinished holds, by environment and state."""
        return await self._store.read(lambda view: view.count_holds())

    def _check_target(self, wanted: HoldRequest) -> None:
        """Check that a hold can be answered, so that no deploy waits in vain."""
        if self.targets is None or wanted.responder == POLLED:
            return
        check = self.targets.get(wanted.responder)
        if check is None:
            raise InvalidFieldError("answer", f"the integrations file has no section {wanted.responder}")
        check(wanted.target)

    def _made(
        self, caller: Caller, wanted: HoldRequest, opens_at: int | None, microseconds: int, now: int
    ) -> Hold:
        sealed = None
        if wanted.secret is not None:
            if self.sealing is None:
                raise NoSecretKeyError
            sealed = self.sealing.seal(wanted.secret)
        return Hold(
            id=new_id("hld", microseconds),
            responder=wanted.responder,
            key=wanted.key,
            question=wanted.question,
            ref=wanted.ref,
            actor=wanted.actor,
            run_url=wanted.run_url,
            requested_by=caller.name,
            target=wanted.target,
            sealed=sealed,
            created_at=now,
            expires_at=_usual_end(opens_at, now) if wanted.expires_at is None else wanted.expires_at,
            state=HoldState.WAITING,
            changed_at=now,
            opens_at=opens_at,
            decision_id=None,
            reports=0,
            key_id=caller.key_id,
        )

    def _settle(
        self,
        caller: Caller,
        hold: Hold,
        responders: Sequence[str],
        in_force: InForce,
        microseconds: int,
        transaction: "Transaction",
    ) -> Asked:
        self._cache.check_caller(caller, transaction)
        known = transaction.hold_of_key(responders, hold.key)
        if known is not None and _is_given_again(
            known, hold, in_force, microseconds // 1_000_000, transaction
        ):
            return Asked(known, is_new=False)
        check_room(hold, MOST_UNFINISHED, transaction)
        transaction.prune_holds(hold.created_at - KEPT_FOR)
        transaction.add_hold(hold)
        transaction.append(
            happened(microseconds, Kind.HOLD_REQUESTED, caller.name, hold=to_json(hold), **proof(hold))
        )
        return Asked(hold, is_new=True)

    def _cancel(self, caller: Caller, hold_id: str, reason: str | None, transaction: "Transaction") -> Hold:
        self._cache.check_caller(caller, transaction)
        hold = transaction.hold(hold_id)
        if hold is None:
            raise UnknownRecordError(_NO_SUCH)
        if hold.state is HoldState.CANCELLED:
            return hold
        if hold.state not in UNFINISHED:
            raise StateConflictError(f"this hold is finished: {hold.state.value}")
        at = Moment.of(self._clock, self._cache)
        cancelled = hold._replace(state=HoldState.CANCELLED, cancelled_by=caller.name, cancel_reason=reason)
        if is_own(hold, caller) or hold.responder == POLLED:
            transaction.drop_answer(hold.responder, hold.id)
            cancelled = cancelled._replace(sealed=None)
        else:
            sentence = _cancelled(hold, caller, reason)
            cancelled = queue_answer(transaction, cancelled, AnswerKind.REJECTED, sentence, None, at)
        return change(transaction, cancelled, Kind.HOLD_CANCELLED, caller.name, at, reason=reason)


def is_own(hold: Hold, caller: Caller) -> bool:
    """Return whether a caller asked for a hold: a name alone proves nothing, for keys may be named alike."""
    return (hold.requested_by, hold.key_id) == (caller.name, caller.key_id)


def _responders(wanted: HoldRequest) -> Sequence[str]:
    """Return those among whose holds a key is looked for."""
    return OF_CALLERS if wanted.responder in OF_CALLERS else (wanted.responder,)


def _is_given_again(
    known: Hold, hold: Hold, in_force: InForce, second: int, transaction: "Transaction"
) -> bool:
    """Return whether a known hold stands for a new request with its key; see `Holds.ask`."""
    if known.state in UNFINISHED or known.responder not in OF_CALLERS:
        return True
    if hold.created_at - known.changed_at > RETRIED_FOR:
        return False
    if known.state is HoldState.APPROVED:
        return _is_allowed(hold.question, in_force, second, transaction)
    return known.state is HoldState.CANCELLED


def _is_allowed(question: Question, in_force: InForce, second: int, transaction: "Transaction") -> bool:
    """Decide by the freezes that are in the database now; other replicas may have started one."""
    version = transaction.freezes_version
    if version != in_force.freezes_version:
        in_force = with_freezes(in_force, transaction.freezes_after(second), version)
    return in_force.engine.decide(question, second).allowed


def to_json(hold: Hold) -> dict[str, Any]:
    """Return the JSON representation of a hold, without its target and its secret."""
    question = hold.question
    return {
        "id": hold.id,
        "state": hold.state.value,
        "responder": None if hold.responder == POLLED else hold.responder,
        "key": hold.key,
        "service": question.service,
        **({"services": list(question.services)} if question.services else {}),
        "environment": question.environment,
        "change": question.change,
        "duration_s": question.duration,
        "ref": hold.ref,
        "actor": hold.actor,
        "run_url": hold.run_url,
        "requested_by": hold.requested_by,
        "created_at": format_instant(hold.created_at),
        "expires_at": format_instant(hold.expires_at),
        "changed_at": format_instant(hold.changed_at),
        "opens_at": instant_or_none(hold.opens_at),
        "decision_id": hold.decision_id,
        "cancelled_by": hold.cancelled_by,
        "cancel_reason": hold.cancel_reason,
    }


def proof(hold: Hold) -> dict[str, str | None]:
    """Return the fingerprints by which the record proves the target and the encrypted secret of a hold."""
    return {
        "target": fingerprint(json.dumps(hold.target, sort_keys=True)),
        "sealed": None if hold.sealed is None else fingerprint(hold.sealed),
        "key_id": hold.key_id,
    }


def _cancelled(hold: Hold, caller: Caller, reason: str | None) -> str:
    question = hold.question
    by = f"{caller.name or 'somebody'} cancelled it"
    why = f"{by}: {reason}" if reason else f"{by}."
    return f"{question.service} is not deployed to {question.environment}: {why}"


def _check(caller: Caller, wanted: HoldRequest, known: PolicySet, now: int) -> None:
    """Look whether a deploy may wait, and whether all its texts can be recorded as they are."""
    Claim(
        wanted.question,
        ref=wanted.ref,
        actor=wanted.actor,
        run_url=wanted.run_url,
        caller=caller,
        idempotency_key=wanted.key,
    ).check(known)
    for name, most in _LONGEST.items():
        if len(getattr(wanted, name) or "") > most:
            raise InvalidFieldError(name, f"has more than {most:,} letters")
    if len(json.dumps(wanted.target)) > MOST_TARGET:
        raise InvalidFieldError("answer", f"has more than {MOST_TARGET:,} letters")
    if len(wanted.secret or "") > MOST_SECRET:
        raise InvalidFieldError("secret", f"has more than {MOST_SECRET:,} letters")
    _check_end(wanted.expires_at, now)


def _check_end(expires_at: int | None, now: int) -> None:
    if expires_at is None:
        return
    if expires_at <= now:
        raise InvalidFieldError("expires_at", "lies in the past")
    if expires_at > now + LONGEST_WAIT:
        raise InvalidFieldError("expires_at", f"is more than {LONGEST_WAIT // DAY} days away")


def _usual_end(opens_at: int | None, now: int) -> int:
    """Return until when a deploy waits whose request doesn't say: a whole freeze, if it can."""
    return min(max(opens_at or now, now) + USUAL_WAIT, now + LONGEST_WAIT)
