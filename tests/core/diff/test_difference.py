"""The hours that open or close between two policy sets, and for whom."""

from typing import Any

import pytest

from app.core import calendar_url
from app.core.diff import Diff, Hours, PolicyChange, diff
from app.core.diff.totals import headline
from app.core.engine import Engine
from app.core.instant import DAY, HOUR, parse_instant
from app.core.policy import PolicySet

PERIOD = (parse_instant("2026-11-30T00:00:00Z"), parse_instant("2027-01-29T00:00:00Z"))
FRIDAY = {"id": "friday", "title": "No deploys on Friday afternoon", "reason": "Nobody watches."}


def weekly(start: str, end: str = "mon 08:00") -> list[dict[str, Any]]:
    return [{"weekly": {"from": start, "to": end}}]


def a_set(*policies: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "timezone": "Europe/Amsterdam",
        "environments": ["production", "staging"],
        "policies": list(policies),
        **more,
    }


def between(old: dict[str, Any], new: dict[str, Any], period: tuple[int, int] = PERIOD) -> Diff:
    before, after = (Engine(PolicySet.model_validate(each)) for each in (old, new))
    return diff(before, after, period)


def friday(start: str = "fri 14:00", **more: Any) -> dict[str, Any]:
    return {**FRIDAY, "when": weekly(start), **more}


def test_a_freeze_that_begins_an_hour_later_opens_exactly_those_hours() -> None:
    found = between(a_set(friday()), a_set(friday("fri 15:00")))
    (only,) = found.differences
    first = parse_instant("2026-12-04T13:00:00Z")
    assert only.hours == tuple(
        Hours(start, start + HOUR, True, ("friday",), ()) for start in range(first, PERIOD[1], 7 * DAY)
    )
    assert len(only.hours) == 8
    assert only.environments == ("production", "staging")
    assert only.changes == ("normal", "hotfix", "rollback")
    assert only.services == ((), (), True)
    assert (found.opens, found.closes) == (True, False)


def test_a_freeze_that_begins_an_hour_earlier_closes_them() -> None:
    found = between(a_set(friday("fri 15:00")), a_set(friday()))
    assert {hours.after for hours in found.differences[0].hours} == {("friday",)}
    assert (found.opens, found.closes) == (False, True)


def test_the_order_of_policies_and_lists_makes_no_difference() -> None:
    other = {**FRIDAY, "id": "other", "when": [*weekly("mon 10:00", "mon 11:00"), *weekly("tue 10:00")]}
    turned = {**FRIDAY, "id": "other", "when": [*weekly("tue 10:00"), *weekly("mon 10:00", "mon 11:00")]}
    old = a_set(friday(), {**other, "applies_to": {"services": ["b", "a"]}})
    new = a_set({**turned, "applies_to": {"services": ["a", "b"]}}, friday())
    assert between(old, new).is_empty


def test_what_another_policy_freezes_anyway_does_not_open() -> None:
    always = {**FRIDAY, "id": "always", "when": [{"always": True}], "applies_to": {"services": ["web-*"]}}
    found = between(a_set(friday(), always), a_set(always))
    (only,) = found.differences
    assert only.services.others
    assert found.singled_out == ((("web-*",), "web-x"),)
    assert found.hours_of("web-1", "production", "normal") == ()
    assert found.hours_of("shop", "production", "normal") == only.hours


def test_a_service_that_only_a_combination_of_globs_singles_out_is_found() -> None:
    old = a_set(friday(applies_to={"services": ["a*"]}, exempt={"services": ["*b"]}))
    found = between(old, a_set(friday(applies_to={"services": ["a*"]})))
    (only,) = found.differences
    assert only.services.patterns == ((("*b", "a*"), "ab"),)
    assert found.hours_of("a-long-name-with-b", "staging", "hotfix") == only.hours
    assert found.hours_of("a/b", "staging", "hotfix") == ()


def test_a_refused_service_is_denied_at_all_times() -> None:
    catalogue = {"services": {"api": {}}, "unknown_services": "refuse"}
    old = a_set(friday(), **catalogue)
    found = between(old, {**old, "services": {"api": {}, "web": {}}})
    (only,) = found.differences
    assert only.services.names == ("web",)
    assert all(hours.opens and hours.refused for hours in only.hours)
    assert found.names.added.services == ("web",)


@pytest.mark.parametrize(("first", "other"), [("allow", "refuse"), ("refuse", "allow")])
def test_a_set_that_refuses_unknown_services_differs_for_all_of_them(first: str, other: str) -> None:
    old = a_set(friday(), services={"api": {}}, unknown_services=first)
    found = between(old, {**old, "unknown_services": other})
    assert found.hours_of("api", "production", "normal") == ()
    assert found.opens == (first == "refuse")
    assert found.closes == (first == "allow")
    assert found.names.settings == (("unknown_services", first, other),)


def test_environments_of_one_set_alone_are_named_and_not_compared() -> None:
    old = a_set(friday())
    found = between(old, {**old, "environments": ["production", "test"], "changes": ["normal", "config"]})
    assert found.differences == ()
    assert found.names.added == (("test",), ("config",), ())
    assert found.names.removed == (("staging",), ("hotfix", "rollback"), ())
    assert (found.environments, found.changes) == (("production",), ("normal",))
    assert found.limits == (
        (
            "What only one set has is not compared: the environments test and staging and the kinds of "
            "change config, hotfix and rollback."
        ),
    )


@pytest.mark.parametrize("is_added", [True, False])
def test_a_kind_of_change_of_one_set_alone_is_a_limit_whatever_else_differs(*, is_added: bool) -> None:
    few = ["normal", "rollback"]
    exempt = {"exempt": {"changes": ["rollback", "emergency"]}}
    pair = a_set(friday(), changes=few), a_set(friday("fri 15:00", **exempt), changes=[*few, "emergency"])
    found = between(*(pair if is_added else reversed(pair)))
    assert found.differences
    assert found.limits == ("What only one set has is not compared: the kind of change emergency.",)
    assert headline(found).endswith("in production and staging; not all was compared")


def test_services_of_one_set_alone_are_compared() -> None:
    found = between(a_set(friday(), services={"api": {}}), a_set(friday(), services={"web": {}}))
    assert found.names.added.services
    assert found.is_complete


def test_environments_kinds_of_change_and_services_that_are_alike_are_one_difference() -> None:
    services = {f"service-{number}": {"tags": ["shop"]} for number in range(300)}
    more = {"services": services, "environments": [f"region-{number}" for number in range(12)]}
    found = between(a_set(friday(), **more), a_set(friday("fri 15:00"), **more))
    (only,) = found.differences
    assert (len(only.services.names), len(only.environments), only.services.others) == (300, 12, True)


def test_a_service_whose_tags_changed_is_compared() -> None:
    tagged = friday(applies_to={"tags": ["pci"]})
    old = a_set(tagged, services={"api": {"tags": ["pci"]}, "web": {}})
    found = between(old, a_set(tagged, services={"api": {}, "web": {}}))
    (only,) = found.differences
    assert only.services.names == ("api",)
    assert found.names.changed_services == ("api",)


def test_a_service_whose_zone_changed_is_compared() -> None:
    local = friday(timezone="service")
    old = a_set(local, services={"api": {"timezone": "Asia/Tokyo"}, "web": {}})
    found = between(old, a_set(local, services={"api": {}, "web": {}}))
    (only,) = found.differences
    assert only.services.names == ("api",)
    assert only.hours[0] == Hours(PERIOD[0], PERIOD[0] + 7 * HOUR, False, (), ("friday",))
    assert (found.opens, found.closes) == (True, True)


def test_warnings_open_and_close_nothing() -> None:
    found = between(a_set(friday(effect="warn")), a_set(friday("fri 15:00", effect="warn")))
    assert found.differences == ()
    assert found.policies == (("changed", "friday", None, ("when",)),)


def test_a_policy_that_only_warns_from_now_on_opens_its_hours() -> None:
    found = between(a_set(friday()), a_set(friday(effect="warn")))
    assert found.opens
    assert found.policies[0].fields == ("effect",)


def test_a_calendars_url_in_its_masked_form_is_the_same_url() -> None:
    url = "https://calendar.example.com/private/x.ics"
    first, same, other = (
        a_set({**FRIDAY, "when": [{"icalendar": {"url": each}}, *weekly("fri 14:00")]})
        for each in (url, calendar_url.masked(url), f"{url}x")
    )
    assert between(first, same).is_empty
    assert between(same, first).is_empty
    assert between(first, other).policies == (PolicyChange("changed", "friday", None, ("when",)),)


def test_another_zone_of_the_set_moves_the_policies_without_one() -> None:
    old = a_set(
        friday(), {**FRIDAY, "id": "fixed", "timezone": "UTC", "when": weekly("wed 10:00", "wed 11:00")}
    )
    found = between(old, {**old, "timezone": "Asia/Tokyo"})
    assert found.policies == ()
    (only,) = found.differences
    first_closing = next(hours for hours in only.hours if not hours.opens)
    assert first_closing.start == parse_instant("2026-12-04T05:00:00Z")
    assert not any("fixed" in (*hours.before, *hours.after) for hours in only.hours)


def test_another_zone_of_the_set_moves_policies_in_the_zone_of_unlisted_services() -> None:
    old = a_set(friday(timezone="service", applies_to={"services": ["web-*"]}))
    found = between(old, {**old, "timezone": "Asia/Tokyo"})
    (only,) = found.differences
    assert only.services.patterns == ((("web-*",), "web-x"),)


def test_a_masking_policy_in_the_zone_of_the_service_is_read_there() -> None:
    masking = {**FRIDAY, "id": "mask", "timezone": "service", "when": weekly("fri 14:00", "fri 15:00")}
    catalogue = {"services": {"here": {}, "there": {"timezone": "Asia/Tokyo"}}}
    found = between(a_set(friday(), masking, **catalogue), a_set(friday("fri 15:00"), masking, **catalogue))
    (only,) = found.differences
    assert only.services == (("there",), (), False)


def test_sets_without_an_environment_in_common_have_nothing_to_compare() -> None:
    found = between(
        a_set(friday(), environments=["qa"]), a_set(friday("fri 15:00"), environments=["production"])
    )
    assert found.differences == ()
    assert found.environments == ()
    assert not found.is_empty
