"""The replay of a recorded decision, by the policies, freezes and token that it was made by."""

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.core.continuation import Continuation, ContinuationResult
from app.core.decision import Decision
from app.core.decision_json import recorded_question
from app.core.explain import before_advice, before_disclosure
from app.core.freeze import Freeze
from app.core.instant import parse_instant
from app.core.override import Override, Part, Use, judge
from app.gate.claim import claim_body, step_of
from app.gate.errors import UnknownRecordError
from app.gate.in_force import InForce
from app.gate.pruned_record import unknown_decision
from app.gate.versions import holidays_version, tzdata_version
from app.policies.load import load_untested
from app.policies.source import Snapshot

if TYPE_CHECKING:
    from app.store.view import View

_SCOPE: Final = frozenset({Part.SERVICE.value, Part.ENVIRONMENT.value})


class Replay(NamedTuple):
    """A recorded answer and the one that the same question gets now."""

    recorded: dict[str, Any]
    evaluated: dict[str, Any]
    same_data: bool
    """Whether the versions of time zones and holidays are those of then; if not, answers may differ."""

    @property
    def same(self) -> bool:
        """Whether both are equal in every member.

        A decision from before answers had `closing` or `continues` is compared without them, and one from
        before messages said what to do about a token without that.
        """
        evaluated = self._as_said_then()
        if "continues" in self.recorded:
            return self.recorded == evaluated
        members = {name: each for name, each in evaluated.items() if name != "continues"}
        if "closing" in self.recorded:
            return self.recorded == members
        return self.recorded == _before_closing(self.recorded, members)

    def _as_said_then(self) -> dict[str, Any]:
        """Return the answer of now, with its message in the words of the version that recorded the other."""
        text = self.evaluated["message"]
        words = (text, before_advice(text), before_disclosure(text))
        same = self.recorded["message"] if self.recorded["message"] in words else text
        return {**self.evaluated, "message": same}


def replay(view: "View", decision_id: str) -> Replay:
    """Evaluate a recorded decision again.

    Raises:
        UnknownRecordError: there is no such decision, it was pruned, or its policies were not kept.
        PolicyFileError: its policies are no longer accepted: this version is stricter, or the holidays that
            are known now lack a name.
        StoreUnavailableError: the record can't be read.
    """
    stored = view.decision(decision_id)
    if stored is None:
        raise unknown_decision(view, decision_id)
    data = json.loads(stored.data)
    recorded = data["answer"]
    sources = view.sources(recorded["policy_revision"])
    if sources is None:
        raise UnknownRecordError("the policies of that decision were not kept")
    snapshot = Snapshot.from_json(sources)
    freezes = [Freeze.from_data(each) for each in data["freezes"]]
    engine = load_untested(snapshot).engine.with_freezes(freezes)
    at = parse_instant(recorded["at"])
    decision = engine.decide(recorded_question(recorded), at)
    in_force = InForce(engine, snapshot, at, ())
    continuation = _continuation(recorded)
    if continuation is not None:
        decision, continuation = step_of(continuation, decision, in_force)
    evaluated = claim_body(decision, in_force, decision_id, _use(data, decision), continuation)
    same_data = (data["tzdata"], data["holidays"]) == (tzdata_version(), holidays_version())
    return Replay(recorded, evaluated, same_data)


def _continuation(recorded: dict[str, Any]) -> Continuation | None:
    """Return the recorded judgement of a continuation, without what it lifted."""
    body = recorded.get("continues")
    if body is None:
        return None
    until = body["until"]
    return Continuation(
        body["id"], ContinuationResult(body["result"]), body["first"], until and parse_instant(until)
    )


def _before_closing(recorded: dict[str, Any], evaluated: dict[str, Any]) -> dict[str, Any]:
    """Reduce an answer to the members that earlier versions recorded, with their shorter message."""
    members = {name: each for name, each in evaluated.items() if name in recorded}
    blocking = [{name: each[name] for name in each if name != "started_by"} for each in members["blocking"]]
    override = _with_ids(members["override"], blocking)
    return {**members, "message": recorded["message"], "blocking": blocking, "override": override}


def _with_ids(override: dict[str, Any] | None, blocking: list[dict[str, Any]]) -> dict[str, Any] | None:
    """List the gaps of a token as earlier versions did: by the ids of the rules that it did not lift.

    A token for another service or environment lifted none of them.
    """
    if not override:
        return override
    gaps = override["uncovered"]
    unlifted = blocking if any(gap["part"] in _SCOPE for gap in gaps) else gaps
    return {**override, "uncovered": [each["id"] for each in unlifted]}


def _use(data: dict[str, Any], decision: Decision) -> Use | None:
    """Judge the token again as it was then, and publish as much of it."""
    token: dict[str, Any] | None = data["token"]
    if token is None:
        return None
    override = token["override"] and Override.from_data(token["override"])
    judged_at = token.get("judged_at")
    if judged_at is None:
        judged_at, override = decision.at, override and _as_if_granted(override, decision.at)
    behind = token.get("clock_behind_s", 0)
    return judge(override, decision, judged_at, behind, data["ref"]).published(to_granter=token["told"])


def _as_if_granted(override: Override, at: int) -> Override:
    """Return a token of the same life that is as old as the claim, unless it had expired.

    The versions that did not record when they judged it did not ask whether a freeze began after its grant.
    """
    if override.expires_at <= at:
        return override
    return override._replace(granted_at=at, expires_at=at + override.ttl)
