"""The hold: a deploy that waits for the gate to open, and is answered then.

A hold is kept for a system that asks once and takes the answer later. It is released by a claim at the
moment of its release; before that, nothing counts as a deploy.
"""

from enum import StrEnum
from typing import Any, Final, NamedTuple

from app.core.decision import Question

LONGEST_WAIT: Final = 35 * 24 * 3_600
"""Seconds that a hold may wait; no platform waits for longer than 30 days."""

POLLED: Final = "poll"
"""The responder of holds that are answered by nobody: the one who waits looks by itself."""

CALLBACK: Final = "callback"
"""The responder of holds whose answer goes to a URL of the request."""

OF_CALLERS: Final = (POLLED, CALLBACK)
"""The responders of holds whose keys callers choose: one key is one hold of either."""


class HoldState(StrEnum):
    """The state of a hold; the first two are unfinished."""

    WAITING = "waiting"
    RELEASED = "released"
    """A claim has let it through, and its answer is on the way."""
    APPROVED = "approved"
    """The platform has taken the answer."""
    REJECTED = "rejected"
    """It could not wait longer; the platform is told so."""
    CANCELLED = "cancelled"
    """The one who asked took it back, or somebody else stopped it; then the platform is told so."""
    FAILED = "failed"
    """The platform did not take the answer."""


UNFINISHED: Final = frozenset({HoldState.WAITING, HoldState.RELEASED})


class Hold(NamedTuple):
    """One hold; instants in seconds, UTC."""

    id: str
    responder: str
    """The vendor that is answered, such as ``github``."""
    key: str
    """Identifies the waiting deploy at the vendor: asked again with it, it is the same hold."""
    question: Question
    ref: str | None
    actor: str | None
    run_url: str | None
    requested_by: str
    """The caller who asked; empty for an anonymous one."""
    target: dict[str, Any]
    """JSON-compatible: where and how the vendor is answered; nothing secret."""
    sealed: str | None
    """The secret that must be given back, encrypted; None if there is none."""
    created_at: int
    expires_at: int
    """The instant until which the vendor can wait; it is rejected then."""
    state: HoldState
    changed_at: int
    opens_at: int | None
    """When it opens, as it was last reported; None if unknown."""
    decision_id: str | None
    """The claim that released it."""
    reports: int
    """The answers of any kind that the vendor may have got: those queued, and further attempts."""
    told_at: int | None = None
    """When its last progress report was queued."""
    released_at: int | None = None
    """When it was last released; it stays when the hold waits again."""
    key_id: str | None = None
    """The API key that asked; once that is revoked, nothing is released for it."""
    cancelled_by: str | None = None
    """The caller who cancelled it; empty for an anonymous one and for the gate itself; None if nobody did."""
    cancel_reason: str | None = None

    @property
    def is_of_vendor(self) -> bool:
        """Whether a system asked by its webhook, not a caller by the API."""
        return self.responder not in (POLLED, CALLBACK)

    @property
    def service(self) -> str:
        """The service, or several in words."""
        return self.question.service


class Reporting(NamedTuple):
    """The progress reports that a vendor takes."""

    most: int
    """The most answers of any kind that it takes for one deploy; the final one has a place kept."""
    every: int | None = None
    """Seconds after which it must hear of a deploy again, or takes it for lost; None: it need not."""


class AnswerKind(StrEnum):
    """The kinds of answer to a hold."""

    PROGRESS = "progress"
    """It still waits; told on arrival and whenever the time of the opening changes."""
    APPROVED = "approved"
    REJECTED = "rejected"


class HoldAnswer(NamedTuple):
    """An answer to a hold."""

    hold: Hold
    kind: AnswerKind
    sentence: str
    """The sentence for people, as in a decision's ``message``; one line of plain text."""
    opens_at: int | None
    """When it opens, for progress and rejections; None if unknown or open."""
