"""The content of a policy as facts, and the facts that differ."""

from typing import Any

import pytest

from app.core.policy import Policy
from app.core.policy_facts import ChangedFact, changed_facts, facts
from app.core.wallclock import zone

HOME = zone("Europe/Amsterdam")
FRIDAY: dict[str, Any] = {
    "id": "friday",
    "title": "No deploys on Fridays",
    "reason": "Nobody is around.",
    "when": [{"weekly": {"from": "fri 14:00", "to": "mon 08:00"}}],
}


def policy(**fields: Any) -> Policy:
    return Policy.model_validate({**FRIDAY, **fields})


def test_every_fact_of_a_policy_is_in_words() -> None:
    assert facts(policy(), HOME) == {
        "Title": "No deploys on Fridays",
        "What it does": "Deploys are refused every week from Friday 14:00 to Monday 08:00, "
        "Europe/Amsterdam time.",
        "Applies to": "everything",
        "Exempt": "nothing",
        "Reason": "Nobody is around.",
        "Overrides": "a token lifts it",
        "Running deploys": "may finish",
        "Announced": "not",
        "Ask": "nobody named",
        "Link": "none",
    }


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("never", "none lifts it"),
        ({}, "a token lifts it"),
        ({"require_ticket": True}, "a token lifts it with a ticket"),
        ({"max_uses": 1, "approvals": 2}, "a token lifts it for 1 deploy at most, with 2 approvals"),
        ({"max_ttl": "1h30m"}, "a token lifts it for 1h30m at most"),
        (
            {"max_ttl": "1h", "max_uses": 2, "approvals": 1, "require_ticket": True},
            "a token lifts it for 1h at most, for 2 deploys at most, with 1 approval, with a ticket",
        ),
    ],
)
def test_overrides_say_what_a_token_needs(override: Any, words: str) -> None:
    assert facts(policy(override=override), HOME)["Overrides"] == words


def test_only_what_differs_is_a_changed_fact() -> None:
    before, after = (
        policy(),
        policy(running="stop", notify_before=["7d", "1d"], exempt={"changes": ["rollback"]}),
    )
    assert changed_facts((before, HOME), (after, HOME)) == [
        ChangedFact("Exempt", "nothing", "rollback changes"),
        ChangedFact("Running deploys", "may finish", "are stopped"),
        ChangedFact("Announced", "not", "7d, 1d ahead"),
    ]
    assert changed_facts((before, HOME), (before, HOME)) == []


def test_a_policy_that_was_not_there_has_no_facts_before() -> None:
    added = changed_facts(None, (policy(), HOME))
    assert {each.before for each in added} == {None}
    assert [each.name for each in added] == list(facts(policy(), HOME))
    assert changed_facts(None, None) == []


def test_another_zone_of_the_set_is_another_fact() -> None:
    (changed,) = changed_facts((policy(), HOME), (policy(), zone("America/New_York")))
    assert changed.name == "What it does"
