"""The release of waiting deploys: once a second, by the replica that has the lease of holds.

Each release is a claim at that moment: its decision, the changed hold and the queued answer are committed in
one transaction. That transaction counts the releases before it, so that neither a new leader nor one that was
killed lets more through than the pace allows.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from app.clock import Clock
from app.core.decision import Decision
from app.core.environment import EnvironmentKind
from app.core.errors import FreezegateError
from app.core.explain import message
from app.core.hold import POLLED, AnswerKind, Hold, HoldState, Reporting
from app.core.release import Pace, is_report_due, may_report, next_batch
from app.gate.audit_events import Kind
from app.gate.claim import Claim, Claims
from app.gate.errors import StoreUnavailableError
from app.gate.hold_changes import Moment, change, queue_answer
from app.gate.holds import MOST_UNFINISHED
from app.gate.in_force import InForce, Policies
from app.gate.leases import Lease
from app.gate.store_cache import StoreCache
from app.identity.caller import Caller, Role

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.transaction import Transaction
    from app.store.view import View

_TOGETHER: Final = 25
"""Reports and expiries per transaction, which takes milliseconds then: claims wait for it."""

_MOST_REPORTS: Final = 200
"""Reports per pass: after a thousand arrivals at once, the pass itself must not last for seconds."""

_logger: Final = logging.getLogger("freezegate.holds")


class _NotNowError(FreezegateError):
    """A hold is not released at this moment; it waits on, or is finished already."""


class _RevokedError(FreezegateError):
    """The key that asked for a hold was revoked."""


class _Judged(NamedTuple):
    """The decision on a hold; None if the policies can't decide it any more."""

    in_force: InForce
    decision: Decision | None

    def stands(self, in_force: InForce, at: int) -> bool:
        """Return whether it is still the decision at an instant."""
        decision = self.decision
        if self.in_force is not in_force or decision is None:
            return False
        return decision.at <= at and (decision.flips_at is None or at < decision.flips_at)

    @property
    def allowed(self) -> bool:
        """Whether the deploy may start."""
        return self.decision is not None and self.decision.allowed

    @property
    def opens_at(self) -> int | None:
        """When it opens; None if unknown or open."""
        return None if self.decision is None else self.decision.opens_at


class Releases:
    """Releases holds in batches, tells vendors how long the others wait, and rejects those that expire."""

    def __init__(
        self,
        store: "Store",
        policies: Policies,
        clock: Clock,
        cache: StoreCache,
        claims: Claims,
        lease: Lease,
        reportings: Mapping[str, Reporting],
        full: Mapping[str, int],
    ) -> None:
        """Release the holds of `store` while this replica has `lease`.

        Args:
            store: has the holds.
            policies: in force on this replica.
            clock: the source of the time.
            cache: gives the time that never goes back.
            claims: records each release.
            lease: held by one replica at a time.
            reportings: the progress reports that each vendor takes.
            full: the environments in which approvals wait for room; see `app.gate.answers.Answers.full`.
        """
        self._store = store
        self._policies = policies
        self._clock = clock
        self._cache = cache
        self._claims = claims
        self._lease = lease
        self._reportings = reportings
        self._full = full
        self._waiting: dict[str, Hold] = {}
        """The holds that waited at the last pass, by id."""
        self._judged: dict[str, _Judged] = {}
        """The decisions of the last pass: most of them stand for hours."""

    async def look(self) -> None:
        """Make one pass over all holds that wait.

        Raises:
            StoreUnavailableError: the store can't be read or written.
        """
        in_force = self._policies.in_force
        at = Moment.of(self._clock, self._cache)
        read = partial(_waiting, known=self._waiting, in_force=in_force, now=at.now)
        waiting, released = await self._store.read(read)
        if not waiting or not await self._lease.take():
            self._waiting, self._judged = {}, {}
            return
        self._waiting = {each.id: each for each in waiting}
        expired = [each for each in waiting if each.expires_at <= at.now]
        waiting = [each for each in waiting if each.expires_at > at.now]
        self._judged = await asyncio.to_thread(self._judge, waiting, in_force, at)
        await self._expire(expired, in_force, at)
        allowed = (each for each in waiting if self._judged[each.id].allowed and self._has_room(each, at))
        batch = next_batch(allowed, released, lambda place: pace_of(in_force, place))
        await asyncio.gather(*(self._release(each, in_force) for each in batch))
        taken = {each.id for each in batch}
        await self._report([each for each in waiting if each.id not in taken], in_force, at)

    def _has_room(self, hold: Hold, at: Moment) -> bool:
        """Return whether a hold can be answered, and no approval of its environment waits for room."""
        if hold.responder != POLLED and hold.responder not in self._reportings:
            return False  # its section was removed, and it would only use up the place of another
        return self._full.get(hold.question.environment, 0) < at.now - 1

    def _judge(self, waiting: Sequence[Hold], in_force: InForce, at: Moment) -> dict[str, _Judged]:
        """Decide those whose last decision doesn't stand any more; runs in a thread."""
        second = at.microseconds // 1_000_000
        judged = {}
        for hold in waiting:
            known = self._judged.get(hold.id)
            if known is None or not known.stands(in_force, second):
                known = _Judged(in_force, decide(in_force, hold, second))
            judged[hold.id] = known
        return judged

    async def _expire(self, expired: Sequence[Hold], in_force: InForce, at: Moment) -> None:
        for some in _parts(expired):
            sentences = [_too_late(each, in_force, at) for each in some]
            await self._store.write(partial(_reject, some, sentences, Kind.HOLD_EXPIRED, at))

    async def _release(self, hold: Hold, in_force: InForce) -> None:
        """Release a hold by a claim; if it can't be at this moment, it waits on."""
        claim = Claim(
            hold.question,
            ref=hold.ref,
            actor=hold.actor,
            run_url=hold.run_url,
            caller=Caller(hold.requested_by, Role.CI),
            request_id=hold.id,
            deploy_id=hold.key,
        )
        try:
            await self._claims.claim(claim, in_force, partial(self._settle, hold, in_force))
        except _RevokedError:
            sentence = f"{_subject(hold, in_force)}: the key that asked was revoked."
            at = Moment.of(self._clock, self._cache)
            rejected = [(sentence, None)]
            await self._store.write(partial(_reject, [hold], rejected, Kind.HOLD_CANCELLED, at))
        except _NotNowError:
            self._judged.pop(hold.id, None)
        except StoreUnavailableError:
            raise
        except FreezegateError as error:
            _logger.warning("a deploy that waits can't be decided", extra={"fields": _fields(hold, error)})

    def _settle(
        self,
        hold: Hold,
        in_force: InForce,
        transaction: "Transaction",
        decision: Decision,
        decision_id: str,
    ) -> None:
        at = Moment.of(self._clock, self._cache)
        held = transaction.hold(hold.id)
        if held is None or held.state is not HoldState.WAITING or not decision.allowed:
            raise _NotNowError
        if _is_revoked(held, transaction):
            raise _RevokedError
        pace = pace_of(in_force, held.question.environment)
        if transaction.count_released(held.question.environment, at.now - pace.every) >= pace.batch:
            raise _NotNowError
        polled = held.responder == POLLED
        released = held._replace(
            state=HoldState.APPROVED if polled else HoldState.RELEASED,
            released_at=at.now,
            decision_id=decision_id,
        )
        sentence = message(decision, in_force.home)
        queued = queue_answer(transaction, released, AnswerKind.APPROVED, sentence, None, at)
        change(transaction, queued, Kind.HOLD_RELEASED, held.requested_by, at)

    async def _report(self, waiting: Sequence[Hold], in_force: InForce, at: Moment) -> None:
        """Queue the progress of those whose opening has moved, or that must be heard of again."""
        due = [each for each in waiting if self._is_due(each, at)][:_MOST_REPORTS]
        for some in _parts(due):
            sentences = [_progress(each, in_force, at) for each in some]
            await self._store.write(partial(self._tell, some, sentences, at))

    def _is_due(self, hold: Hold, at: Moment) -> bool:
        judged = self._judged.get(hold.id)
        # One that is allowed and waits for its turn hears no other instant.
        opens_at = hold.opens_at if judged is None or judged.allowed else judged.opens_at
        reporting = self._takes(hold)
        if reporting is None:
            return opens_at != hold.opens_at
        return is_report_due(hold, opens_at, reporting, at.now)

    def _takes(self, hold: Hold) -> Reporting | None:
        """Return what a vendor takes; None if it takes no progress, or no more: then only the list has it."""
        reporting = self._reportings.get(hold.responder)
        return None if reporting is None or not may_report(hold, reporting) else reporting

    def _tell(
        self,
        some: Sequence[Hold],
        sentences: Sequence[tuple[str, int | None]],
        at: Moment,
        transaction: "Transaction",
    ) -> None:
        for hold, (sentence, opens_at) in zip(some, sentences, strict=True):
            held = transaction.hold(hold.id)
            if held is None or held.state is not HoldState.WAITING:
                continue
            told = held._replace(opens_at=opens_at)
            if self._takes(held) is not None:
                told = queue_answer(transaction, told, AnswerKind.PROGRESS, sentence, opens_at, at)
                told = told._replace(told_at=at.now)
            transaction.change_hold(told)


def pace_of(in_force: InForce, environment: str) -> Pace:
    """Return the pace at which waiting deploys to an environment are released."""
    release = in_force.policy_set.environment(environment).release
    return Pace(release.batch, release.every)


def decide(in_force: InForce, hold: Hold, second: int) -> Decision | None:
    """Decide whether a hold's deploy may start; None if the policies list its names no more."""
    try:
        return in_force.engine.decide(hold.question, second)
    except FreezegateError:
        return None


def _parts(holds: Sequence[Hold]) -> Iterator[Sequence[Hold]]:
    for first in range(0, len(holds), _TOGETHER):
        yield holds[first : first + _TOGETHER]


def _waiting(
    view: "View", known: Mapping[str, Hold], in_force: InForce, now: int
) -> tuple[list[Hold], dict[str, int]]:
    waiting = view.waiting_holds(MOST_UNFINISHED, known)
    places = {each.question.environment for each in waiting}
    released = {place: view.count_released(place, now - pace_of(in_force, place).every) for place in places}
    return waiting, released


def _reject(
    some: Iterable[Hold],
    sentences: Iterable[tuple[str, int | None]],
    kind: Kind,
    at: Moment,
    transaction: "Transaction",
) -> None:
    """Reject holds, and queue the answer that says why."""
    for hold, (sentence, opens_at) in zip(some, sentences, strict=True):
        held = transaction.hold(hold.id)
        if held is None or held.state is not HoldState.WAITING:
            continue
        state = HoldState.REJECTED if kind is Kind.HOLD_EXPIRED else HoldState.CANCELLED
        rejected = held._replace(state=state, opens_at=opens_at)
        if state is HoldState.CANCELLED:
            rejected = rejected._replace(cancelled_by="", cancel_reason=sentence)
        rejected = queue_answer(transaction, rejected, AnswerKind.REJECTED, sentence, opens_at, at)
        more = {} if kind is Kind.HOLD_EXPIRED else {"reason": sentence}
        change(transaction, rejected, kind, "", at, **more)


def _is_revoked(hold: Hold, transaction: "Transaction") -> bool:
    if hold.key_id is None:
        return False
    key = transaction.key(hold.key_id)
    return key is None or key.revoked_at is not None


def _subject(hold: Hold, in_force: InForce) -> str:
    place = hold.question.environment
    merge = in_force.policy_set.environment(place).kind is EnvironmentKind.MERGE
    return f"{hold.question.service} may not be {'merged into' if merge else 'deployed to'} {place}"


def _in_words(hold: Hold, in_force: InForce, at: Moment) -> tuple[str, Decision | None]:
    decision = decide(in_force, hold, at.microseconds // 1_000_000)
    if decision is None:
        return f"{_subject(hold, in_force)}: the policies don't list it any more.", None
    return message(decision, in_force.home), decision


def _too_late(hold: Hold, in_force: InForce, at: Moment) -> tuple[str, int | None]:
    sentence, decision = _in_words(hold, in_force, at)
    opens_at = None if decision is None else decision.opens_at
    if decision is not None and decision.allowed:
        return f"{_subject(hold, in_force)}: it can't wait any longer, and its turn has not come.", None
    return f"{sentence} It can't wait any longer.", opens_at


def _progress(hold: Hold, in_force: InForce, at: Moment) -> tuple[str, int | None]:
    sentence, decision = _in_words(hold, in_force, at)
    if decision is None or not decision.allowed:
        return sentence, None if decision is None else decision.opens_at
    pace = pace_of(in_force, hold.question.environment)
    return f"{sentence} It waits for its turn: {pace}.", hold.opens_at


def _fields(hold: Hold, error: Exception) -> dict[str, str]:
    return {"hold": hold.id, "why": str(error)}
