"""When windows are open, as `/policies` and `/status` tell it."""

from typing import Any

import pytest

from app.core.instant import format_instant, parse_instant
from app.gate.in_force import InForce, with_freezes
from app.gate.policies import policy
from app.gate.status import status
from app.policies.load import load
from app.policies.source import Snapshot

FRIDAY = parse_instant("2026-11-27T13:05:00Z")


def in_force(policies: str, head: str = "") -> InForce:
    snapshot = Snapshot.of(f"version: 1\n{head}policies:\n{policies}")
    loaded = load(snapshot)
    return with_freezes(InForce(loaded.engine, snapshot, FRIDAY, ()), (), 0)


def following(rule: str, at: str = "2026-11-27T13:05:00Z") -> list[tuple[str | None, str | None]]:
    told = policy(in_force(f"  - {{id: rule, title: T, reason: R, {rule}}}\n"), "rule", parse_instant(at))
    return [(each["from"], each["until"]) for each in told["next"]]


def test_a_window_that_is_open_now_begins_at_its_start() -> None:
    window = "when: [{daily: {days: [fri], from: '09:00', to: '16:00'}}]"
    for effect in ("deny", "warn", "allow-only"):
        assert following(f"effect: {effect}, {window}")[:2] == [
            ("2026-11-27T09:00:00Z", "2026-11-27T16:00:00Z"),
            ("2026-12-04T09:00:00Z", "2026-12-04T16:00:00Z"),
        ]


@pytest.mark.parametrize(
    ("at", "first"),
    [
        ("2026-11-27T08:59:59Z", "2026-11-27T09:00:00Z"),
        ("2026-11-27T09:00:00Z", "2026-11-27T09:00:00Z"),
        ("2026-11-27T15:59:59Z", "2026-11-27T09:00:00Z"),
        ("2026-11-27T16:00:00Z", "2026-12-04T09:00:00Z"),
    ],
)
def test_the_present_window_of_allow_only_is_told_up_to_its_last_second(at: str, first: str) -> None:
    window = "effect: allow-only, when: [{daily: {days: [fri], from: '09:00', to: '16:00'}}]"
    assert following(window, at)[0][0] == first


def test_a_window_that_opened_many_months_ago_begins_at_its_start() -> None:
    window = "when: [{dates: {from: 2026-01-05, to: 2027-10-04}}]"
    for effect in ("deny", "allow-only"):
        assert following(f"effect: {effect}, {window}") == [("2026-01-05T00:00:00Z", "2027-10-05T00:00:00Z")]


@pytest.mark.parametrize("effect", ["deny", "allow-only", "warn"])
def test_yearly_windows_are_told_for_three_years(effect: str) -> None:
    assert following(f"effect: {effect}, when: [{{yearly: {{from: 03-01, to: 03-02}}}}]") == [
        (f"{year}-03-01T00:00:00Z", f"{year}-03-03T00:00:00Z") for year in (2027, 2028, 2029)
    ]


def test_what_comes_on_leap_days_alone_is_told_three_times() -> None:
    told = following("when: [{cron: {start: '0 0 29 2 *', duration: 1d}}]")
    assert [start for start, _ in told] == [f"{year}-02-29T00:00:00Z" for year in (2028, 2032, 2036)]


def test_windows_of_some_weeks_and_some_months_are_told_three_times() -> None:
    rare = following("when: [{weekly: {from: fri 00:00, to: sat 00:00, every: 53, starting: 2027-01-08}}]")
    assert [start for start, _ in rare] == [
        "2027-01-08T00:00:00Z",
        "2028-01-14T00:00:00Z",
        "2029-01-19T00:00:00Z",
    ]
    leap = following("when: [{monthly: {from: 29, to: 29, months: [feb]}}]")
    assert [start for start, _ in leap] == [f"{year}-02-29T00:00:00Z" for year in (2028, 2032, 2036)]
    assert following("effect: allow-only, when: [{monthly: {from: last workday -2, to: last workday}}]") == [
        ("2026-11-26T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("2026-12-29T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2027-01-27T00:00:00Z", "2027-01-30T00:00:00Z"),
    ]


def test_what_is_over_is_not_told() -> None:
    assert following("when: [{dates: {from: 2026-01-01, to: 2026-01-02}}]") == []
    assert following("effect: allow-only, when: [{dates: {from: 2026-01-01, to: 2026-01-02}}]") == []


def test_what_is_always_open_has_no_bounds() -> None:
    for effect in ("deny", "allow-only"):
        assert following(f"effect: {effect}, when: [{{always: true}}]") == [(None, None)]


def test_the_last_years_have_no_more_than_there_are() -> None:
    assert len(following("when: [{yearly: {from: 03-01, to: 03-02}}]", "2099-12-01T00:00:00Z")) == 1


WORKING_HOURS = """\
  - id: hours
    title: Working hours
    reason: Someone has to watch it.
    timezone: service
    applies_to: {tags: [tier-1]}
    when: [{daily: {from: "18:00", to: "24:00"}}]
"""
SERVICES = """\
timezone: Europe/Amsterdam
services:
  checkout: {tags: [tier-1], timezone: America/New_York}
  payments: {tags: [tier-1], timezone: America/New_York}
  search: {tags: [tier-1]}
  docs: {timezone: Asia/Tokyo}
"""


def freezes(at: str, policies: str = WORKING_HOURS, head: str = SERVICES) -> dict[str, list[Any]]:
    instant = parse_instant(at)
    told = status(in_force(policies, head), None, None, instant, instant)["freezes"]
    return {
        name: [(each["id"], each["timezone"], each["from"]) for each in each_of]
        for name, each_of in told.items()
    }


def test_a_policy_in_the_zone_of_the_service_is_active_in_each_zone_by_itself() -> None:
    # 19:00 in Amsterdam, 13:00 in New York: the file's zone holds, and the other is to come.
    assert freezes("2026-11-27T18:00:00Z") == {
        "active": [("hours", "Europe/Amsterdam", "2026-11-27T17:00:00Z")],
        "upcoming": [
            ("hours", "America/New_York", "2026-11-27T23:00:00Z"),
            ("hours", "Europe/Amsterdam", "2026-11-28T17:00:00Z"),
        ],
    }
    # 01:00 in Amsterdam, 19:00 in New York.
    assert freezes("2026-11-28T00:00:00Z")["active"] == [
        ("hours", "America/New_York", "2026-11-27T23:00:00Z")
    ]


def test_a_stretch_is_active_from_its_first_second_on_and_upcoming_until_then() -> None:
    before, first = (freezes(f"2026-11-27T{time}Z") for time in ("16:59:59", "17:00:00"))
    assert ("hours", "Europe/Amsterdam", "2026-11-27T17:00:00Z") in before["upcoming"]
    assert first["active"] == [("hours", "Europe/Amsterdam", "2026-11-27T17:00:00Z")]


def test_zones_of_services_that_it_does_not_apply_to_are_left_out() -> None:
    everything = WORKING_HOURS.replace("    applies_to: {tags: [tier-1]}\n", "")
    zones = {zone for _, zone, _ in freezes("2026-11-27T12:00:00Z", everything)["upcoming"]}
    assert zones == {"America/New_York", "Asia/Tokyo", "Europe/Amsterdam"}
    only = everything.replace("timezone: service", "timezone: service\n    applies_to: {services: [docs]}")
    assert freezes("2026-11-27T12:00:00Z", only)["active"] == [
        ("hours", "Asia/Tokyo", "2026-11-27T09:00:00Z")
    ]


def test_without_unknown_services_the_zone_of_the_file_is_told_only_where_a_service_has_it() -> None:
    everything = WORKING_HOURS.replace("    applies_to: {tags: [tier-1]}\n", "")
    abroad = "timezone: Europe/Amsterdam\nservices: {docs: {timezone: Asia/Tokyo}}\n"
    for unknown, zones in (
        ("", ["Asia/Tokyo", "Europe/Amsterdam"]),
        ("unknown_services: refuse\n", ["Asia/Tokyo"]),
    ):
        told = freezes("2026-11-27T07:00:00Z", everything, abroad + unknown)["upcoming"]
        assert [zone for _, zone, _ in told] == zones, format_instant(FRIDAY)


def test_what_only_warns_is_not_among_the_freezes() -> None:
    window = "title: T, reason: R, when: [{always: true}]"
    held = in_force(f"  - {{id: warns, effect: warn, {window}}}\n  - {{id: denies, {window}}}\n")
    told = status(held, None, None, FRIDAY, FRIDAY)["freezes"]["active"]
    assert [each["id"] for each in told] == ["denies"]
