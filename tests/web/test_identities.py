"""The identities by which `live.js` tells elements apart when it updates a page: unique among siblings."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import bearer
from tests.web.pages import Page
from tests.web.test_front import in_force

ALWAYS: Final = [{"always": True}]
WEEKEND: Final = [{"weekly": {"from": "fri 14:00", "to": "mon 08:00"}}]
MONDAY: Final = [{"dates": {"from": "2026-11-30 08:00", "to": "2026-12-01 08:00"}}]
MORNING: Final = [{"dates": {"from": "2026-11-28 08:00", "to": "2026-11-29 08:00"}}]


class Identified(Page):
    """A page, and the identities in its live parts, by the parent of the elements."""

    def __init__(self, html: str) -> None:
        self.path: list[tuple[int, bool]] = [(0, False)]
        """The elements that are open: the number of each, and whether it is in a live part."""
        self.found: Counter[tuple[int, str]] = Counter()
        super().__init__(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        own = dict(attrs)
        parent, is_live = self.path[-1]
        name = own.get("id") or own.get("data-id") or own.get("action")
        if is_live and name:
            self.found[parent, name] += 1
        if self.unclosed[-1:] == [tag] and len(self.unclosed) == len(self.path):
            self.path.append((len(self.elements), is_live or "data-live" in own))

    def handle_endtag(self, tag: str) -> None:
        super().handle_endtag(tag)
        self.path.pop()

    @property
    def repeated(self) -> list[str]:
        return [name for (_, name), times in self.found.items() if times > 1]


def policy(name: str, when: list[dict[str, Any]], *applies_to: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": name, "title": name, "reason": "r", "when": when, "applies_to": list(applies_to), **more}


POLICIES: Final = {
    "version": 1,
    "timezone": "Europe/Amsterdam",
    "environments": ["a", "b", "c", "d"],
    "services": {"pay": {"tags": ["money"]}, "shop": {"tags": ["front"]}, "till": {}},
    "policies": [
        # Both are frozen by the same rule, but one opens later.
        policy("weekend", WEEKEND, {"environments": ["a", "b"]}),
        policy("monday", MONDAY, {"environments": ["b"]}),
        # Both are open with the same warning, but one closes.
        policy("mind", ALWAYS, {"environments": ["c", "d"]}, effect="warn"),
        policy("morning", MORNING, {"environments": ["d"]}),
        # One rule singles out a service in one place, and a kind of change in another.
        policy(
            "some",
            ALWAYS,
            {"environments": ["c"], "services": ["till"]},
            {"environments": ["d"], "changes": ["rollback"]},
        ),
        # As an incident of the same places that has no end.
        policy("always", ALWAYS, {"tags": ["money"]}),
    ],
}
INCIDENT: Final = {"title": "Incident", "tags": ["front"], "open_ended": True}


@pytest.mark.parametrize("path", ["/", "/?wall", "/services", "/services/till"])
def test_identities_are_unique_among_siblings(
    gate: TestClient, folder: Path, keys: dict[str, str], path: str
) -> None:
    in_force(gate, folder, json.dumps(POLICIES))
    made = gate.post("/freezes", json=INCIDENT, headers=bearer(keys["ops"]))
    assert made.status_code == 201, made.text
    page = Identified(gate.get(path, headers=bearer(keys["ops"])).text)
    assert page.found
    assert page.repeated == []
