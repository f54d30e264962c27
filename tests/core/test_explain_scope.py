"""The scope of a policy, an exemption or a freeze, in words."""

from typing import Any

import pytest

from app.core.explain import scope_in_words


@pytest.mark.parametrize(
    ("selectors", "words"),
    [
        (None, "everything"),
        ([], "everything"),
        ([{}], "everything"),
        ([{"environments": ["production"]}], "everything in production"),
        ([{"environments": ["production", "staging"]}], "everything in production or staging"),
        ([{"services": ["checkout"]}], "checkout"),
        ([{"services": ["a", "b", "c"], "environments": ["qa"]}], "a, b or c in qa"),
        ([{"tags": ["tier-1"]}], "services tagged tier-1"),
        ([{"services": ["web-*"], "tags": ["pci", "tier-1"]}], "web-* tagged pci or tier-1"),
        ([{"changes": ["rollback"]}], "rollback changes"),
        (
            [{"changes": ["hotfix", "rollback"], "services": ["checkout"], "environments": ["production"]}],
            "hotfix or rollback changes of checkout in production",
        ),
        ([{"changes": ["rollback"]}, {"services": ["docs-site"]}], "rollback changes; docs-site"),
        ([{"environments": None, "services": ["api"], "title": "not a field of a selector"}], "api"),
    ],
)
def test_selectors_read_as_a_person_would_say_them(
    selectors: list[dict[str, Any]] | None, words: str
) -> None:
    assert scope_in_words(selectors) == words


def test_where_room_is_short_names_are_counted() -> None:
    selectors = [{"services": ["a", "b", "c", "d"], "environments": ["qa", "test", "live"]}]
    assert scope_in_words(selectors, 3) == "a, b or 2 more in qa, test or live"
    assert scope_in_words(None, 3) == "everything"
