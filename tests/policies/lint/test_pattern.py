"""Patterns of a week, held against the instants that they stand for."""

from typing import Any

import pytest

from app.core.instant import DAY
from app.core.policy import Policy
from app.policies.lint.pattern import Pattern, PatternIndex, numbers_of

DAILY = {"daily": {"from": "09:00", "to": "17:00"}}
NIGHT = {"daily": {"from": "22:00", "to": "06:00"}}
MORNING = {"daily": {"from": "09:00", "to": "12:00"}}
AFTERNOON = {"daily": {"from": "12:00", "to": "17:00"}}
EARLY = {"daily": {"from": "00:00", "to": "05:00"}}
WEEKEND = {"weekly": {"from": "fri 14:00", "to": "mon 08:00"}}


def policy(*when: dict[str, Any], **fields: Any) -> Policy:
    named = {"id": "p", "title": "T", "reason": "R", "when": list(when)}
    return Policy.model_validate({**named, **fields})


def pattern(*when: dict[str, Any], **fields: Any) -> Pattern:
    found = Pattern.of(policy(*when, **fields))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "made",
    [
        policy({"dates": {"from": "2026-12-01", "to": "2026-12-02"}}),
        policy(DAILY, {"yearly": {"from": "12-20", "to": "01-03"}}),
        policy(DAILY, except_when=[WEEKEND]),
        policy({"cron": {"start": "0 9 * * *", "duration": "8h"}}),
        policy({"weekly": {"from": "mon 09:00", "to": "mon 17:00", "every": 2, "starting": "2027-01-04"}}),
    ],
)
def test_what_is_not_alike_in_every_week_has_no_pattern(made: Policy) -> None:
    assert Pattern.of(made) is None


@pytest.mark.parametrize(
    ("outer", "inner", "holds"),
    [
        ([DAILY], [DAILY], True),
        ([{"daily": {"from": "08:00", "to": "17:00"}}], [DAILY], True),
        ([{"daily": {"from": "09:01", "to": "17:00"}}], [DAILY], False),
        ([MORNING, AFTERNOON], [DAILY], True),
        ([{"always": True}], [DAILY, NIGHT, WEEKEND], True),
        ([DAILY, NIGHT], [{"always": True}], False),
        ([WEEKEND], [{"daily": {"from": "22:00", "to": "06:00", "days": ["fri-sun"]}}], True),
        ([WEEKEND], [NIGHT], False),
        ([NIGHT], [{"daily": {"from": "23:00", "to": "24:00"}}, EARLY], True),
        (
            [{"weekly": {"from": "sun 20:00", "to": "mon 05:00"}}],
            [{"weekly": {"from": "mon 00:00", "to": "mon 03:00"}}],
            True,
        ),
    ],
)
def test_a_freeze_holds_through_another_whose_hours_lie_within_its_own(
    outer: list[dict[str, Any]], inner: list[dict[str, Any]], *, holds: bool
) -> None:
    one, other = pattern(*outer), pattern(*inner)
    assert one.holds_through(other) is holds
    index = PatternIndex([one, other])
    assert not holds or 0 in numbers_of(index.may_hold_through(other))


@pytest.mark.parametrize(
    ("outer", "inner", "holds"),
    [
        ([DAILY], [{"daily": {"from": "08:00", "to": "17:00"}}], True),
        ([{"daily": {"from": "08:00", "to": "17:00"}}], [DAILY], False),
        # Where noon occurs twice, the inner one does not allow in between.
        ([DAILY], [MORNING, AFTERNOON], None),
    ],
)
def test_what_only_allows_in_its_windows_holds_through_one_that_allows_more(
    outer: list[dict[str, Any]], inner: list[dict[str, Any]], *, holds: bool | None
) -> None:
    one, other = (pattern(*when, effect="allow-only") for when in (outer, inner))
    assert one.holds_through(other) is holds
    index = PatternIndex([one, other])
    assert holds is False or 0 in numbers_of(index.may_hold_through(other))


def test_a_policy_that_allows_at_all_times_holds_never() -> None:
    assert not pattern({"always": True}, effect="allow-only").holds
    assert not pattern({"weekly": {"from": "mon 08:00", "to": "mon 08:00"}}, effect="allow-only").holds
    assert pattern(DAILY, effect="allow-only").holds
    assert pattern({"always": True}).holds
    assert pattern({"daily": {"from": "00:00", "to": "24:00"}}).always_holds
    assert not pattern({"always": True}, effect="allow-only").always_holds


def test_a_week_begins_on_monday() -> None:
    assert pattern({"daily": {"from": "09:00", "to": "10:00", "days": ["tue"]}}).open == (
        (DAY + 9 * 3600, DAY + 10 * 3600),
    )


def test_policies_of_another_zone_or_without_a_pattern_are_always_candidates() -> None:
    patterns = [pattern(DAILY), pattern(NIGHT), pattern(NIGHT, timezone="Asia/Tokyo"), None]
    index = PatternIndex(patterns)
    assert list(numbers_of(index.may_hold_through(patterns[0]))) == [0, 2, 3]
    assert list(numbers_of(index.may_hold_through(None))) == [0, 1, 2, 3]
