"""The changes of holds: each is stored with its event, and with the answer that follows from it."""

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from app.clock import Clock
from app.core.hold import POLLED, AnswerKind, Hold
from app.core.instant import format_instant
from app.gate.audit_events import Kind, happened
from app.gate.store_cache import StoreCache

if TYPE_CHECKING:
    from app.store.transaction import Transaction

_HOST: Final = re.compile(r"https?://([^/?#\"]+)")


class Moment(NamedTuple):
    """The present."""

    microseconds: int
    """By the machine's clock, which decisions and events go by."""
    now: int
    """In seconds, by the time that never goes back, which holds go by; see `app.clock.SteadyClock`."""

    @classmethod
    def of(cls, clock: Clock, cache: StoreCache) -> "Moment":
        """Return the present of a replica."""
        return cls(clock.microseconds(), cache.steady.now())


def change(
    transaction: "Transaction", hold: Hold, kind: Kind, actor: str, at: Moment, **more: object
) -> Hold:
    """Store a changed hold with its event; return it with the instant of the change."""
    changed = hold._replace(changed_at=at.now)
    transaction.change_hold(changed)
    transaction.append(
        happened(
            at.microseconds,
            kind,
            actor,
            hold=changed.id,
            state=changed.state.value,
            changed_at=format_instant(at.now),
            decision_id=changed.decision_id,
            **more,
        )
    )
    return changed


def queue_answer(
    transaction: "Transaction",
    hold: Hold,
    kind: AnswerKind,
    sentence: str,
    opens_at: int | None,
    at: Moment,
) -> Hold:
    """Queue an answer, instead of an older one that waits; return the hold with it counted, not yet stored.

    A hold that nobody is to be answered for is returned as it is.
    """
    if hold.responder == POLLED:
        return hold
    data = {
        "kind": kind.value,
        "sentence": sentence,
        "opens_at": opens_at,
        "decision": hold.decision_id,
        "to": destination(hold),
        "place": hold.question.environment,
    }
    transaction.put_answer(hold.responder, hold.id, json.dumps(data), at.now)
    return hold._replace(reports=hold.reports + 1)


def destination(hold: Hold) -> str:
    """Return the place that a hold's answer goes to: holds of the same place fail together."""
    # Of an App: each installation has its own rate limit and permissions.
    installation = hold.target.get("installation")
    if installation is not None:
        return f"{hold.responder} {installation}"
    host = _HOST.search(json.dumps(hold.target))
    return hold.responder if host is None else f"{hold.responder} {host[1]}"
