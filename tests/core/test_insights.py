"""Insights of generated periods find the planted effects, and no others."""

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from app.core.comparison import Verdict
from app.core.compiled import CompiledPolicies
from app.core.decision import Question
from app.core.engine import Engine
from app.core.explain_insights import (
    environment_in_words,
    hour_in_words,
    policy_in_words,
    total_in_words,
    waits_in_words,
)
from app.core.insights import Counting, Insights, PolicyInsight
from app.core.instant import DAY, HOUR, MINUTE, parse_instant
from app.core.policy import PolicySet
from app.core.rollup import Decided, follow
from app.core.waits import PATIENCE, Waiting
from app.core.wallclock import zone
from app.policies.load import load
from app.policies.source import Snapshot, Source

ROOT = Path(__file__).parents[2]

START = parse_instant("2025-11-24T00:00:00Z")
YEAR = 365 * DAY
HOME = zone("Europe/Amsterdam")
POLICIES = """\
version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
services:
  api: {tags: [tier-1]}
  abroad: {tags: [tier-1], timezone: America/New_York}
  docs-site: {}
policies:
  - id: friday-afternoon
    title: No deploys after Friday 14:00
    reason: r
    applies_to: {environments: [production]}
    exempt: [{changes: [rollback]}, {services: [docs-site]}]
    when: [{weekly: {from: fri 14:00, to: mon 08:00}}]
  - id: awake
    title: Deploy while the team is awake.
    reason: r
    effect: allow-only
    timezone: service
    applies_to: {tags: [tier-1]}
    when: [{daily: {from: "09:00", to: "16:00"}}]
  - id: year-end
    title: Year-end freeze
    reason: r
    when: [{yearly: {from: 12-20, to: 01-03}}]
"""


@pytest.fixture(scope="module")
def policy_set() -> PolicySet:
    return load(Snapshot.of(POLICIES)).policy_set


def insights(
    policy_set: PolicySet, decisions: Iterable[Decided], start: int = START, days: int = 365
) -> Insights:
    end = start + days * DAY
    counting = Counting(CompiledPolicies(policy_set), (start, end))
    counted(counting, decisions)
    return counting.finish(end + PATIENCE + 1)


def counted(counting: Counting, decisions: Iterable[Decided]) -> None:
    """Count decisions in the order of the record, and the waits that they begin and end."""
    waiting, all_of_them = Waiting(), list(decisions)
    follow(waiting, enumerate(all_of_them))
    counting.take(all_of_them)
    counting.waits.take(wait for _, wait in waiting.changed.values())


def of_policy(found: Insights, policy_id: str) -> PolicyInsight:
    return next(each for each in found.policies if each.id == policy_id)


def is_friday_afternoon(at: int) -> bool:
    """After 14:00 on a Friday in Amsterdam, or on the weekend, or before 08:00 on Monday."""
    hour = (HOME.local(at) // HOUR + 72) % 168
    return hour >= 4 * 24 + 14 or hour < 8


class World(NamedTuple):
    """How deploys go in a generated year."""

    usual: float
    on_friday_afternoons: float

    def year(self, seed: int, a_day: int = 25, reported: float = 0.8) -> Iterator[Decided]:
        """Deploys at all hours by a policy set that forbade nothing."""
        rng = random.Random(seed)
        count = 365 * a_day
        for at in sorted(START + rng.randrange(YEAR) for _ in range(count)):
            rate = self.on_friday_afternoons if is_friday_afternoon(at) else self.usual
            went = rng.choice(["failed", "rolled-back"]) if rng.random() < rate else "succeeded"
            result = went if rng.random() < reported else None
            service = rng.choice(["api", "web", "checkout"])
            yield Decided(at, service, "production", "normal", "allow", None, result)


@pytest.mark.parametrize("seed", range(8))
def test_a_planted_friday_effect_is_seen_though_the_policy_was_not_in_force(
    policy_set: PolicySet, seed: int
) -> None:
    found = insights(policy_set, World(0.08, 0.16).year(seed))
    friday = of_policy(found, "friday-afternoon")
    assert friday.denials == friday.overrides == 0
    assert friday.comparison is not None
    assert friday.comparison.verdict is Verdict.WORSE
    assert friday.comparison.difference is not None
    assert friday.comparison.difference.low < 0.08 < friday.comparison.difference.high
    words = policy_in_words(friday)
    assert words is not None
    assert words.startswith('Deploys inside "No deploys after Friday 14:00" failed 1')
    assert words.endswith(": worse inside.")


@pytest.mark.parametrize("seed", range(8))
def test_the_opposite_is_seen_as_well(policy_set: PolicySet, seed: int) -> None:
    friday = of_policy(insights(policy_set, World(0.16, 0.08).year(seed)), "friday-afternoon")
    assert friday.comparison is not None
    assert friday.comparison.verdict is Verdict.BETTER


@pytest.mark.parametrize("seed", range(8))
def test_none_is_seen_where_none_was_planted(policy_set: PolicySet, seed: int) -> None:
    found = insights(policy_set, World(0.1, 0.1).year(seed))
    friday = of_policy(found, "friday-afternoon")
    assert friday.comparison is not None
    assert friday.comparison.verdict is Verdict.NO_DIFFERENCE


def test_a_rate_that_doubles_is_not_passed_over(policy_set: PolicySet) -> None:
    verdicts: Counter[Verdict] = Counter()
    for seed in range(60):
        found = insights(policy_set, World(0.05, 0.1).year(seed, a_day=2 + seed % 4))
        friday = of_policy(found, "friday-afternoon").comparison
        assert friday is not None
        verdicts[friday.verdict] += 1
    assert verdicts[Verdict.NO_DIFFERENCE] == 0
    assert verdicts[Verdict.WORSE] >= 30


@pytest.mark.no_cover
def test_of_many_years_without_any_effect_few_show_one_anywhere(policy_set: PolicySet) -> None:
    wrong_policies = wrong_hours = 0
    years = 60
    for seed in range(100, 100 + years):
        found = insights(policy_set, World(0.1, 0.1).year(seed, a_day=10))
        wrong_policies += any(each.comparison and each.comparison.differs for each in found.policies)
        wrong_hours += any(each.comparison.differs for each in found.hours)
    # Three of sixty are what is allowed; three standard deviations of that are five.
    assert wrong_policies <= 8
    assert wrong_hours <= 8


class Kind(NamedTuple):
    """Some of the deploys of a year, which fail as often at any hour."""

    often: float
    fails: float
    service: str = "web"
    environment: str = "production"
    change: str = "normal"


MIXED = (
    Kind(0.55, 0.08),
    Kind(0.15, 0.08, "api"),
    Kind(0.1, 0.01, "docs-site"),
    Kind(0.12, 0.2, environment="staging"),
    Kind(0.02, 0.2, change="hotfix"),
    Kind(0.06, 0.3, change="rollback"),
)
"""What is exempt fails less often than the rest, or more often as rollbacks do, and so does staging."""


def enforced(policy_set: PolicySet, seed: int, kinds: tuple[Kind, ...] = MIXED) -> Iterator[Decided]:
    """A year in which nothing depends on the hour but whether a claim is allowed."""
    rng, engine = random.Random(seed), Engine(policy_set)
    weights = [each.often for each in kinds]
    for at in sorted(START + rng.randrange(YEAR) for _ in range(365 * 25)):
        kind = rng.choices(kinds, weights)[0]
        decision = engine.decide(Question(kind.service, kind.environment, kind.change), at)
        blocking = ",".join(each.rule.id for each in decision.blocking) or None
        failed = rng.random() < kind.fails
        result = None if blocking or rng.random() < 0.2 else "failed" if failed else "succeeded"
        outcome = "deny" if blocking else "allow"
        yield Decided(at, kind.service, kind.environment, kind.change, outcome, blocking, result)


def test_an_enforced_policy_shows_no_effect_by_what_it_lets_through() -> None:
    shipped = load(Source(ROOT / "policies.yaml").read()).policy_set
    for seed in range(5):
        kinds = (Kind(0.94, 0.08), Kind(0.06, 0.3, change="rollback"))
        found = insights(shipped, enforced(shipped, seed, kinds))
        friday = of_policy(found, "friday-afternoon")
        assert friday.denials > 2_000
        assert friday.comparison is not None
        # It exempts rollbacks: they are neither inside nor among the others, and nothing else came through.
        assert friday.comparison.verdict is Verdict.TOO_FEW
        assert friday.comparison.inside.deploys == 0
        assert not any(each.comparison and each.comparison.differs for each in found.policies)


@pytest.mark.no_cover
def test_of_many_enforced_years_few_show_an_effect_anywhere(policy_set: PolicySet) -> None:
    wrong_others = wrong_hours = 0
    for seed in range(40):
        found = insights(policy_set, enforced(policy_set, seed))
        wrong_others += any(each.comparison and each.comparison.differs for each in found.policies)
        wrong_others += any(each.comparison.differs for each in found.environments)
        wrong_hours += any(each.comparison.differs for each in found.hours)
    # Two of forty are what is allowed; three standard deviations of that are four.
    assert wrong_others <= 6
    assert wrong_hours <= 6


def gathered(seed: int, effect: float) -> Iterator[Decided]:
    """A year without policies, in which a third of what comes on Friday afternoons are rollbacks.

    Rollbacks fail in three of ten cases at any hour, others in one of ten, and more on Friday afternoons by
    `effect`.
    """
    rng = random.Random(seed)
    for at in sorted(START + rng.randrange(YEAR) for _ in range(365 * 25)):
        friday = is_friday_afternoon(at)
        change = "rollback" if rng.random() < (0.33 if friday else 0.03) else "normal"
        rate = (0.3 if change == "rollback" else 0.1) + (effect if friday else 0)
        result = "failed" if rng.random() < rate else "succeeded"
        yield Decided(at, "web", "production", change, "allow", None, result)


EVERYTHING = """\
version: 1
timezone: Europe/Amsterdam
policies:
  - {id: friday, title: Friday, reason: r, when: [{weekly: {from: fri 14:00, to: mon 08:00}}]}
"""


def test_a_group_that_always_fails_more_often_makes_no_hour_worse() -> None:
    everything = load(Snapshot.of(EVERYTHING)).policy_set
    wrong = 0
    for seed in range(20):
        found = insights(everything, gathered(seed, effect=0))
        friday = of_policy(found, "friday").comparison
        assert friday is not None
        rates = friday.inside.share.rate, friday.others.share.rate
        assert (rates[0] or 0) - (rates[1] or 0) > 0.04
        wrong += friday.differs or any(each.comparison.differs for each in found.hours)
    assert wrong <= 5


@pytest.mark.parametrize("seed", range(4))
def test_a_planted_effect_is_found_among_mixed_kinds_of_change(seed: int) -> None:
    everything = load(Snapshot.of(EVERYTHING)).policy_set
    friday = of_policy(insights(everything, gathered(seed, effect=0.08)), "friday")
    assert friday.comparison is not None
    assert friday.comparison.verdict is Verdict.WORSE
    assert friday.comparison.difference is not None
    assert friday.comparison.difference.low < 0.08 < friday.comparison.difference.high
    words = policy_in_words(friday)
    assert words is not None
    assert re.search(r"; like with like, 2\d % beside 1\d %: worse inside\.$", words)


def test_deploys_without_counterparts_are_too_few(policy_set: PolicySet) -> None:
    monday = START + 7 * DAY + 2 * HOUR  # 03:00 in Amsterdam
    tuesday = monday + DAY
    there = Decided(0, "web", "staging", "normal", "allow", None, "failed")
    decisions = [
        *(there._replace(at=monday + number) for number in range(60)),
        *(there._replace(at=tuesday, environment="production", result="succeeded") for _ in range(30)),
        *(there._replace(at=tuesday) for _ in range(9)),
    ]
    found = insights(policy_set, decisions)
    assert not any(each.comparison.differs for each in found.hours)
    assert found.hours_compared == 0
    assert hour_in_words(found.hours[3]) == (
        "Deploys on Mondays between 03:00 and 04:00: too few to tell; "
        "60 of those and 39 others are reported, "
        "and each side needs 10 that are alike: in environment, kind of change and policies."
    )


def test_a_month_is_too_few_to_tell(policy_set: PolicySet) -> None:
    first = [each for each in World(0.08, 0.16).year(1, a_day=2) if each.at < START + 28 * DAY]
    friday = of_policy(insights(policy_set, first, days=28), "friday-afternoon")
    assert friday.comparison is not None
    assert friday.comparison.verdict is Verdict.TOO_FEW


def test_one_hour_that_is_worse_is_named(policy_set: PolicySet) -> None:
    rng = random.Random(3)
    decisions = []
    for day in range(364):
        for hour in range(9, 18):
            at = START - 3_600 + day * DAY + hour * HOUR  # Monday 00:00 in Amsterdam, in winter
            # Once a week, on Wednesdays at 16:00, half of them fail.
            bad = (HOME.local(at) // HOUR + 72) % 168 == 2 * 24 + 16
            failed = rng.random() < (0.5 if bad else 0.05)
            decisions.append(
                Decided(at, "api", "production", "normal", "allow", None, "failed" if failed else "succeeded")
            )
    found = insights(policy_set, decisions)
    worse = [each for each in found.hours if each.comparison.verdict is Verdict.WORSE]
    assert [(each.weekday, each.hour) for each in worse] == [(2, 16)]
    words = hour_in_words(worse[0])
    assert words.startswith("Deploys on Wednesdays between 16:00 and 17:00 failed ")
    assert words.endswith(": worse.")
    silent = hour_in_words(found.hours[0])
    assert "too few to tell; 0 of those" in silent


FRIDAY = parse_instant("2025-11-28T14:30:00Z")
MONDAY = parse_instant("2025-12-01T08:30:00Z")


def test_decisions_are_counted_where_they_belong(policy_set: PolicySet) -> None:
    decisions = [
        Decided(FRIDAY, "api", "production", "normal", "deny", "friday-afternoon,frz_1", None),
        Decided(
            FRIDAY + 1, "api", "production", "normal", "override", "friday-afternoon,frz_2", "rolled-back"
        ),
        Decided(FRIDAY + 2, "docs-site", "production", "normal", "allow", None, "succeeded"),
        Decided(FRIDAY + 2, "api", "production", "rollback", "allow", None, "failed"),
        Decided(FRIDAY + 3, "api", "staging", "normal", "warn", None, None),
        Decided(FRIDAY + 4, "api", "cellar", "normal", "deny", "long-gone", None),
        Decided(MONDAY, "api", "production", "normal", "allow", None, "failed"),
    ]
    found = insights(policy_set, decisions)
    assert (found.total.deploys, found.total.overrides, found.denials) == (5, 1, 2)
    assert (found.total.reported, found.total.failed) == (4, 3)
    told = [(each.id, each.denials, each.overrides) for each in found.policies]
    assert told == [
        ("friday-afternoon", 1, 1),
        ("awake", 0, 0),
        ("year-end", 0, 0),
        ("ad-hoc", 1, 1),
        ("long-gone", 1, 0),
    ]
    friday = of_policy(found, "friday-afternoon").comparison
    assert friday is not None
    # Neither docs-site and rollbacks, which it exempts, nor staging, to which it does not apply.
    assert (friday.inside.deploys, friday.others.deploys) == (1, 1)
    assert of_policy(found, "ad-hoc").comparison is None
    assert policy_in_words(of_policy(found, "ad-hoc")) is None
    hours = {(each.weekday, each.hour): each for each in found.hours if each.comparison.inside.deploys}
    assert set(hours) == {(4, 15), (0, 9)}
    assert hours[4, 15].denials == 2
    named = [(each.name, each.denials, each.tally.deploys) for each in found.environments]
    assert named == [("production", 1, 4), ("staging", 0, 1), ("cellar", 1, 0)]
    production = found.environments[0].comparison
    assert (production.inside.deploys, production.others.deploys) == (1, 3)


def test_a_policy_in_the_zone_of_the_service_holds_by_that_zone(policy_set: PolicySet) -> None:
    noon_in_amsterdam = parse_instant("2025-12-03T11:00:00Z")  # 06:00 in New York: nobody is awake there
    decisions = [
        Decided(noon_in_amsterdam, "abroad", "staging", "normal", "allow", None, None),
        Decided(noon_in_amsterdam, "api", "staging", "normal", "allow", None, None),
    ]
    awake = of_policy(insights(policy_set, decisions), "awake").comparison
    assert awake is not None
    assert (awake.inside.deploys, awake.others.deploys) == (1, 1)


def test_deploys_by_an_override_are_held_against_the_others(policy_set: PolicySet) -> None:
    rng = random.Random(5)
    decisions = [
        Decided(
            START + number * HOUR,
            "web",
            "staging",
            "normal",
            "override" if number % 10 == 0 else "allow",
            "year-end" if number % 10 == 0 else None,
            "failed" if rng.random() < (0.3 if number % 10 == 0 else 0.05) else "succeeded",
        )
        for number in range(3_000)
    ]
    staging = insights(policy_set, decisions).environments[1]
    assert staging.comparison.verdict is Verdict.WORSE
    assert environment_in_words(staging).startswith("Deploys to staging by an override failed ")
    assert environment_in_words(staging).endswith(": worse.")


def claim(at: int, outcome: str, service: str = "api", blocking: str | None = "friday-afternoon") -> Decided:
    return Decided(
        at, service, "production", "normal", outcome, blocking if outcome == "deny" else None, None
    )


def test_a_wait_goes_from_the_first_deny_to_the_next_allow(policy_set: PolicySet) -> None:
    decisions = [
        claim(FRIDAY, "deny"),
        claim(FRIDAY + 10 * MINUTE, "deny", blocking="year-end"),
        claim(FRIDAY + HOUR, "deny", "web"),
        claim(FRIDAY + 2 * HOUR, "allow", "web"),
        claim(MONDAY, "allow"),
        claim(MONDAY + HOUR, "allow"),
        claim(MONDAY + 2 * HOUR, "deny", "gone"),
        claim(MONDAY + 2 * HOUR + PATIENCE + 1, "allow", "gone"),
    ]
    found = insights(policy_set, decisions)
    assert tuple(found.waits) == (2, HOUR, MONDAY - FRIDAY, 1, 0)
    assert of_policy(found, "friday-afternoon").waits == (2, HOUR, MONDAY - FRIDAY, 1, 0)
    assert of_policy(found, "year-end").waits == (1, MONDAY - FRIDAY, MONDAY - FRIDAY, 0, 0)
    assert waits_in_words(found.waits) == (
        "2 deploys waited: half of them 1 h at most, nine of ten 2 d 18 h at most. "
        "1 did not come back within 14 days."
    )
    assert waits_in_words(of_policy(found, "awake").waits) == "No deploy was denied and allowed later."


def test_a_rollback_that_is_let_through_ends_no_wait_of_others(policy_set: PolicySet) -> None:
    decisions = [
        claim(FRIDAY, "deny"),
        claim(FRIDAY + HOUR, "allow")._replace(change="rollback"),
        claim(MONDAY, "allow"),
    ]
    assert insights(policy_set, decisions).waits == (1, MONDAY - FRIDAY, MONDAY - FRIDAY, 0, 0)


def test_a_wait_that_begins_beside_the_period_is_not_counted_and_may_end_there(policy_set: PolicySet) -> None:
    end = START + 30 * DAY
    decisions = [
        claim(START - DAY, "deny"),
        claim(START + DAY, "deny"),
        claim(START + 2 * DAY, "allow"),
        claim(end - HOUR, "deny"),
        claim(end + HOUR, "deny", "web"),
        claim(end + HOUR, "allow"),
    ]
    assert insights(policy_set, decisions, days=30).waits == (1, 2 * HOUR, 2 * HOUR, 0, 0)


def test_a_deploy_that_may_still_come_back_is_not_given_up(policy_set: PolicySet) -> None:
    end = START + 30 * DAY
    counting = Counting(CompiledPolicies(policy_set), (START, end))
    counted(counting, [claim(end - 20 * DAY, "deny", "old"), claim(end - DAY, "deny")])
    waits = counting.finish(end).waits
    assert (waits.ended, waits.median, waits.never, waits.waiting) == (0, None, 1, 1)
    assert waits_in_words(waits).endswith(" 1 did not come back within 14 days. 1 may still come back.")


def test_a_deploy_denied_again_after_weeks_starts_a_new_wait(policy_set: PolicySet) -> None:
    later = START + 20 * DAY
    found = insights(policy_set, [claim(START, "deny"), claim(later, "deny"), claim(later + 9, "allow")])
    assert found.waits == (1, 9, 9, 1, 0)


def test_an_empty_period_says_so(policy_set: PolicySet) -> None:
    found = insights(policy_set, [])
    assert total_in_words(found, YEAR) == "0 deploys, 0 denials and 0 overrides in 365 days."
    assert found.hours_compared == found.others_compared == 0
    assert all(each.comparison.verdict is Verdict.TOO_FEW for each in found.hours)
    silent = insights(policy_set, [claim(MONDAY, "allow")])
    assert total_in_words(silent, DAY).endswith("Of no deploy was it reported how it went.")


def test_the_total_counts_unreported_deploys(policy_set: PolicySet) -> None:
    decisions = [
        Decided(
            MONDAY + number, "web", "staging", "normal", "allow", None, None if number < 4 else "succeeded"
        )
        for number in range(40)
    ]
    assert total_in_words(insights(policy_set, decisions), 90 * DAY) == (
        "40 deploys, 0 denials and 0 overrides in 90 days. "
        "Deploys failed 0 % of the time (0 of 36, 0\u201310 %). Not reported: 4 deploys."
    )


def test_an_allow_only_policy_is_described_the_right_way_round(policy_set: PolicySet) -> None:
    rng = random.Random(7)
    decisions = []
    for number in range(24 * 300):
        at = START + number * HOUR
        asleep = not 9 <= HOME.local(at) // HOUR % 24 < 16
        result = "failed" if rng.random() < (0.2 if asleep else 0.05) else "succeeded"
        decisions.append(Decided(at, "api", "production", "normal", "allow", None, result))
    words = policy_in_words(of_policy(insights(policy_set, decisions), "awake"))
    assert words is not None
    assert words.startswith('Deploys at times that "Deploy while the team is awake" does not allow failed ')
    assert words.endswith(": worse then.")
