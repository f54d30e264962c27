"""The claim: decide, record, and only then answer.

A claim is decided by what this replica remembers, and settled in a transaction that sees what every
replica did: if a freeze has come or gone since, it is decided again there. A token is judged and
spent in the same transaction that records the decision.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app import __version__
from app.clock import Clock
from app.core.audit import Event
from app.core.continuation import Continuation, LaterStep, continued, continued_parts, judge_continuation
from app.core.decision import Decision, Outcome, Question, each_rule_once
from app.core.decision_json import decision_to_json, determined_by
from app.core.deploy_key import deploy_key
from app.core.errors import MalformedValueError
from app.core.instant import MINUTE, parse_instant
from app.core.override import Use, UseResult, judge
from app.core.policy import PolicySet
from app.gate.audit_events import Kind, happened
from app.gate.check import check_async
from app.gate.claim_answers import Answer, Answers, answer_of
from app.gate.errors import IdempotencyConflictError
from app.gate.ids import new_id
from app.gate.in_force import InForce, with_freezes
from app.gate.scopes import check_services
from app.gate.store_cache import StoreCache
from app.gate.versions import holidays_version, tzdata_version
from app.identity.caller import ANONYMOUS, Caller, Role, person_id
from app.store.records import DecisionRow, PolicyRevision

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.transaction import Transaction

RETRIED_FOR: Final = 15 * MINUTE
"""Seconds after which an allow is not given again into a freeze that has begun since."""

# Half of a surrogate pair is no text that a database takes; control characters have no place in a record.
UNFIT: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


_encode: Final = json.JSONEncoder().encode


class Claim(NamedTuple):
    """The claim of a pipeline before it deploys."""

    question: Question
    ref: str | None = None
    actor: str | None = None
    run_url: str | None = None
    caller: Caller = ANONYMOUS
    idempotency_key: str | None = None
    token: str | None = None
    """The hash of the override token that was presented; empty for what can't be one."""
    request_id: str = ""
    continues: str | None = None
    """The earlier decision whose deploy it continues."""
    deploy_id: str | None = None
    """Identifies the deploy, so that repeated claims count once; see `app.core.deploy_key`."""

    @property
    def fingerprint(self) -> str:
        """A hash of what makes it the same request when it is tried again."""
        service, environment, change, duration, services = self.question
        told: list[Any] = [service, environment, change, duration]
        told += [self.ref, self.actor, self.run_url, self.token]
        if self.continues is not None:
            told.append(self.continues)
        if services:
            told.append(services)
        if self.deploy_id is not None:
            told.append({"deploy_id": self.deploy_id})
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    @property
    def deploy(self) -> str | None:
        """The key of its deploy; None if it names no id of it."""
        question = self.question
        return deploy_key(
            self.deploy_id, self.caller.name, question.names, question.environment, question.change
        )

    def check(self, known: PolicySet) -> None:
        """Look whether it may be made, and whether all its texts can be recorded as they are.

        Raises:
            ForbiddenError: the caller may not claim for this service; `known` has its tags.
            MalformedValueError: a text holds control characters or half a surrogate pair.
        """
        texts = {
            "service": self.question.service,
            "ref": self.ref,
            "actor": self.actor,
            "run_url": self.run_url,
            "caller": self.caller.name,
            "idempotency_key": self.idempotency_key,
            "request_id": self.request_id,
            "continues": self.continues,
            "deploy_id": self.deploy_id,
        }
        if UNFIT.search("".join(filter(None, texts.values()))) is not None:
            name = next(name for name, text in texts.items() if text and UNFIT.search(text))
            raise MalformedValueError(f"{name}: takes no control characters, and only whole characters")
        check_services(self.caller, self.question.names, known)


class Claimed(NamedTuple):
    """The answer to a claim: what stands in the record."""

    body: bytes
    outcome: str
    opens_at: int | None
    determined_by: tuple[str, ...] = ()
    """See `app.core.decision_json.determined_by`."""
    repeats: bool = False
    """Whether an earlier claim of the same deploy had such an answer, so that this one isn't counted."""

    @property
    def allowed(self) -> bool:
        """Whether the deploy may start."""
        return self.outcome != "deny"


Also = Callable[["Transaction", Decision, str], None]
"""Changes that are made in the transaction of a claim, from its decision and the id of that; see `claim`."""


class _PendingClaim(NamedTuple):
    """A claim that is decided and not yet recorded."""

    claim: Claim
    in_force: InForce
    microseconds: int
    decision: Decision
    own_id: str
    continuation: Continuation | None = None


class _Time(NamedTuple):
    """The time that a token is judged by; both are recorded with it."""

    now: int
    """The time that expiries go by, in seconds; see `app.clock.SteadyClock`."""
    behind: int
    """Seconds that the machine's clock, which freezes start by, is behind it."""


class Claims:
    """Decides claims and has them recorded."""

    def __init__(self, store: "Store", clock: Clock, cache: StoreCache) -> None:
        """Record in `store`, with the time of `clock`; `cache` remembers keys and freezes."""
        self._store = store
        self._clock = clock
        self._cache = cache
        self._texts = PolicyRevision("", 0, "")
        self._fresh: InForce | None = None
        self._answers = Answers()

    async def claim(self, claim: Claim, in_force: InForce, also: "Also | None" = None) -> Claimed:
        """Decide a claim by the policies in force, now.

        Args:
            claim: the claim.
            in_force: the policies that it is decided by.
            also: called right before a new decision is recorded. Its changes are committed with it; if it
                raises an error before its first change, nothing is recorded.

        Raises:
            UnknownNameError: the policies list no such environment, kind of change or service.
            TooManyRulesError: too many rules match its services.
            MalformedValueError: a text of the claim can't be recorded.
            ForbiddenError: the caller may not claim for this service.
            UnauthenticatedError: the caller's key was revoked.
            IdempotencyConflictError: the idempotency key stands for another request.
            StoreUnavailableError: the decision could not be recorded, so there is none.
        """
        claim.check(in_force.policy_set)
        microseconds = self._clock.microseconds()
        decision = await check_async(in_force, claim.question, microseconds // 1_000_000)
        draft = _PendingClaim(claim, in_force, microseconds, decision, new_id("dec", microseconds))
        prepared = None
        if claim.continues is not None:
            await self._prepare_stopping(draft)
        elif claim.token is None and claim.deploy_id is None:
            answer = self._answers.to(decision, in_force)
            prepared = _written(draft, answer, None, _Time(decision.at, 0))
        return await self._store.write(partial(self._settle, draft, prepared, also), token=claim.token)

    def _settle(
        self,
        draft: _PendingClaim,
        prepared: "_Written | None",
        also: "Also | None",
        transaction: "Transaction",
    ) -> Claimed:
        if transaction.freezes_version != draft.in_force.freezes_version:
            draft, prepared = self._decided_again(draft, transaction), None
        claim = draft.claim
        # Before anything is answered, a repeated answer too: a revoked key gets none.
        self._cache.check_caller(claim.caller, transaction)
        time = self._time(draft.decision.at)
        if claim.continues is not None:
            draft = _continued(draft, claim.continues, time, transaction)
        if claim.idempotency_key is not None:
            earlier = transaction.decision_of_key(claim.caller.name, claim.idempotency_key)
            if earlier is not None:
                return _again(draft, *earlier, transaction)
        use = None if claim.token is None else self._use(draft, time, transaction)
        if also is not None:
            also(transaction, draft.decision, draft.own_id)
        written = prepared or self._write(draft, use, time, _repeated(draft, use, transaction))
        self._keep_policies(draft.in_force, transaction)
        transaction.record(written.row, written.event, _beyond_row(claim.question))
        if use is not None and use.spends and use.override is not None:
            transaction.append(
                happened(
                    draft.microseconds,
                    Kind.OVERRIDE_SPENT,
                    claim.caller.name,
                    override=use.override.id,
                    decision=draft.own_id,
                    uses_left=use.override.uses_left - 1,
                )
            )
        return written.claimed

    def _write(self, draft: _PendingClaim, use: Use | None, time: _Time, repeats: str | None) -> "_Written":
        """Return what is recorded and answered; see `_written`."""
        if use is None and draft.continuation is None:
            answer = self._answers.to(draft.decision, draft.in_force)
        else:
            told = _told(draft.claim, use)
            answer = answer_of(draft.decision, draft.in_force, told, draft.continuation)
        return _written(draft, answer, use, time, repeats)

    @staticmethod
    async def _prepare_stopping(draft: _PendingClaim) -> None:
        """Compile what the writing thread needs to continue a deploy, so that other claims don't wait."""
        question, at = draft.claim.question, draft.decision.at
        stopping = draft.in_force.engine.stopping(question)
        if not stopping.is_prepared(question, at):
            await asyncio.to_thread(stopping.decide, question, at)

    def _decided_again(self, draft: _PendingClaim, transaction: "Transaction") -> _PendingClaim:
        """Decide again by the freezes that are in the database now."""
        in_force, version = draft.in_force, transaction.freezes_version
        fresh = self._fresh
        if fresh is None or fresh.freezes_version != version or fresh.revision != in_force.revision:
            freezes = transaction.freezes_after(draft.microseconds // 1_000_000)
            self._fresh = fresh = with_freezes(in_force, freezes, version)
        decision = fresh.engine.decide(draft.claim.question, draft.decision.at)
        return draft._replace(in_force=fresh, decision=decision)

    def _time(self, at: int) -> _Time:
        steady = self._cache.steady
        # Rounded up: a token must not look younger than a freeze that started after its grant.
        return _Time(max(at, steady.now()), -(-steady.behind() // 1_000_000))

    def _use(self, draft: _PendingClaim, time: _Time, transaction: "Transaction") -> Use:
        """Judge the token that was presented, and spend it if it is needed and covers."""
        digest = draft.claim.token
        override = transaction.override_of_token(digest) if digest else None
        use = judge(override, draft.decision, time.now, time.behind, draft.claim.ref)
        if not use.spends or override is None:
            return use
        if transaction.spend(override, draft.own_id, time.now):
            return use
        # Not while the record is locked; but what could not be spent must not let anything through.
        return use._replace(result=UseResult.USED_UP)

    def _keep_policies(self, in_force: InForce, transaction: "Transaction") -> None:
        """Right after a reload: a decision must not be recorded without what it was made by."""
        if (
            self._store.keeps(in_force.revision, transaction.keys_version)
            or in_force.revision in transaction.kept
        ):
            return
        if self._texts.revision != in_force.revision:
            texts = in_force.snapshot.to_json()
            self._texts = PolicyRevision(in_force.revision, in_force.loaded_at, texts)
        transaction.keep_policies(self._texts)


def claim_body(
    decision: Decision,
    in_force: InForce,
    own_id: str,
    use: Use | None,
    continuation: Continuation | None = None,
) -> dict[str, Any]:
    """Return the answer to a claim; `use` is the part of the override that the caller may see."""
    return decision_to_json(decision, in_force.home, in_force.revision, own_id, use, continuation)


def step_of(
    continuation: Continuation, decision: Decision, in_force: InForce
) -> tuple[Decision, Continuation]:
    """Return the decision on a step of a running deploy, and the continuation with what it lifts.

    A continuation that doesn't count leaves the decision as it is.
    """
    if not continuation.counts or continuation.until is None:
        return decision, continuation
    engine, question, until = in_force.engine, decision.question, continuation.until
    everything = engine.scope_of(question)
    parts = continued_parts(everything, decision, until)
    decision, lifted = continued(everything, engine.stopping(question), decision, until)
    return each_rule_once(decision)._replace(parts=parts), continuation._replace(lifted=lifted)


def _continued(
    draft: _PendingClaim, earlier_id: str, time: _Time, transaction: "Transaction"
) -> _PendingClaim:
    """Decide a claim again as a later step of the deploy that it names, if that still runs."""
    earlier, claim = transaction.earlier_step(earlier_id), draft.claim
    later = LaterStep(claim.question, claim.caller.name, claim.ref)
    # What is over stays over when a clock goes back, on every replica.
    now = max(time.now, transaction.latest_at // 1_000_000)
    judged = judge_continuation(earlier_id, earlier, later, now)
    decision, continuation = step_of(judged, draft.decision, draft.in_force)
    return draft._replace(decision=decision, continuation=continuation)


def _repeated(draft: _PendingClaim, use: Use | None, transaction: "Transaction") -> str | None:
    """Return the first claim of the same deploy with such an answer; None if it is this one."""
    deploy = draft.claim.deploy
    if deploy is None:
        return None
    allowed = draft.decision.allowed or (use is not None and use.spends)
    return transaction.first_of_deploy(deploy, denied=not allowed)


class _Written(NamedTuple):
    """A decision as it goes into the record and out to the caller."""

    row: DecisionRow
    event: Event
    claimed: Claimed


def _beyond_row(question: Question) -> tuple[str, ...]:
    """Return the services that the row of a decision can't name: those of a deploy of several."""
    return question.services if len(question.services) > 1 else ()


def _written(
    draft: _PendingClaim, answer: Answer, use: Use | None, time: _Time, repeats: str | None = None
) -> _Written:
    claim, decision, fingerprint = draft.claim, draft.decision, None
    if claim.idempotency_key is not None:
        fingerprint = claim.fingerprint
    rest: dict[str, Any] = {
        "opens_at": decision.opens_at,
        "ref": claim.ref,
        "actor": claim.actor,
        "run_url": claim.run_url,
        "request_id": claim.request_id,
        "idempotency_key": claim.idempotency_key,
        "fingerprint": fingerprint,
        "tzdata": tzdata_version(),
        "holidays": holidays_version(),
        "freezegate": __version__,
    }
    later: dict[str, Any] = {"token": use and _token_data(use, _told(claim, use), time)}
    if claim.deploy_id is not None:
        later |= {"deploy_id": claim.deploy_id, "repeats": repeats}
    spent = use.override.id if use is not None and use.spends and use.override is not None else None
    row = DecisionRow(
        id=draft.own_id,
        at=decision.at,
        service=claim.question.service,
        environment=claim.question.environment,
        outcome=answer.outcome,
        caller=claim.caller.name,
        actor=claim.actor,
        override_id=spent,
        idempotency_key=claim.idempotency_key,
        fingerprint=fingerprint,
        policy_revision=draft.in_force.revision,
        blocking=answer.blocking,
        change=claim.question.change,
        duration=claim.question.duration,
        continues=answer.continues,
        warnings=answer.warnings,
        deploy=claim.deploy,
        repeats=repeats,
    )
    text = answer.text(draft.own_id)
    data = f'{{"answer": {text}, {_encode(rest)[1:-1]}, "freezes": {answer.freezes}, {_encode(later)[1:]}'
    event = Event(draft.microseconds, Kind.DECISION.value, claim.caller.name, data)
    claimed = Claimed(
        text.encode(), row.outcome, decision.opens_at, answer.determined_by, repeats=repeats is not None
    )
    return _Written(row, event, claimed)


def _told(claim: Claim, use: Use | None) -> Use | None:
    """Return the part of an override that the caller may see."""
    return use and use.published(to_granter=_granted_by(claim.caller, use))


def _token_data(use: Use, told: Use | None, time: _Time) -> dict[str, Any]:
    """Return the data of a token for the audit log: its true state, and whether the caller saw it."""
    return {
        "result": use.result.value,
        "told": told == use,
        "judged_at": time.now,
        "clock_behind_s": time.behind,
        "override": use.override and use.override.to_data(),
    }


def _granted_by(caller: Caller, use: Use) -> bool:
    """Return whether a caller may see the state of a token: its granter may, and roles that see all."""
    if caller.may(Role.OPS):
        return True
    override = use.override
    if override is None or not caller.name:
        return False
    if override.granter is not None or caller.person is not None:
        return caller.person == override.granter
    return person_id(caller.name) == person_id(override.granted_by)


def _again(draft: _PendingClaim, fingerprint: str, data: str, transaction: "Transaction") -> Claimed:
    """Return the decision that the key of a claim stands for already."""
    if fingerprint != draft.claim.fingerprint:
        raise IdempotencyConflictError("this idempotency key was used for another request")
    recorded = json.loads(data)
    body = recorded["answer"]
    outdated = _outdated(draft.decision, body, transaction) if body["allowed"] else None
    if outdated is not None:
        raise IdempotencyConflictError(
            f"this idempotency key stands for an allow {outdated}; make a new claim, with a new key"
        )
    return Claimed(
        json.dumps(body, ensure_ascii=False).encode(),
        body["outcome"],
        recorded["opens_at"],
        determined_by(body),
    )


def _outdated(decision: Decision, body: dict[str, Any], transaction: "Transaction") -> str | None:
    """Return why a recorded allow is not given again, as words that follow "an allow"; None if it is.

    A token that has expired or is used up is no reason for `RETRIED_FOR`: it was good when it was spent,
    and that one use is this very deploy.
    """
    if any(stretch.rule.overridable == "never" for stretch in decision.blocking):
        return "of before a freeze that is never overridden"
    if decision.at - parse_instant(body["at"]) > RETRIED_FOR and not decision.allowed:
        return "of before a freeze"
    spent = body["override"]["id"] if body["outcome"] == Outcome.OVERRIDE else None
    override = None if spent is None else transaction.override(spent)
    if override is not None and override.revoked_at is not None:
        return "by an override that was revoked since"
    return None
