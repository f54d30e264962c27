"""The answers to holds: which are due, whether they are still right, and what became of each attempt.

They are delivered at least once. A message stands in the outbox until the vendor has taken it, or never will;
a newer answer to the same hold takes its place. Before an approval is sent, each time, the question is asked
again: if a freeze has begun since the release, nothing is sent, and the hold waits again. An approval that is
sent later than its release takes a place in the batch of that moment: a platform that was down for an hour
doesn't start all deploys of that hour at once.
"""

import json
import logging
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from app.clock import Clock
from app.core.decision import Decision
from app.core.explain import message as in_words
from app.core.hold import AnswerKind, Hold, HoldAnswer, HoldState
from app.core.instant import DAY, HOUR, MINUTE
from app.core.release import Pace
from app.gate.audit_events import Kind
from app.gate.hold_changes import Moment, change
from app.gate.holds import MOST_UNFINISHED, Holds
from app.gate.in_force import InForce, Policies, with_freezes
from app.gate.leases import Lease
from app.gate.outbox import DeliveryResult, pause
from app.gate.releases import decide, pace_of
from app.gate.store_cache import StoreCache
from app.identity.sealing import UnsealError
from app.store.records import OutboxMessage

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.transaction import Transaction
    from app.store.view import View

MOST_AT_ONCE: Final = 16
"""Answers that are sent at a time."""

MOST_OF_DESTINATION: Final = 4
"""Answers that are sent to one host at a time; the others are left for those that answer faster."""

DOWN_AFTER: Final = 3
"""Holds whose answers fail, and none is taken, before a host counts as down: it is tried by one at a time."""

_LONGEST_QUIET: Final = MINUTE
"""Seconds between two attempts on a host that is down."""

MOST_PROGRESS: Final = 3
"""Attempts of a report of progress; the next one follows anyway."""

_GIVEN_UP_AFTER: Final = DAY
"""Seconds after which a rejection is no longer retried; an approval is until the hold expires."""

_LONGEST_ASKED: Final = HOUR

_STATES: Final = {
    AnswerKind.PROGRESS: frozenset({HoldState.WAITING}),
    AnswerKind.APPROVED: frozenset({HoldState.RELEASED}),
    AnswerKind.REJECTED: frozenset({HoldState.REJECTED, HoldState.CANCELLED}),
}
"""The states in which a hold is given each kind of answer; in another one, the answer is outdated."""

_logger: Final = logging.getLogger("freezegate.holds")


class Due(NamedTuple):
    """An answer that is due."""

    message: OutboxMessage
    hold_id: str
    kind: AnswerKind
    sentence: str
    opens_at: int | None
    decision_id: str | None
    to: str
    """Its destination; see `app.gate.hold_changes.destination`."""
    place: str
    """The environment of the hold."""


class Ready(NamedTuple):
    """An answer that may be sent now."""

    due: Due
    answer: HoldAnswer
    secret: str | None
    released_at: int | None
    """When the hold was released, before this attempt took a place: if it fails, the place is given back."""


class _Found(NamedTuple):
    """A hold as an attempt finds it, with the policies and freezes of that moment."""

    hold: Hold | None
    in_force: InForce


class _Destination:
    """The failures of a destination since it last took an answer."""

    def __init__(self) -> None:
        self.failed: set[str] = set()
        """The holds whose answers it did not take."""
        self.attempts = 0
        """The failures since it is down."""
        self.quiet_until = 0

    def room(self, now: int) -> int:
        """Return the number of answers that may be on their way to it at a time."""
        if now < self.quiet_until:
            return 0
        return 1 if len(self.failed) >= DOWN_AFTER else MOST_OF_DESTINATION

    def note_failure(self, hold_id: str, retry_after: int, now: int, jitter: float) -> None:
        """Note an answer that was not taken."""
        self.failed.add(hold_id)
        quiet = min(retry_after, _LONGEST_ASKED)
        if len(self.failed) >= DOWN_AFTER:
            quiet = max(quiet, min(pause(self.attempts, jitter), _LONGEST_QUIET))
            self.attempts += 1
        self.quiet_until = now + quiet


class Answers:
    """The answers of a store, while this replica has the lease of holds."""

    def __init__(
        self,
        store: "Store",
        policies: Policies,
        clock: Clock,
        cache: StoreCache,
        holds: Holds,
        lease: Lease,
    ) -> None:
        """Read and write the outbox of `store`; the secrets of `holds` are unsealed by its key."""
        self._store = store
        self._policies = policies
        self._clock = clock
        self._cache = cache
        self._holds = holds
        self._lease = lease
        self._queue: list[Due] = []
        """The answers that were due at the last look, less those that were sent since."""
        self._read_at = -1
        self._on_their_way: dict[str, str] = {}
        """The destinations of the answers that are being sent, by their holds."""
        self._destinations: dict[str, _Destination] = {}
        """Those that have failed since they last took an answer."""
        self.full: dict[str, int] = {}
        """The last second in which an approval found no room, by its environment."""

    async def due(self) -> list[Due]:
        """Return the answers to be sent now; each must be passed to `finish` in the end.

        Of each hold there is one at a time, so that its answers keep their order. Destinations that are down
        hold up no other.

        Raises:
            StoreUnavailableError: the store can't be read or written.
        """
        now = self._cache.steady.now()
        chosen = self._chosen(now) if now == self._read_at and self._lease.held else []
        if chosen or len(self._on_their_way) >= MOST_AT_ONCE:
            return chosen
        messages = await self._store.read(lambda view: view.due_answers(now, MOST_UNFINISHED))
        # New ones first: an answer that keeps failing must not take the turn of another to the same host.
        self._queue = sorted(filter(None, map(_parsed, messages)), key=lambda each: each.message.attempts)
        self._read_at = now
        return self._chosen(now) if self._queue and await self._lease.take() else []

    def _chosen(self, now: int) -> list[Due]:
        """Take those answers from the queue for which there is room."""
        chosen: list[Due] = []
        busy = Counter(self._on_their_way.values())
        for each in self._queue:
            if len(self._on_their_way) >= MOST_AT_ONCE:
                break
            if not self._has_room(each, busy[each.to], now):
                continue
            busy[each.to] += 1
            self._on_their_way[each.hold_id] = each.to
            chosen.append(each)
        taken = {each.message.id for each in chosen}
        self._queue = [each for each in self._queue if each.message.id not in taken]
        return chosen

    def _has_room(self, due: Due, busy: int, now: int) -> bool:
        """Return whether an answer may be sent, with `busy` others on their way to its destination."""
        if due.hold_id in self._on_their_way:
            return False
        if due.kind is AnswerKind.APPROVED and self.full.get(due.place) == now:
            return False
        return busy < self._destinations.get(due.to, _UNKNOWN).room(now)

    def finish(self, due: Due) -> None:
        """Let the next answer to the same hold be sent."""
        self._on_their_way.pop(due.hold_id, None)
        # It may have been read again meanwhile.
        self._queue = [each for each in self._queue if each.hold_id != due.hold_id]

    async def prepare(self, due: Due) -> Ready | None:
        """Return an answer as it is to be sent.

        Returns:
            None if it is outdated, which is noted then; or if it is an approval that finds no room now.

        Raises:
            StoreUnavailableError: the store can't be read or written.
        """
        hold, in_force = await self._store.read(partial(self._find, due))
        if hold is None or not _is_current(due, hold):
            await self._store.write(lambda transaction: transaction.drop_message(due.message))
            return None
        answer = HoldAnswer(hold, due.kind, due.sentence, due.opens_at)
        if due.kind is AnswerKind.APPROVED:
            decision = decide(in_force, hold, self._clock.now())
            if decision is None or not decision.allowed:
                await self._store.write(partial(self._return, due, decision))
                return None
            if not await self._takes_place(due, hold, in_force):
                return None
            answer = answer._replace(sentence=in_words(decision, in_force.home))
        ready = Ready(due, answer, None, hold.released_at)
        try:
            return ready._replace(secret=self._unsealed(hold))
        except UnsealError as error:
            later = DeliveryResult("later", str(error))
            await self._store.write(partial(self._settle, ready, later, 0))
            return None

    async def _takes_place(self, due: Due, hold: Hold, in_force: InForce) -> bool:
        """Give an approval a place among the releases of this moment; return False if there is none."""
        now, place = self._cache.steady.now(), hold.question.environment
        if hold.released_at == now:
            return True
        taken = await self._store.write(partial(_take_place, due, pace_of(in_force, place), now))
        if taken:
            self.full.pop(place, None)
        else:
            self.full[place] = now
        return taken

    async def settle(self, ready: Ready, result: DeliveryResult, jitter: float) -> None:
        """Record the result of an attempt.

        Args:
            ready: the answer that was sent.
            result: the reply of the vendor.
            jitter: from 0 to 1, at random, so that answers that failed together are not retried together.

        Raises:
            StoreUnavailableError: it can't be recorded; the answer is sent once more then.
        """
        to, now = ready.due.to, self._cache.steady.now()
        if result.outcome == "later":
            known = self._destinations.setdefault(to, _Destination())
            known.note_failure(ready.due.hold_id, result.retry_after, now, jitter)
        else:
            self._destinations.pop(to, None)
        await self._store.write(partial(self._settle, ready, result, jitter))

    def _find(self, due: Due, view: "View") -> _Found:
        in_force = self._policies.in_force
        version = view.head().freezes_version
        if version != in_force.freezes_version:
            in_force = with_freezes(in_force, view.freezes_after(self._clock.now()), version)
        return _Found(view.hold(due.hold_id), in_force)

    def _return(self, due: Due, decision: Decision | None, transaction: "Transaction") -> None:
        """Let a hold wait again, because its deploy may not start any more."""
        hold = transaction.hold(due.hold_id)
        transaction.drop_message(due.message)
        if hold is None or not _is_current(due, hold):
            return
        blocking = [] if decision is None else [each.rule.id for each in decision.blocking]
        waiting = hold._replace(state=HoldState.WAITING, decision_id=None)
        at = Moment.of(self._clock, self._cache)
        change(transaction, waiting, Kind.HOLD_RETURNED, "", at, decision=due.decision_id, blocking=blocking)

    def _unsealed(self, hold: Hold) -> str | None:
        if hold.sealed is None:
            return None
        if self._holds.sealing is None:
            raise UnsealError("there is no secret key to decrypt it")
        return self._holds.sealing.unseal(hold.sealed)

    def _settle(
        self, ready: Ready, result: DeliveryResult, jitter: float, transaction: "Transaction"
    ) -> None:
        due, at = ready.due, Moment.of(self._clock, self._cache)
        hold = transaction.hold(due.hold_id)
        if hold is None or not _is_current(due, hold):
            transaction.drop_message(due.message)
            return
        if result.outcome == "later" and not _is_given_up(due, hold, at.now):
            asked = min(result.retry_after, _LONGEST_ASKED)
            then = at.now + max(pause(due.message.attempts, jitter), asked)
            transaction.note_failed(due.message, then, result.why)
            # The vendor may have got it all the same.
            failed = hold._replace(reports=hold.reports + 1, released_at=ready.released_at)
            transaction.change_hold(failed)
            if due.message.attempts == 0:
                _logger.warning("an answer could not be sent; it is tried again", extra=_fields(due, result))
            return
        transaction.drop_message(due.message)
        if due.kind is AnswerKind.PROGRESS:
            return
        self._finished(due, hold, result, at, transaction)

    @staticmethod
    def _finished(
        due: Due, hold: Hold, result: DeliveryResult, at: Moment, transaction: "Transaction"
    ) -> None:
        """Record the end of a hold, and delete its secret."""
        state = hold.state
        if due.kind is AnswerKind.APPROVED:
            state = HoldState.APPROVED if result.outcome == "taken" else HoldState.FAILED
        if result.outcome != "taken":
            _logger.warning("an answer was given up", extra=_fields(due, result))
        finished = hold._replace(state=state, sealed=None)
        change(
            transaction,
            finished,
            Kind.HOLD_ANSWERED,
            "",
            at,
            answer=due.kind.value,
            result=result.outcome,
            why=result.why,
        )


_UNKNOWN: Final = _Destination()


def _is_current(due: Due, hold: Hold) -> bool:
    """Return whether an answer still belongs to the state of its hold."""
    if due.kind is AnswerKind.APPROVED and due.decision_id != hold.decision_id:
        return False
    return hold.state in _STATES[due.kind]


def _take_place(due: Due, pace: Pace, now: int, transaction: "Transaction") -> bool:
    """Count an approval as released now, if there is room for it; its own place counts until that is over."""
    hold = transaction.hold(due.hold_id)
    if hold is None or not _is_current(due, hold):
        return False
    since = now - pace.every
    is_counted = hold.released_at is not None and hold.released_at > since
    if not is_counted and transaction.count_released(hold.question.environment, since) >= pace.batch:
        return False
    transaction.change_hold(hold._replace(released_at=now))
    return True


def _is_given_up(due: Due, hold: Hold, now: int) -> bool:
    """Return whether an answer that failed is not tried again."""
    if due.kind is AnswerKind.PROGRESS:
        return due.message.attempts + 1 >= MOST_PROGRESS
    if due.kind is AnswerKind.APPROVED:
        return now >= hold.expires_at
    return now - due.message.created_at >= _GIVEN_UP_AFTER


def _parsed(message: OutboxMessage) -> Due | None:
    """Parse a message; None if another version wrote it in a form that is not known here."""
    try:
        data = json.loads(message.data)
        return Due(
            message=message,
            hold_id=message.key,
            kind=AnswerKind(data["kind"]),
            sentence=data["sentence"],
            opens_at=data["opens_at"],
            decision_id=data["decision"],
            to=data["to"],
            place=data["place"],
        )
    except (ValueError, TypeError, KeyError):
        return None


def _fields(due: Due, result: DeliveryResult) -> dict[str, dict[str, str]]:
    fields = {"hold": due.hold_id, "answer": due.kind.value, "to": due.to, "why": result.why}
    return {"fields": fields}
