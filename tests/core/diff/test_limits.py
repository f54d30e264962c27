"""Two sets that would take minutes and gigabytes to compare are refused, and a comparison can be given up."""

import pytest

from app.core.diff import TooManyHoursError, diff, limits
from app.core.engine import Engine
from app.core.instant import DAY, parse_instant
from app.policies.load import load_untested
from app.policies.source import Snapshot

NOW = parse_instant("2026-11-29T20:00:00Z")
NOTHING = load_untested(Snapshot.of("version: 1\npolicies: []\n")).engine


def often(count: int) -> Engine:
    """An engine whose policies open every minute, each for a service of its own."""
    policies = "".join(
        f"  - id: p{number}\n    title: t\n    reason: r\n    applies_to: {{services: [s{number}]}}\n"
        '    when: [{cron: {start: "* * * * *", duration: 30s}}]\n'
        for number in range(count)
    )
    return load_untested(Snapshot.of(f"version: 1\npolicies:\n{policies}")).engine


@pytest.mark.parametrize(
    ("limit", "most"),
    [("MOST_INTERVALS", 10), ("MOST_INTERVALS", 4_000), ("MOST_BITS", 2_000), ("MOST_FOUND", 1_000)],
    ids=["one policy opens too often", "all together do", "too many bits", "too much differs"],
)
def test_each_limit_is_kept(limit: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    policies, period = often(3), (NOW, NOW + DAY)
    assert len(diff(NOTHING, policies, period).differences) == 3
    monkeypatch.setattr(limits, limit, most)
    with pytest.raises(TooManyHoursError, match="shorten the period"):
        diff(NOTHING, policies, period)


def test_a_caller_may_allow_for_less() -> None:
    policies, period = often(1), (NOW, NOW + DAY)
    assert diff(NOTHING, policies, period, most_found=3_000).closes
    with pytest.raises(TooManyHoursError):
        diff(NOTHING, policies, period, most_found=1_000)


def test_what_opens_too_often_is_noticed_before_it_is_computed() -> None:
    with pytest.raises(TooManyHoursError):
        diff(NOTHING, often(1), (NOW, NOW + 1_000 * DAY))


def test_a_comparison_can_be_given_up() -> None:
    calls: list[None] = []

    def checkpoint() -> None:
        calls.append(None)
        if len(calls) > 100:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        diff(NOTHING, often(1), (NOW, NOW + DAY), checkpoint)
    assert len(calls) == 101
