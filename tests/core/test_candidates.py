"""The index of policies finds every policy that applies, and separates those that ignore names."""

import random
from typing import Any

from app.core.candidates import Candidates
from app.core.policy import Policy

TAGS = ("tier-1", "tier-2", "pci")
SERVICES = ("api", "api-2", "web/shop", "web/shop/cart", "web", "x")
GLOBS = (*SERVICES, "*", "api*", "web/*", "web/sh*", "w*", "*pi", "a*-2", "web/shop/*")


def selector(rng: random.Random) -> dict[str, Any]:
    fields = {
        "services": rng.choices(GLOBS, k=rng.choice([1, 1, 2])),
        "tags": rng.choices((*TAGS, "tier-*"), k=rng.choice([1, 1, 2])),
        "environments": ["production"],
        "changes": ["normal", "hotfix"],
    }
    picked = {name: values for name, values in fields.items() if rng.random() < 0.35}
    return picked or selector(rng)  # an empty one is refused


def policy(rng: random.Random, number: int) -> Policy:
    made: dict[str, Any] = {"id": f"p-{number}", "title": "t", "reason": "r", "when": [{"always": True}]}
    if rng.random() < 0.8:
        made["applies_to"] = [selector(rng) for _ in range(rng.choice([1, 1, 2]))]
    if rng.random() < 0.3:
        made["exempt"] = [selector(rng)]
    return Policy.model_validate(made)


def test_no_policy_that_applies_is_missing() -> None:
    rng = random.Random(1)
    policies = [policy(rng, number) for number in range(400)]
    candidates = Candidates(policies)
    for service in SERVICES:
        for tags in ((), ("tier-1",), ("tier-2", "pci")):
            found = candidates.of(service, tags)
            assert found == sorted(set(found))
            assert set(found) == candidates.of_name(service, tags) | candidates.of_tags(tags)
            for environment, change in (("production", "normal"), ("staging", "rollback")):
                request = (service, frozenset(tags), environment, change)
                applying = {number for number, each in enumerate(policies) if each.matches(*request)}
                assert applying <= set(found)


def test_a_policy_that_looks_at_no_name_is_the_same_for_all_names() -> None:
    rng = random.Random(2)
    policies = [policy(rng, number) for number in range(400)]
    candidates = Candidates(policies)
    for tags in ((), ("tier-1",), ("tier-2", "pci")):
        for number in candidates.of_tags(tags):
            answers = {
                policies[number].matches(service, frozenset(tags), "production", "normal")
                for service in SERVICES
            }
            assert len(answers) == 1


def test_a_glob_is_indexed_by_the_prefix_before_its_first_star() -> None:
    made = [
        {"services": ["team-1/*"]},
        {"services": ["team-1*/x", "other"]},
        {"services": ["*"]},
        {"services": ["team-2/*"], "tags": ["pci"]},
    ]
    base = {"title": "t", "reason": "r", "when": [{"always": True}]}
    candidates = Candidates(
        [
            Policy.model_validate({**base, "id": f"p-{number}", "applies_to": each})
            for number, each in enumerate(made)
        ]
    )
    assert candidates.of("team-1/api", ()) == [0, 1, 2]
    assert candidates.of("team-2/api", ()) == [2, 3]
    assert candidates.of("other", ()) == [1, 2]
