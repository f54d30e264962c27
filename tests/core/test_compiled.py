"""The policy set gives the zone of a policy and the tags of a service; compiled policies are shared."""

import pytest

from app.core.compiled import CompiledPolicies
from app.core.coverage import CoverageIndex
from app.core.engine import Engine
from app.core.errors import UnknownNameError
from app.core.instant import parse_instant
from app.core.policy import PolicySet

PERIOD = parse_instant("2026-01-01T00:00:00Z"), parse_instant("2027-01-01T00:00:00Z")
NIGHTLY = {"title": "t", "reason": "r", "when": [{"daily": {"from": "22:00", "to": "06:00"}}]}
SET = {
    "version": 1,
    "timezone": "Europe/Amsterdam",
    "services": {
        "api": {"tags": ["tier-1", "pci"], "timezone": "Asia/Tokyo"},
        "docs": {"timezone": "Europe/Amsterdam"},
        "web": {"timezone": "America/New_York"},
    },
    "policies": [
        {"id": "home", **NIGHTLY},
        {"id": "own", **NIGHTLY, "timezone": "Asia/Kolkata"},
        {"id": "local", **NIGHTLY, "timezone": "service"},
        {"id": "tagged", **NIGHTLY, "timezone": "service", "applies_to": {"tags": ["pci"]}},
        {"id": "idle", **NIGHTLY, "timezone": "service", "applies_to": {"environments": ["elsewhere"]}},
    ],
}


def policy_set(unknown_services: str = "allow") -> PolicySet:
    return PolicySet.model_validate({**SET, "unknown_services": unknown_services})


def test_a_service_has_the_tags_and_zone_of_the_catalogue() -> None:
    policies = policy_set()
    assert policies.tags_of("api") == {"tier-1", "pci"}
    assert policies.tags_of("web") == policies.tags_of("unknown") == frozenset()
    assert policies.service_zone("api") == "Asia/Tokyo"
    assert policies.service_zone("unknown") == "Europe/Amsterdam"
    assert policies.service_zones == ("Europe/Amsterdam", "America/New_York", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("number", "read_in"), [(0, "Europe/Amsterdam"), (1, "Asia/Kolkata"), (2, "America/New_York")]
)
def test_a_policy_is_read_in_its_own_zone_the_files_or_that_of_the_service(number: int, read_in: str) -> None:
    policies = policy_set()
    assert policies.zone_of(policies.policies[number], policies.service_zone("web")).name == read_in


def test_only_a_policy_in_the_zone_of_services_is_read_in_several() -> None:
    policies = policy_set()
    zones = [[zone.name for zone in policies.zones_of(policy)] for policy in policies.policies[:3]]
    assert zones == [["Europe/Amsterdam"], ["Asia/Kolkata"], list(policies.service_zones)]


@pytest.mark.parametrize(
    ("unknown_services", "policy_id", "zones"),
    [
        ("allow", "local", ["America/New_York", "Asia/Tokyo", "Europe/Amsterdam"]),
        ("refuse", "local", ["America/New_York", "Asia/Tokyo", "Europe/Amsterdam"]),
        ("allow", "tagged", ["Asia/Tokyo"]),
        ("allow", "idle", ["Europe/Amsterdam"]),
        ("allow", "own", ["Asia/Kolkata"]),
    ],
)
def test_the_zones_in_use_are_those_of_the_services_that_a_policy_applies_to(
    unknown_services: str, policy_id: str, zones: list[str]
) -> None:
    compiled = CompiledPolicies(policy_set(unknown_services))
    timelines = compiled.timelines_in_use(compiled.number_of(policy_id))
    assert [timeline.zone.name for timeline in timelines] == zones


def test_a_policy_that_is_not_there_has_no_number() -> None:
    with pytest.raises(UnknownNameError, match="unknown policy"):
        CompiledPolicies(policy_set()).number_of("gone")


def test_engines_with_other_freezes_share_the_compiled_policies() -> None:
    engine = Engine(policy_set())
    assert engine.with_freezes(()).compiled is engine.compiled
    assert engine.timeline("own") is engine.with_freezes(()).timeline("own")


def test_a_long_period_is_read_without_filling_the_memory_of_the_engine() -> None:
    compiled = CompiledPolicies(policy_set())
    compiled.prepare(PERIOD[0])
    remembered = compiled.budget._held
    for service in ("api", "web", "unknown"):
        assert CoverageIndex(compiled, PERIOD).of(service, "production", "normal").at(PERIOD[0])
    assert compiled.budget._held == remembered
