"""Several services as one deploy: in words, in the counts of insights, and under a token."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from app.core.compiled import CompiledPolicies
from app.core.coverage import CoverageIndex
from app.core.decision import JOINT, MOST_LETTERS, Question, in_words, joined, names_of, together
from app.core.engine import JOINT_SCOPES_REMEMBERED, Engine
from app.core.errors import TooManyRulesError, UnknownNameError
from app.core.freeze import Freeze
from app.core.instant import DAY, HOUR, parse_instant
from app.core.policy import PolicySet, Selector
from app.core.scope import ScopeTimeline

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


def test_rules_are_named_in_the_order_of_the_file_and_by_their_first_stretch() -> None:
    late, early = noon("late", "web", "api"), noon("early", "api")
    engine = Engine(policy_set(policies=[late, early]))
    for services in (["web", "api"], ["api", "web"]):
        # Noon in Tokyo is nine hours before noon in UTC.
        decision = engine.decide(together(services, duration=DAY), MIDNIGHT)
        assert [each.rule.id for each in decision.blocking] == ["late", "early"]
        first = {"web": MIDNIGHT + 3 * HOUR, "api": MIDNIGHT + 12 * HOUR}[services[0]]
        assert [each.start for each in decision.blocking] == [first, MIDNIGHT + 12 * HOUR]


def noon(own_id: str, *services: str) -> dict[str, Any]:
    """A freeze at noon, in the zone of each service."""
    when = [{"daily": {"from": "12:00", "to": "13:00"}}]
    return {**morning(own_id, *services), "timezone": "service", "when": when}


class Work(Counter[str]):
    """Counts what the decisions of a test have done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        for owner, name in (
            (ScopeTimeline, "_compile"),
            (ScopeTimeline, "_first_fit"),
            (CompiledPolicies, "matching"),
        ):
            monkeypatch.setattr(owner, name, self._counting(name, getattr(owner, name)))

    def _counting(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any) -> Any:
            self[name] += 1
            return function(*arguments)

        return counting

    def of(self, work: Callable[[], object]) -> tuple[int, int, int]:
        """Blocks that were compiled, searches for a gap, and requests that were matched with the policies."""
        self.clear()
        work()
        return self["_compile"], self["_first_fit"], self["matching"]


SERVICES = tuple(f"s{number}" for number in range(100))


def morning(own_id: str, *services: str) -> dict[str, Any]:
    when = [{"daily": {"from": "08:00", "to": "09:00"}}]
    return {
        "id": own_id,
        "title": "T",
        "reason": "R",
        "applies_to": [{"services": [*services]}],
        "when": when,
    }


@pytest.mark.parametrize(
    "policies", [[morning(f"of-{name}", name) for name in SERVICES], [morning("all", "s*")]]
)
def test_many_services_take_one_search_also_after_a_freeze(
    policies: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work(monkeypatch)
    engine = Engine(policy_set(policies=policies))
    question, at = together(SERVICES, duration=DAY), MIDNIGHT
    blocks, searches, matched = work.of(lambda: engine.decide(question, at))
    # Nothing fits: the two years of the look-ahead are 9 blocks, whatever the number of services.
    assert (blocks <= 10, searches, matched) == (True, 1, 100)
    assert work.of(lambda: engine.decide(question, at)) == (0, 1, 0)
    elsewhere = engine.with_freezes([freeze("web", MIDNIGHT + DAY)])
    assert work.of(lambda: elsewhere.decide(question, at)) == (0, 1, 0)
    # The lines of a freeze are new: the block of now, and those that the search goes through.
    matching = engine.with_freezes([freeze("s7", MIDNIGHT + DAY)])
    blocks, searches, matched = work.of(lambda: matching.decide(question, at))
    assert (blocks <= 10, searches, matched) == (True, 1, 0)
    # Where what it meets has no end in sight, there is no start to search for.
    endless = engine.with_freezes([freeze("s7", None)])
    assert work.of(lambda: endless.decide(question, at)) == (1, 0, 0)


def test_the_rules_of_several_services_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.engine.MOST_RULES", 2)
    engine = Engine(policy_set(policies=[morning("a", "s*"), morning("b", "s1"), morning("c", "s2", "s3")]))
    assert engine.decide(together(["s2", "s3", "s4"]), MIDNIGHT).allowed
    for number in (2, 1):
        monkeypatch.setattr("app.core.engine.MOST_RULES", number)
        with pytest.raises(TooManyRulesError, match=r"services: more than . rules match them; name fewer"):
            engine.decide(together(["s1", "s2"]), MIDNIGHT)
    assert engine.decide(together(["s2"]), MIDNIGHT).allowed
    assert engine.decide(Question("s2"), MIDNIGHT).allowed


def freeze(service: str, ends_at: int | None) -> Freeze:
    selector = Selector.model_validate({"services": [service]})
    return Freeze("frz_1", "Incident", "x", None, None, selector, "token", MIDNIGHT, ends_at, "Bob", MIDNIGHT)


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
