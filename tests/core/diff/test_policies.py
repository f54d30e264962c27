"""What changed in the policies themselves, and in the names and settings of their set."""

from typing import Any

import pytest

from app.core.diff import PolicyChange, SettingChange
from app.core.diff.policies import name_changes, pair, policy_changes
from app.core.policy import PolicySet

FRIDAY = {
    "id": "friday",
    "title": "No deploys on Friday afternoon",
    "reason": "Nobody watches.",
    "when": [{"weekly": {"from": "fri 14:00", "to": "mon 08:00"}}],
}
NIGHT = {
    "id": "night",
    "title": "Not at night",
    "reason": "Sleep.",
    "when": [{"daily": {"from": "22:00", "to": "06:00"}}],
}


def a_set(*policies: dict[str, Any], **more: Any) -> PolicySet:
    return PolicySet.model_validate({"version": 1, "policies": list(policies), **more})


def changes(old: PolicySet, new: PolicySet) -> tuple[PolicyChange, ...]:
    return policy_changes(old, new, pair(old, new))


def test_added_and_removed_policies_are_named() -> None:
    assert changes(a_set(FRIDAY), a_set(NIGHT)) == (
        PolicyChange("added", "night", None, ()),
        PolicyChange("removed", "friday", None, ()),
    )


def test_a_changed_policy_is_named_with_its_fields() -> None:
    after = {**FRIDAY, "title": "Other", "exempt": {"changes": ["rollback"]}, "override": "never"}
    assert changes(a_set(FRIDAY), a_set(after)) == (
        PolicyChange("changed", "friday", None, ("title", "exempt", "override")),
    )


def test_defaults_written_out_are_no_change() -> None:
    after = {"running": "finish", "effect": "deny", "override": "token", **dict(reversed(FRIDAY.items()))}
    assert changes(a_set(FRIDAY), a_set(after)) == ()


def test_the_same_content_under_another_id_is_a_rename() -> None:
    after = {**FRIDAY, "id": "weekend"}
    assert changes(a_set(FRIDAY, NIGHT), a_set(NIGHT, after)) == (
        PolicyChange("renamed", "friday", "weekend", ()),
    )


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"title": "No deploys before the weekend"}, ("title",)),
        ({"when": [{"weekly": {"from": "fri 15:00", "to": "mon 08:00"}}]}, ("when",)),
        ({"applies_to": {"services": ["api"]}, "contact": "#ops"}, ("contact", "applies_to")),
    ],
    ids=["its words", "its windows", "its scope"],
)
def test_a_policy_renamed_with_a_small_change_is_a_rename(
    changed: dict[str, Any], fields: tuple[str, ...]
) -> None:
    after = {**FRIDAY, "id": "weekend", **changed}
    assert changes(a_set(FRIDAY, NIGHT), a_set(NIGHT, after)) == (
        PolicyChange("renamed", "friday", "weekend", fields),
    )


def test_a_policy_with_other_words_and_other_windows_is_another_one() -> None:
    after = {**NIGHT, "id": "nights", "title": "Other"}
    assert [each.kind for each in changes(a_set(FRIDAY), a_set(after))] == ["added", "removed"]


def test_if_two_policies_could_be_meant_none_is_taken_for_renamed() -> None:
    first, second = {**FRIDAY, "id": "a", "title": "A"}, {**FRIDAY, "id": "b", "title": "B"}
    assert [each.kind for each in changes(a_set(FRIDAY), a_set(first, second))] == [
        "added",
        "added",
        "removed",
    ]


def test_policies_with_the_same_content_are_renamed_in_order() -> None:
    old = a_set({**FRIDAY, "id": "a"}, {**FRIDAY, "id": "b"})
    new = a_set({**FRIDAY, "id": "c"}, {**FRIDAY, "id": "d"}, {**FRIDAY, "id": "e"})
    assert changes(old, new) == (
        PolicyChange("renamed", "a", "c", ()),
        PolicyChange("renamed", "b", "d", ()),
        PolicyChange("added", "e", None, ()),
    )


def test_names_of_one_set_alone_are_listed() -> None:
    old = a_set(environments=["production", "qa"], services={"api": {}, "web": {"tags": ["a", "b"]}})
    new = a_set(changes=["normal"], services={"docs": {}, "web": {"tags": ["b", "a"]}})
    found = name_changes(old, new)
    assert found.added == ((), (), ("docs",))
    assert found.removed == (("qa",), ("hotfix", "rollback"), ("api",))
    assert found.changed_services == ()
    assert not found.is_empty


def test_services_with_other_tags_or_another_zone_are_listed() -> None:
    old = a_set(services={"api": {}, "web": {"tags": ["a"]}, "docs": {}})
    new = a_set(services={"api": {"timezone": "Asia/Tokyo"}, "web": {}, "docs": {}})
    assert name_changes(old, new).changed_services == ("api", "web")


def test_changed_settings_are_listed() -> None:
    old = a_set(services={"api": {}})
    new = a_set(
        services={"api": {}},
        timezone="Asia/Tokyo",
        unknown_services="refuse",
        overrides={"max_uses": 1, "require_ticket": True},
    )
    assert name_changes(old, new).settings == (
        SettingChange("timezone", "UTC", "Asia/Tokyo"),
        SettingChange("unknown_services", "allow", "refuse"),
        SettingChange("overrides", "max_ttl 1d, max_uses 5, approvals 0", "max_uses 1, require_ticket true"),
    )


def test_changed_settings_of_environments_are_listed_one_by_one() -> None:
    old = a_set(environments=["production", "main", "qa"])
    new = a_set(environments={"main": {"kind": "merge"}, "production": {"release": {"batch": 1}}, "dev": {}})
    assert name_changes(old, new).settings == (
        SettingChange("environments.main.kind", "deploy", "merge"),
        SettingChange("environments.production.release", "batch 5, every 1m", "batch 1, every 1m"),
    )


def test_the_form_in_which_environments_are_written_is_no_change() -> None:
    old = a_set(environments=["production", "main"])
    new = a_set(environments={"main": {}, "production": {"release": {"batch": 5, "every": "60s"}}})
    assert name_changes(old, new).is_empty


def test_nothing_changed_in_equal_sets() -> None:
    assert name_changes(a_set(overrides={}), a_set(overrides={})).is_empty
