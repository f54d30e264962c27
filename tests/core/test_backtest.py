"""A backtest counts each decision once, under its fate, and holds few of them."""

import pytest

from app.core.backtest import OTHERS, Backtest, Backtesting, Fate, Group, Recorded, UnknownName
from app.core.compiled import CompiledPolicies
from app.core.explain_backtest import backtest_in_words, effect_in_words
from app.core.instant import DAY, parse_instant
from app.policies.load import load
from app.policies.source import Snapshot

FROZEN = """\
version: 1
environments: [production, staging]
services: {api: {}, web: {}}
policies:
  - {id: never, title: Never, reason: r, override: never, when: [{always: true}],
     applies_to: {services: [api]}}
  - {id: token, title: Token., reason: r, when: [{always: true}], applies_to: {environments: [production]}}
  - {id: warns, title: t, reason: r, effect: warn, when: [{always: true}]}
"""
REFUSING = FROZEN.replace("services: {", "unknown_services: refuse\nservices: {")
AT = parse_instant("2026-11-27T12:00:00Z")
PERIOD = AT, AT + DAY
GOOD = Recorded(1, "dec_1", AT, "web", "staging", "normal", 0, "allow", None, "succeeded", None, None)


SENTENCES = """\
These policies would have stopped 18 of 59 deploys, 1 of them by a policy that no token lifts.
They would have stopped 8 of 9 failed deploys (57\u201398 %) and 9 of 49 good deploys (10\u201331 %); \
how 1 went is not reported.
Deploys that they would have stopped: too few to tell; 17 of those and 41 others are reported, \
and each side needs 10 that are alike: in environment, kind of change and policies.
They would have allowed 1 of 1 denied claim.
Of 3 deploys by an override token, 2 would still have needed one and 1 would have been denied \
despite it.
They would have stopped none of 1 later step of running deploys.
"""


def counted(*decisions: Recorded, policies: str = FROZEN) -> Backtest:
    backtesting = Backtesting(CompiledPolicies(load(Snapshot.of(policies)).policy_set), PERIOD)
    backtesting.take(decisions)
    return backtesting.finish()


@pytest.mark.parametrize(
    ("outcome", "blocking", "later", "fates"),
    [
        ("allow", None, "", (Fate.KEPT, Fate.STOPPED, Fate.STOPPED)),
        ("warn", None, "", (Fate.KEPT, Fate.STOPPED, Fate.STOPPED)),
        ("override", "other", "", (Fate.FREE, Fate.TOKEN, Fate.NEVER)),
        ("override", "other,frz_1", "", (Fate.TOKEN, Fate.TOKEN, Fate.NEVER)),
        ("deny", "other", "", (Fate.ALLOWED, Fate.DENIED, Fate.DENIED)),
        ("deny", "frz_1", "", (Fate.DENIED, Fate.DENIED, Fate.DENIED)),
        ("allow", None, "later", (Fate.STEP_KEPT, Fate.STEP_STOPPED, Fate.STEP_STOPPED)),
        ("override", "other", "later", (Fate.STEP_KEPT, Fate.STEP_KEPT, Fate.STEP_STOPPED)),
        ("deny", "other", "later", (Fate.ALLOWED, Fate.DENIED, Fate.DENIED)),
    ],
)
def test_the_fate_depends_on_the_vetoes_and_on_what_was_recorded(
    outcome: str, blocking: str | None, later: str, fates: tuple[Fate, ...]
) -> None:
    # The running deploy is at its end, so all policies count for a later step.
    first_at, first_duration = (AT - 60, 60) if later else (None, None)
    for (service, environment), fate in zip(
        (("web", "staging"), ("web", "production"), ("api", "staging")), fates, strict=True
    ):
        asked = GOOD._replace(service=service, environment=environment, outcome=outcome, blocking=blocking)
        assert +counted(asked._replace(first_at=first_at, first_duration=first_duration)).fates == {fate: 1}


def test_names_that_are_not_listed_are_counted_by_name() -> None:
    found = counted(
        GOOD._replace(environment="legacy", service="other"),
        GOOD._replace(change="cleanup"),
        policies=REFUSING,
    )
    assert +found.fates == {Fate.UNKNOWN: 2}
    assert found.unknown == (UnknownName("environment", "legacy", 1), UnknownName("change", "cleanup", 1))
    assert (found.refused, found.services, found.environments, found.hours) == ((), {}, {}, {})


@pytest.mark.parametrize(
    ("outcome", "later", "fate"),
    [
        ("allow", "", Fate.REFUSED),
        ("warn", "later", Fate.STEP_STOPPED),
        ("override", "", Fate.NEVER),
        ("override", "later", Fate.STEP_STOPPED),
        ("deny", "", Fate.DENIED),
    ],
)
def test_a_service_that_is_refused_as_unknown_would_have_been_denied(
    outcome: str, later: str, fate: Fate
) -> None:
    first_at, first_duration = (AT - 60, 60) if later else (None, None)
    asked = GOOD._replace(service="api,other", outcome=outcome, first_at=first_at)
    asked = asked._replace(first_duration=first_duration, blocking="x" if outcome == "deny" else None)
    found = counted(asked, policies=REFUSING)
    assert +found.fates == {fate: 1}
    assert found.refused == (UnknownName("service", "other", 1),)
    assert not found.unknown
    assert found.denied_by_freezes == found.stopped_for_good == 0
    assert +counted(GOOD._replace(service="other")).fates == {Fate.KEPT: 1}


def test_deploys_of_refused_services_are_among_the_stopped_ones_with_a_line_of_their_own() -> None:
    refused = GOOD._replace(service="other", result="failed")
    found = counted(GOOD, refused, refused._replace(outcome="deny"), policies=REFUSING)
    assert (found.deploys.deploys, found.stopped.deploys, found.stopped.failed) == (2, 1, 1)
    assert found.services["other"] == found.hours[4 * 24 + 12]._replace(deploys=1) == Group(1, 1, 1, 0)
    (example,) = found.examples[Fate.REFUSED]
    assert (example.recorded.service, example.policies) == ("other", ())
    assert "These policies would have stopped 1 of 2 deploys." in backtest_in_words(found)
    assert backtest_in_words(found)[-1] == (
        "2 decisions would have been denied, because these policies refuse service other as unknown."
    )


def test_made_up_names_are_bounded_and_every_decision_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.backtest.sums.MOST_NAMES", 3)
    monkeypatch.setattr("app.core.backtest.backtesting._MOST_PLACES", 2)
    made_up = [GOOD._replace(service=f"service-{number % 10}") for number in range(50)]
    found = counted(*made_up)
    assert found.deploys.deploys == 50
    assert {name: group.deploys for name, group in found.services.items()} == {
        "service-0": 5, "service-1": 5, "service-2": 5, OTHERS: 35,
    }  # fmt: skip
    refused = counted(*made_up, policies=REFUSING)
    assert {each.name: each.decisions for each in refused.refused} == {
        "service-0": 5, "service-1": 5, "service-2": 5, OTHERS: 35,
    }  # fmt: skip
    assert "refuse service service-0, service service-1 and 2 more as" in backtest_in_words(refused)[-1]


def test_the_newest_ten_of_each_fate_are_kept() -> None:
    found = counted(*(GOOD._replace(seq=n, id=f"dec_{n}", environment="production") for n in range(12)))
    assert [each.recorded.seq for each in found.examples[Fate.STOPPED]] == list(range(11, 1, -1))
    assert {each.policies for each in found.examples[Fate.STOPPED]} == {("token",)}
    assert found.hours == {4 * 24 + 12: Group(12, 12, 0, 0)}


def test_failed_and_good_deploys_are_told_in_words() -> None:
    stopped = GOOD._replace(environment="production")
    found = counted(
        *[stopped] * 8, *[stopped._replace(result="rolled-back")] * 8, stopped._replace(result=None),
        *[GOOD] * 40, GOOD._replace(result="rolled-back"),
        GOOD._replace(outcome="override", blocking="x", service="api"),
        *[GOOD._replace(outcome="override", blocking="x", environment="production")] * 2,
        stopped._replace(service="api"),
        GOOD._replace(outcome="deny", blocking="x,y"),
        GOOD._replace(first_at=AT - 9, first_duration=60),
    )  # fmt: skip
    assert backtest_in_words(found) == SENTENCES.splitlines()
    assert found.former == {"x": 1, "y": 1}
    never, token = found.policies
    assert (never.policy.id, never.stopped, never.alone) == ("never", 1, 0)
    assert (token.policy.id, token.stopped, token.alone, token.overridden) == ("token", 18, 17, 2)
    assert effect_in_words(token).startswith('Deploys that "Token" would have stopped: too few to tell')
    assert backtest_in_words(counted()) == ["No decisions were recorded in this period."]
