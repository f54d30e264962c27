"""The rules of override tokens at their limits: lifetime, uses, approvals, and the part that does not fit."""

from typing import Any

import pytest

from app.core.decision import Decision, Question, Stretch
from app.core.explain import before_disclosure, message
from app.core.freeze import Freeze
from app.core.override import (
    MAX_TTL,
    MAX_USES,
    Approval,
    Override,
    OverrideState,
    Part,
    Use,
    UseResult,
    approvals_wanted,
    ceiling,
    exceeded,
    judge,
)
from app.core.policy import Ceilings, Policy, PolicySet, Selector
from app.core.wallclock import zone

NOW = 1_795_784_700
HOUR = 3_600
YES = Approval("Bob", NOW)
UTC = zone("UTC")
API = Question("api")


def token(**given: Any) -> Override:
    made = Override(
        "ovr_1", ("api",), ("production",), None, "The fix.", None, "Alice", NOW, NOW + HOUR, 2, 0, 0
    )
    return made._replace(**given)


def policy(own_id: str = "friday", **given: Any) -> Policy:
    written = {"id": own_id, "title": "No deploys.", "reason": "x", "when": [{"always": True}], **given}
    return Policy.model_validate(written)


def freeze(**given: Any) -> Freeze:
    everything = Selector.model_validate({})
    made = Freeze("frz_1", "Incident", "x", None, None, everything, "token", NOW, None, "Bob", NOW)
    return made._replace(**given)


def denied(*rules: Policy | Freeze, at: int = NOW, question: Question = API) -> Decision:
    blocking = tuple(Stretch(rule, UTC, NOW, NOW + HOUR) for rule in rules)
    return Decision(question, at, blocking, (), NOW + HOUR)


@pytest.mark.parametrize(
    ("given", "at", "state"),
    [
        ({}, NOW, OverrideState.ACTIVE),
        ({}, NOW + HOUR - 1, OverrideState.ACTIVE),
        ({}, NOW + HOUR, OverrideState.EXPIRED),
        ({"uses": 1}, NOW, OverrideState.ACTIVE),
        ({"uses": 2}, NOW, OverrideState.USED_UP),
        ({"uses": 3}, NOW, OverrideState.USED_UP),
        ({"approvals_needed": 1}, NOW, OverrideState.PENDING),
        ({"approvals_needed": 1, "approvals": (YES,)}, NOW, OverrideState.ACTIVE),
        ({"approvals_needed": 2, "approvals": (YES,)}, NOW, OverrideState.PENDING),
        ({"approvals_needed": 1}, NOW + HOUR, OverrideState.EXPIRED),
        ({"revoked_at": NOW, "uses": 2}, NOW + HOUR, OverrideState.REVOKED),
        ({"starts_at": NOW + 60}, NOW + 59, OverrideState.SCHEDULED),
        ({"starts_at": NOW + 60}, NOW + 60, OverrideState.ACTIVE),
        ({"starts_at": NOW + 60, "approvals_needed": 1}, NOW, OverrideState.PENDING),
        ({"starts_at": NOW + 60, "revoked_at": NOW}, NOW, OverrideState.REVOKED),
    ],
)
def test_a_token_is_good_until_the_second_it_expires_and_for_its_last_use(
    given: dict[str, Any], at: int, state: OverrideState
) -> None:
    assert token(**given).state(at) is state


@pytest.mark.parametrize(
    ("ceilings", "given", "part"),
    [
        ({"max_ttl": "1h"}, {}, None),
        ({"max_ttl": "59m"}, {}, Part.TTL),
        ({"max_uses": 2}, {}, None),
        ({"max_uses": 1}, {}, Part.USES),
        ({"approvals": 0}, {}, None),
        ({"approvals": 1}, {}, Part.APPROVALS),
        ({"approvals": 1}, {"approvals": (YES,)}, None),
        ({"approvals": 2}, {"approvals": (YES,)}, Part.APPROVALS),
        ({"approvals": 1}, {"approvals": (YES, YES)}, None),
        ({"require_ticket": True}, {}, Part.TICKET),
        ({"require_ticket": True}, {"ticket": "PAY-1"}, None),
        ({"require_ticket": False}, {}, None),
        # The lifetime counts from the start.
        ({"max_ttl": "1h"}, {"starts_at": NOW + HOUR, "expires_at": NOW + 2 * HOUR}, None),
        ({"max_ttl": "59m"}, {"starts_at": NOW + HOUR, "expires_at": NOW + 2 * HOUR}, Part.TTL),
        # What no approval mends is told first.
        ({"approvals": 1, "max_uses": 1}, {}, Part.USES),
    ],
)
def test_a_token_at_a_ceiling_fits_and_one_beyond_it_says_which(
    ceilings: dict[str, Any], given: dict[str, Any], part: Part | None
) -> None:
    found = exceeded(token(**given), Ceilings.model_validate(ceilings))
    assert (found and found.part) == part


def test_the_strictest_ceiling_counts_and_without_any_that_of_the_gate() -> None:
    written = {"version": 1, "policies": [], "overrides": {"max_ttl": "4h", "max_uses": 3, "approvals": 1}}
    policy_set = PolicySet.model_validate(written)
    strict = policy(override={"max_ttl": "2h", "max_uses": 1, "approvals": 2})
    assert ceiling(policy_set, ()) == (4 * HOUR, 3, 1)
    assert ceiling(policy_set, (policy(), strict)) == (2 * HOUR, 1, 2)
    open_set = policy_set.model_copy(update={"overrides": Ceilings.model_validate({})})
    assert ceiling(open_set, (policy(),)) == (MAX_TTL, MAX_USES, 0)


@pytest.mark.parametrize(
    ("given", "rule", "question", "gaps"),
    [
        ({}, policy(), Question("web"), [("service", "web")]),
        ({}, policy(), Question("api", "staging"), [("environment", "staging")]),
        ({}, policy(), Question("web", "staging"), [("service", "web"), ("environment", "staging")]),
        ({"policies": ("lunch",)}, policy(), Question("api"), [("policy", "friday")]),
        ({"policies": ("lunch",)}, policy(), Question("web"), [("service", "web"), ("policy", "friday")]),
        ({}, policy(override="never"), Question("api"), [("policy", "friday")]),
        ({}, policy(override={"max_ttl": "1m"}), Question("api"), [("ttl", "friday")]),
        ({}, policy(override={"max_uses": 1}), Question("api"), [("uses", "friday")]),
        ({}, policy(override={"approvals": 1}), Question("api"), [("approvals", "friday")]),
        ({}, freeze(override="never"), Question("api"), [("freeze", "frz_1")]),
        ({"policies": ("frz_1",)}, freeze(override="never"), Question("api"), [("freeze", "frz_1")]),
        ({"policies": ("friday",)}, freeze(), Question("api"), [("freeze", "frz_1")]),
    ],
)
def test_each_part_of_a_token_that_does_not_fit_is_named(
    given: dict[str, Any], rule: Policy | Freeze, question: Question, gaps: list[tuple[str, str]]
) -> None:
    use = judge(token(**given), denied(rule, question=question), NOW)
    assert use.result is UseResult.DOES_NOT_COVER
    assert [(gap.part.value, gap.id) for gap in use.uncovered] == gaps
    sentence = message(denied(rule, question=question), UTC, use)
    assert all(f"{gap.id}" in sentence and gap.why in sentence for gap in use.uncovered)


def test_the_sentence_says_which_part_of_a_token_does_not_fit() -> None:
    decision = denied(policy(override={"approvals": 1}), question=Question("web"))
    told = message(decision, UTC, judge(token(), decision, NOW)).partition("The override token ")[2]
    assert told == (
        "does not cover this deploy: not the service web, it is for other services; "
        "not the policy friday (No deploys), it needs 1 approval and has none. No use is spent. "
        "Ask for one that covers all of it."
    )


def test_no_token_is_advised_where_none_is_needed_or_none_helps() -> None:
    never = denied(policy(override="never"), question=Question("web"))
    assert message(never, UTC, judge(token(), never, NOW)).endswith("No use is spent.")
    for result in (UseResult.EXPIRED, UseResult.REVOKED, UseResult.USED_UP, UseResult.UNKNOWN):
        for decision in (never, denied(question=Question("web"))):
            said = message(decision, UTC, Use(UseResult.INVALID, undisclosed=result))
            assert said.partition("The override token ")[2].count(".") == 1
        veto = denied(policy(), question=Question("web"))
        told = message(veto, UTC, Use(UseResult.INVALID, undisclosed=result))
        assert told.partition("The override token ")[2].count(".") == 2
        assert before_disclosure(told).endswith("The override token is not valid.")
        assert before_disclosure(said).endswith("The override token is not valid.")


@pytest.mark.parametrize(
    ("given", "began", "result"),
    [
        ({}, {"starts_at": NOW - 1, "created_at": NOW - 1}, "spent"),
        ({}, {"starts_at": NOW, "created_at": NOW}, "spent"),
        ({}, {"starts_at": NOW + 1, "created_at": NOW + 1}, "does-not-cover"),
        # Planned before the grant, and begun after it.
        ({}, {"starts_at": NOW + 1, "created_at": NOW - HOUR}, "does-not-cover"),
        # Made after the grant, with a start that a clock gone back put before it.
        ({}, {"starts_at": NOW - HOUR, "created_at": NOW + 1}, "does-not-cover"),
        ({"policies": ("frz_1",)}, {"starts_at": NOW + 1, "created_at": NOW - HOUR}, "spent"),
    ],
)
def test_a_token_of_before_a_freeze_began_covers_it_only_by_name(
    given: dict[str, Any], began: dict[str, int], result: str
) -> None:
    assert judge(token(**given), denied(freeze(**began)), NOW).result == result


def test_approvals_are_required_for_the_rules_that_a_token_may_lift() -> None:
    strict = policy("strict", override={"approvals": 2})
    assert approvals_wanted(token(), ()) == 0
    assert approvals_wanted(token(), (policy(), strict)) == 2
    assert approvals_wanted(token(approvals=(YES,)), (strict,)) == 2
    assert approvals_wanted(token(approvals_needed=1), (policy(),)) == 1
    assert approvals_wanted(token(policies=("friday",)), (strict,)) == 0
    assert approvals_wanted(token(), (policy(override="never"),)) == 0
    # Two uses are one too many for it, however many approve.
    assert approvals_wanted(token(), (policy(override={"approvals": 1, "max_uses": 1}),)) == 0
    staging = policy("strict", override={"approvals": 1}, applies_to={"environments": ["staging"]})
    assert approvals_wanted(token(), (staging,)) == 0
    assert approvals_wanted(token(environments=("staging", "production")), (staging,)) == 1
    tagged = policy("strict", override={"approvals": 1}, applies_to={"tags": ["tier-1"]})
    assert approvals_wanted(token(), (tagged,)) == 1


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("v1", None),
        ("v1 ", "not the ref v1 , it is for the ref v1"),
        ("v2", "not the ref v2, it is for the ref v1"),
        ("", "not a deploy that names no ref, it is for the ref v1"),
        (None, "not a deploy that names no ref, it is for the ref v1"),
    ],
)
def test_a_token_for_a_ref_fits_exactly_that_ref(ref: str | None, said: str | None) -> None:
    use = judge(token(ref="v1"), denied(policy()), NOW, ref=ref)
    assert use.result == ("spent" if said is None else "does-not-cover")
    assert [gap.part for gap in use.uncovered] == ([] if said is None else [Part.REF])
    assert (said or "in spite of") in message(denied(policy()), UTC, use)
    assert judge(token(), denied(policy()), NOW, ref=ref).result == "spent"


@pytest.mark.parametrize(
    ("given", "now", "result", "said"),
    [
        ({}, NOW + 59, "pending", "The override token is not active before Fri 27 Nov 13:06 UTC."),
        ({}, NOW + 60, "spent", "No uses left"),
        ({"approvals_needed": 1}, NOW, "pending", "The override token still waits for approval."),
        ({"approvals_needed": 1, "approvals": (YES,)}, NOW, "pending", "is not active before"),
    ],
)
def test_a_token_does_nothing_before_its_start(
    given: dict[str, Any], now: int, result: str, said: str
) -> None:
    use = judge(token(starts_at=NOW + 60, max_uses=1, **given), denied(policy()), now)
    assert use.result == result
    assert said in message(denied(policy()), UTC, use)


def test_a_token_that_starts_after_a_freeze_and_was_granted_before_it_does_not_cover_it() -> None:
    began = freeze(starts_at=NOW + 10, created_at=NOW + 10)
    assert judge(token(starts_at=NOW + 60), denied(began), NOW + 60).result == "does-not-cover"


def test_a_ticket_is_required_for_the_rules_that_ask_for_one_and_no_approval_mends_it() -> None:
    strict = policy(override={"require_ticket": True, "approvals": 1})
    (gap,) = judge(token(), denied(strict), NOW).uncovered
    assert (gap.part, gap.why) == (Part.TICKET, "it names no ticket")
    assert approvals_wanted(token(), (strict,)) == 0
    assert approvals_wanted(token(ticket="PAY-1"), (strict,)) == 1


@pytest.mark.parametrize(("now", "result"), [(NOW + HOUR - 1, "spent"), (NOW + HOUR, "expired")])
def test_expiry_is_judged_by_the_time_that_does_not_go_back(now: int, result: str) -> None:
    assert judge(token(), denied(policy(), at=NOW), now).result == result
