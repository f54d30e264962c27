"""The claim: decide, record, and only then answer."""

import hashlib
import json
import os
import re
from typing import Any, Final, NamedTuple, Protocol

from app.clock import Clock
from app.core.answer import answer
from app.core.decision import Decision, Question
from app.core.errors import MalformedValueError
from app.gate.in_force import InForce
from app.gate.versions import holidays_version, tzdata_version
from app.store.records import DecisionRecord, PolicyRevision, Recorded

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_INVALID_TOKEN: Final[dict[str, Any]] = {"id": None, "result": "invalid", "uncovered": [], "uses_left": None}

# Half of a surrogate pair is no text that a database takes; control characters have no place in a record.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


class Records(Protocol):
    """Where decisions are recorded; `app.store.store.Store` is one."""

    async def record(self, claim: DecisionRecord, policies: PolicyRevision | None = None) -> Recorded:
        """Record a decision durably, with the policies it was made by if these are not kept yet."""
        ...

    def keeps(self, revision: str) -> bool:
        """Whether the policies of a revision are kept."""
        ...


class Claim(NamedTuple):
    """What a pipeline says before it deploys."""

    question: Question
    ref: str | None = None
    actor: str | None = None
    run_url: str | None = None
    caller: str = ""
    idempotency_key: str | None = None
    token_presented: bool = False
    request_id: str = ""

    @property
    def fingerprint(self) -> str:
        """A hash of what makes it the same request when it is tried again."""
        told = (*self.question, self.ref, self.actor, self.run_url, self.token_presented)
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def check(self) -> None:
        """Look whether all texts can be recorded as they are.

        Raises:
            MalformedValueError: one holds control characters or half a surrogate pair.
        """
        texts = {
            "service": self.question.service,
            "ref": self.ref,
            "actor": self.actor,
            "run_url": self.run_url,
            "caller": self.caller,
            "idempotency_key": self.idempotency_key,
            "request_id": self.request_id,
        }
        if _UNFIT.search("".join(filter(None, texts.values()))) is None:
            return
        name = next(name for name, text in texts.items() if text and _UNFIT.search(text))
        raise MalformedValueError(f"{name}: takes no control characters, and only whole characters")


class Claimed(NamedTuple):
    """The answer to a claim: what stands in the record."""

    body: bytes
    outcome: str
    opens_at: int | None

    @property
    def allowed(self) -> bool:
        """Whether the deploy may start."""
        return self.outcome != "deny"


class Claims:
    """Decides claims and has them recorded."""

    def __init__(self, records: Records, clock: Clock) -> None:
        """Record in `records`, with the time of `clock`."""
        self._records = records
        self._clock = clock
        self._policies = PolicyRevision("", 0, "")

    async def claim(self, claim: Claim, in_force: InForce) -> Claimed:
        """Decide a claim by the policies in force, now.

        Raises:
            UnknownNameError: the policies list no such environment, kind of change or service.
            MalformedValueError: a text of the claim can't be recorded.
            IdempotencyConflictError: the idempotency key stands for another request.
            StoreUnavailableError: the decision could not be recorded, so there is none.
        """
        claim.check()
        microseconds = self._clock.microseconds()
        decision = in_force.engine.decide(claim.question, microseconds // 1_000_000)
        record = _record(claim, decision, in_force, microseconds)
        recorded = await self._records.record(record, self._not_kept_yet(in_force))
        return Claimed(recorded.body.encode(), recorded.outcome, recorded.opens_at)

    def _not_kept_yet(self, in_force: InForce) -> PolicyRevision | None:
        """The policies in force, right after a reload: a decision must not be recorded without them."""
        if self._records.keeps(in_force.revision):
            return None
        if self._policies.revision != in_force.revision:
            texts = in_force.snapshot.to_json()
            self._policies = PolicyRevision(in_force.revision, in_force.loaded_at, texts)
        return self._policies


def decision_id(microseconds: int) -> str:
    """A new id, in the order of time: 48 bits of milliseconds and 80 random ones, in base 32."""
    number = (microseconds // 1_000) << 80 | int.from_bytes(os.urandom(10))
    return "dec_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -5, -5))


def claim_body(
    decision: Decision, in_force: InForce, own_id: str, *, token_presented: bool
) -> dict[str, Any]:
    """The answer to a claim. No token is known yet, so each that is presented is invalid."""
    body = answer(decision, in_force.home, in_force.revision, own_id)
    if token_presented:
        body["override"] = _INVALID_TOKEN
    return body


def _record(claim: Claim, decision: Decision, in_force: InForce, microseconds: int) -> DecisionRecord:
    own_id = decision_id(microseconds)
    question = claim.question
    body = claim_body(decision, in_force, own_id, token_presented=claim.token_presented)
    return DecisionRecord(
        id=own_id,
        at=decision.at,
        recorded_at=microseconds,
        service=question.service,
        environment=question.environment,
        change=question.change,
        duration=question.duration,
        outcome=decision.outcome.value,
        opens_at=decision.opens_at,
        body=json.dumps(body),
        ref=claim.ref,
        actor=claim.actor,
        run_url=claim.run_url,
        caller=claim.caller,
        idempotency_key=claim.idempotency_key,
        fingerprint=None if claim.idempotency_key is None else claim.fingerprint,
        policy_revision=in_force.revision,
        tzdata_version=tzdata_version(),
        holidays_version=holidays_version(),
        request_id=claim.request_id,
    )
