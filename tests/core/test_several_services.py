"""Several services as one deploy: in words, in the counts of insights, and under a token."""

from typing import Any

import pytest

from app.core.compiled import CompiledPolicies
from app.core.coverage import CoverageIndex
from app.core.decision import JOINT, MOST_LETTERS, Question, in_words, joined, names_of, together
from app.core.engine import JOINT_SCOPES_REMEMBERED, Engine
from app.core.errors import UnknownNameError
from app.core.instant import DAY, HOUR, parse_instant
from app.core.policy import PolicySet

MIDNIGHT = parse_instant("2026-11-26T00:00:00Z")


def policy_set(**given: Any) -> PolicySet:
    """Nights are closed, in the zone of each service; web has a freeze of its own."""
    return PolicySet.model_validate(
        {
            "version": 1,
            "services": {
                "api": {"timezone": "UTC"},
                "web": {"timezone": "Asia/Tokyo"},
                "docs": {"timezone": "UTC"},
            },
            "policies": [
                {
                    "id": "night",
                    "title": "Night",
                    "reason": "All sleep.",
                    "timezone": "service",
                    "applies_to": {"services": ["api", "web"]},
                    "when": [{"daily": {"from": "00:00", "to": "08:00"}}],
                },
                {
                    "id": "web",
                    "title": "Web",
                    "reason": "A sale.",
                    "applies_to": {"services": ["web"]},
                    "when": [{"dates": {"from": "2026-11-26 09:00", "to": "2026-11-26 10:00"}}],
                },
            ],
            **given,
        }
    )


@pytest.mark.parametrize(
    ("services", "words"),
    [
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["x" * 60, "y" * 60], f"{'x' * 60} and {'y' * 60}"),
        (["x" * 64, "y" * 60], f"{'x' * 64} and 1 more"),
        (["x" * 40, "y" * 40, "z" * 40, "a"], f"{'x' * 40}, {'y' * 40} and 2 more"),
        (["x" * 128, "y"], "2 services"),
        (["x" * 128], "x" * 128),
    ],
)
def test_services_in_words_are_short_and_no_name(services: list[str], words: str) -> None:
    assert in_words(services) == words
    assert len(words) <= MOST_LETTERS
    assert (JOINT in words) is (len(services) > 1)


def test_equal_sets_are_joined_to_equal_texts() -> None:
    assert joined(["b", "a"]) == together(["a", "b"]).joined == "a,b"
    assert Question("a").joined == "a"
    assert names_of("a,b") == ["a", "b"]


def test_a_policy_that_each_service_reads_in_its_own_zone_is_named_once() -> None:
    engine = Engine(policy_set())
    question = together(["api", "web"])
    assert engine.decide(question, MIDNIGHT - 1).allowed
    night = engine.decide(question, MIDNIGHT)
    assert [stretch.rule.id for stretch in night.blocking] == ["night"]
    assert night.opens_at == MIDNIGHT + 8 * HOUR
    through = engine.decide(together(["api", "web"], duration=10 * HOUR), MIDNIGHT)
    assert [stretch.rule.id for stretch in through.blocking] == ["night", "web"]
    # Open for web from 23:00 UTC (08:00 in Tokyo) on, for api up to midnight.
    assert engine.decide(question, MIDNIGHT - HOUR).closes_at == MIDNIGHT


def test_an_unknown_service_among_several_is_refused() -> None:
    engine = Engine(policy_set(unknown_services="refuse"))
    with pytest.raises(UnknownNameError):
        engine.decide(together(["api", "nothing"]), MIDNIGHT)


def test_what_is_prepared_needs_no_thread_and_memory_is_bounded() -> None:
    engine = Engine(policy_set())
    question = together(["api", "web"])
    assert not engine.is_prepared(question, MIDNIGHT)
    engine.decide(question, MIDNIGHT)
    assert engine.is_prepared(question, MIDNIGHT)
    for number in range(JOINT_SCOPES_REMEMBERED):
        engine.scope_of(together([f"s{number}", "api"]))
    assert not engine.is_prepared(question, MIDNIGHT)
    assert len(engine._joint_scopes) == JOINT_SCOPES_REMEMBERED


def test_policies_of_any_of_the_services_cover_them_all() -> None:
    index = CoverageIndex(CompiledPolicies(policy_set()), (MIDNIGHT - DAY, MIDNIGHT + DAY))
    both = index.of("api,web", "production", "normal")
    assert both is index.of("api,docs,web", "production", "normal")
    assert both is not index.of("api", "production", "normal")
    assert index.of("api,docs", "production", "normal") is index.of("api", "production", "normal")
    assert both.applying == (0, 1)
    for hours in range(-23, 24):
        at = MIDNIGHT + hours * HOUR
        alone = (index.of(name, "production", "normal").at(at) for name in ("api", "web"))
        assert both.at(at) == tuple(sorted(set().union(*alone)))
