"""The JSON of a difference has every stretch, and says exactly which unlisted services are meant."""

from app.core.diff import in_words, to_json
from app.core.wallclock import zone
from tests.core.diff.test_difference import FRIDAY, a_set, between, friday

HOME = zone("Europe/Amsterdam")


def test_it_has_the_period_the_policies_and_each_stretch() -> None:
    found = between(a_set(friday()), a_set(friday("fri 15:00", id="weekend")))
    body = to_json(found, HOME, "sha256:a", "sha256:b")
    assert body["from"] == "2026-11-30T00:00:00Z"
    assert body["to"] == "2027-01-29T00:00:00Z"
    assert (body["old_revision"], body["new_revision"], body["timezone"]) == (
        "sha256:a",
        "sha256:b",
        HOME.name,
    )
    assert (body["differs"], body["opens"], body["closes"]) == (True, True, False)
    assert body["policies"] == [{"kind": "renamed", "id": "friday", "new_id": "weekend", "fields": ["when"]}]
    assert body["in_words"] == in_words(found, HOME)
    (only,) = body["differences"]
    assert len(only["hours"]) == 8
    assert only["hours"][0] == {
        "from": "2026-12-04T13:00:00Z",
        "to": "2026-12-04T14:00:00Z",
        "opens": True,
        "before": ["friday"],
        "after": [],
        "refused": False,
    }


def test_equal_sets_differ_in_nothing() -> None:
    body = to_json(between(a_set(friday()), a_set(friday())), HOME)
    assert (body["differs"], body["opens"], body["closes"]) == (False, False, False)
    assert (body["differences"], body["policies"], body["limits"]) == ([], [], [])


def test_other_services_are_told_from_unlisted_ones_with_a_pattern() -> None:
    always = {**FRIDAY, "id": "always", "when": [{"always": True}], "applies_to": {"services": ["web-*"]}}
    (only,) = to_json(between(a_set(friday(), always), a_set(always)), HOME)["differences"]
    assert only["services"] == {
        "names": [],
        "patterns": [],
        "others": True,
        "except": [{"globs": ["web-*"], "sample": "web-x"}],
    }


def test_names_and_settings_are_listed() -> None:
    body = to_json(between(a_set(services={"api": {}}), a_set(timezone="UTC", changes=["normal"])), HOME)
    assert body["names"] == {
        "added": {"environments": [], "changes": [], "services": []},
        "removed": {"environments": [], "changes": ["hotfix", "rollback"], "services": ["api"]},
        "changed_services": [],
        "settings": [{"name": "timezone", "before": "Europe/Amsterdam", "after": "UTC"}],
    }
