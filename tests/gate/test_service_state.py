"""The services that differ from their environment: decided by group, equal to deciding each by itself."""

import random
from typing import Any

import pytest

from app.core.decision import Decision, Question, Stretch
from app.core.engine import STANDING_REMEMBERED, Engine
from app.core.errors import OutOfRangeError, UnknownNameError
from app.core.explain import message
from app.core.freeze import Freeze
from app.core.instant import DAY, HOUR, LATEST, parse_instant
from app.core.policy import PolicySet, Selector
from app.gate.errors import InvalidFieldError
from app.gate.in_force import InForce
from app.gate.service_state import (
    MOST_PREPARED,
    environment_state,
    environment_states,
    prepare_states,
)
from app.gate.services_page import MOST_APART, MOST_ENTRIES, MOST_NAMES
from app.gate.status import Asked, status
from app.policies.source import Snapshot

NOW = parse_instant("2026-11-27T13:05:00Z")
ENVIRONMENTS = ["production", "staging", "test"]
ZONES = [None, "America/New_York", "Asia/Tokyo"]
TAGS = ["tier-1", "tier-2", "team-a", "team-b"]
GLOBS = ["a-*", "*-api", "b-web", "a-api", "*-x-*"]
NAMES = [f"{first}-{second}" for first in ("a", "b", "c") for second in ("api", "web", "x-1", "jobs")]
WINDOWS: list[dict[str, Any]] = [
    {"weekly": {"from": "fri 14:00", "to": "mon 08:00"}},
    {"daily": {"from": "12:00", "to": "15:00"}},
    {"dates": {"from": "2026-11-20", "to": "2026-12-02"}},
]
WINDOWS_OVER: dict[str, Any] = {"dates": {"from": "2020-01-01", "to": "2020-01-02"}}


def in_force(policy_set: dict[str, Any], freezes: list[Freeze] | None = None) -> InForce:
    engine = Engine(PolicySet.model_validate({"version": 1, "environments": ENVIRONMENTS, **policy_set}))
    return InForce(engine.with_freezes(freezes or []), Snapshot.of(""), NOW, ())


def policy(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "title": name, "reason": "It is so.", "when": [WINDOWS[0]], **more}


def freeze(name: str, starts_at: int, ends_at: int | None, **selected: Any) -> Freeze:
    selector = Selector.model_validate(selected)
    return Freeze(name, name, "An incident.", None, None, selector, "token", starts_at, ends_at, "ada", 0)


def scope(rng: random.Random) -> dict[str, Any]:
    fields = {"environments": ENVIRONMENTS, "tags": [*TAGS, "tier-*"], "services": GLOBS}
    chosen = rng.sample(sorted(fields), rng.choice((1, 1, 2)))
    return {name: rng.sample(fields[name], rng.choice((1, 2))) for name in chosen}


def random_gate(rng: random.Random) -> InForce:
    services = {
        name: {"tags": rng.sample(TAGS, rng.choice((0, 1, 2))), "timezone": rng.choice(ZONES)}
        for name in rng.sample(NAMES, 9)
    }
    policies = [
        policy(
            f"policy-{number}",
            when=[rng.choice(WINDOWS)],
            effect=rng.choice(["deny", "deny", "warn", "allow-only"]),
            timezone=rng.choice(["service", "service", "UTC"]),
            applies_to=scope(rng) if rng.random() < 0.8 else None,
            exempt=[scope(rng)] if rng.random() < 0.3 else None,
        )
        for number in range(rng.randrange(6))
    ]
    freezes = [
        freeze(f"frz_{number}", NOW + start * HOUR, NOW + (start + rng.choice((1, 30))) * HOUR, **scope(rng))
        for number, start in enumerate(rng.sample(range(-60, 60), rng.randrange(5)))
    ]
    return in_force({"services": services, "policies": policies}, freezes)


def published(decision: Decision) -> tuple[object, ...]:
    def bounds(stretches: tuple[Stretch, ...]) -> list[object]:
        return [(each.rule.id, *each.bounds(decision.at)) for each in stretches]

    lists = map(bounds, (decision.blocking, decision.warnings, decision.closing))
    return (*lists, decision.flips_at)


@pytest.mark.parametrize("seed", range(60))
def test_groups_say_of_each_service_what_deciding_it_alone_says(seed: int) -> None:
    rng = random.Random(seed)
    gate = random_gate(rng)
    for at in (NOW, NOW + rng.randrange(-5 * DAY, 5 * DAY)):
        for environment in ENVIRONMENTS:
            found = environment_state(gate, environment, at)
            general = gate.engine.decide_environment(environment, at)
            assert found.decision == general
            grouped = {service: group for group in found.differing for service in group.services}
            assert found.differing_services == len(grouped)
            for service in gate.policy_set.services or {}:
                own = gate.engine.decide(Question(service, environment), at)
                differs = published(own) != published(general)
                assert (service in grouped) is differs
                if differs:
                    assert published(grouped[service].decision) == published(own)
                    assert grouped[service].message(service, gate.home) == message(own, gate.home)


def test_services_with_the_same_decision_are_one_group_in_the_order_of_the_catalogue() -> None:
    gate = in_force(
        {
            "services": {name: {} for name in ("web", "api", "jobs", "docs")},
            "policies": [
                policy("one", applies_to={"services": ["docs", "api"]}, when=[WINDOWS[1]]),
                policy("two", applies_to={"services": ["web"], "environments": ["production"]}),
                policy("over", applies_to={"services": ["docs"]}, when=[WINDOWS_OVER]),
            ],
        }
    )
    production, staging, _ = environment_states(gate, NOW)
    assert production.environment == "production"
    assert [list(group.services) for group in production.differing] == [["web"], ["api", "docs"]]
    assert [group.decision.question.service for group in production.differing] == ["web", "api"]
    assert [list(group.services) for group in staging.differing] == [["api", "docs"]]


def test_an_environment_without_a_catalogue_has_no_groups() -> None:
    gate = in_force({"policies": [policy("one", applies_to={"services": ["api"]})]})
    assert [each.differing for each in environment_states(gate, NOW)] == [[], [], []]


def test_the_groups_of_a_usual_company_are_prepared_and_those_of_a_huge_one_wait() -> None:
    usual, huge = many(40, 4), many(MOST_PREPARED, MOST_PREPARED)
    for gate in (usual, huge):
        prepare_states(gate, NOW)
    assert set(usual.engine._groups) == set(ENVIRONMENTS)
    assert not huge.engine._groups


def test_unknown_environments_and_instants_out_of_range_are_refused() -> None:
    gate = in_force({"services": {"api": {}}, "policies": []})
    with pytest.raises(UnknownNameError):
        environment_state(gate, "moon", NOW)
    with pytest.raises(OutOfRangeError):
        environment_state(gate, "test", LATEST + 1)


def test_freezes_that_are_over_are_left_out_and_the_engine_without_them_is_kept() -> None:
    ended = [freeze(f"frz_{number}", NOW - DAY, NOW - number * HOUR) for number in range(9)]
    lasts = freeze("lasts", NOW - DAY, None, services=["api"])
    engine = in_force({"services": {"api": {}}, "policies": []}, [*ended, lasts]).engine
    assert [each.id for each in engine.standing(NOW).freezes] == ["lasts"]
    assert engine.standing(NOW) is engine.standing(NOW + DAY)
    assert engine.standing(NOW - 2 * DAY) is engine
    for number in range(STANDING_REMEMBERED + 1):
        assert len(engine.standing(NOW - number * HOUR).freezes) == number + 1


def many(services: int, windows: int) -> InForce:
    """Services of which each is frozen for a time of its own, of which there are some."""
    policies = [
        policy(
            f"policy-{number}",
            when=[{"dates": {"from": "2026-11-20", "to": f"2026-12-{number % 28 + 1:02}"}}],
            applies_to={"services": [f"s-{each}" for each in range(number, services, windows)]},
        )
        for number in range(windows)
    ]
    return in_force({"services": {f"s-{each}": {} for each in range(services)}, "policies": policies})


EVERYTHING = Asked()


def shown(gate: InForce, asked: Asked = EVERYTHING) -> list[dict[str, Any]]:
    environments: list[dict[str, Any]] = status(gate, None, None, NOW, NOW, asked=asked)["environments"]
    return environments


def test_few_services_have_an_entry_each() -> None:
    [production, *_] = shown(many(MOST_APART // 3, 2))
    assert [each["service"] for each in production["services"]] == [f"s-{each}" for each in range(33)]
    assert [each["also"] for each in production["services"]] == [[]] * 33
    assert (production["services_differ"], production["next"]) == (33, None)


def test_of_many_services_those_in_one_state_share_an_entry() -> None:
    [production, *_] = shown(many(MOST_APART // 3 + 1, 2))
    assert [each["service"] for each in production["services"]] == ["s-0", "s-1"]
    assert production["services"][1]["also"] == [f"s-{each}" for each in range(3, 34, 2)]
    assert (production["services_differ"], production["next"]) == (34, None)


@pytest.mark.parametrize(("services", "windows"), [(3 * MOST_ENTRIES, MOST_ENTRIES), (MOST_NAMES + 900, 3)])
def test_pages_list_every_service_once_and_stay_small(services: int, windows: int) -> None:
    gate = many(services, windows)
    listed: list[str] = []
    cursor = None
    pages = 0
    while cursor is not None or not pages:
        [page] = shown(gate, Asked("staging", cursor))
        assert page["services_differ"] == services
        assert len(page["services"]) <= MOST_ENTRIES
        assert sum(1 + len(each["also"]) for each in page["services"]) <= MOST_NAMES
        listed += [name for each in page["services"] for name in (each["service"], *each["also"])]
        cursor = page["next"]
        pages += 1
    assert sorted(listed) == sorted(gate.policy_set.services or {})
    assert pages == (1 if services < MOST_NAMES else 2)


def test_environments_share_a_page_evenly() -> None:
    environments = shown(many(400, 60))
    assert [len(each["services"]) for each in environments] == [MOST_ENTRIES // 3] * 3
    assert [each["next"] for each in environments] == ["s-31"] * 3


def test_a_cursor_of_another_catalogue_is_refused() -> None:
    with pytest.raises(InvalidFieldError, match="not the `next` of a page"):
        shown(many(3, 1), Asked("staging", "moon"))
    with pytest.raises(UnknownNameError):
        shown(many(3, 1), Asked("moon"))
