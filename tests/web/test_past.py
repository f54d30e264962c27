"""The ribbon of the past: by the policies in force then, with the deploys in spite of them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.errors import FreezegateError
from app.core.instant import DAY, HOUR, parse_instant
from app.core.interval import Period
from app.gate import past
from app.gate.errors import StoreUnavailableError
from app.gate.keys import KeyRequest
from app.identity.caller import Role
from app.main import create_app
from app.settings import Settings
from tests.api.conftest import bearer, key_for
from tests.api.fakes import FakeClock
from tests.gate.conftest import reload
from tests.web.browser import serious
from tests.web.pages import Page
from tests.web.still import KEY, still

NOW = parse_instant("2026-11-27T13:05:00Z")
BEFORE = """\
version: 1
timezone: Europe/Amsterdam
environments: [production, eu, staging]
policies:
  - id: friday
    title: Old Friday rule
    reason: r
    applies_to: {environments: [production, eu]}
    exempt: {changes: [hotfix]}
    when: [{weekly: {from: fri 10:00, to: fri 20:00}}]
"""
AFTER = BEFORE.replace("Old Friday rule", "New Friday rule").replace("fri 10:00", "fri 12:00")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, FakeClock]]:
    """A gate of three weeks, whose policies changed after two."""
    folder = tmp_path_factory.mktemp("past")
    file = folder / "policies.yaml"
    file.write_text(BEFORE)
    clock = FakeClock(NOW - 21 * DAY)
    settings = Settings(policies=file, database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}"))
    with TestClient(create_app(settings, clock=clock)) as gate:
        ops = bearer(key_for(gate, KeyRequest("ada", Role.OPS)))
        _live(gate, clock, ops)
        file.write_text(AFTER)
        context = gate.app.state.context  # type: ignore[attr-defined]
        reload(context.policies, clock.now())
        context.record.note_policies(context.policies.in_force)
        clock.at = NOW
        yield gate, clock


def _live(gate: TestClient, clock: FakeClock, ops: dict[str, str]) -> None:
    clock.at = parse_instant("2026-11-13T11:00:00Z")
    grant = {"services": ["shop"], "environments": ["production"], "reason": "Fix", "ttl": "1h"}
    token = gate.post("/overrides", json=grant, headers=ops).json()["token"]
    made = gate.post("/can-deploy", json={"service": "shop"}, headers={**ops, "X-Override-Token": token})
    assert made.json()["outcome"] == "override"
    report = {"result": "failed"}
    assert gate.post(f"/decisions/{made.json()['decision_id']}/outcome", json=report, headers=ops).is_success
    clock.at += HOUR
    gate.post("/can-deploy", json={"service": "mail", "change": "hotfix"}, headers=ops)
    gate.post("/can-deploy", json={"service": "mail"}, headers=ops)
    clock.at = parse_instant("2026-11-17T11:00:00Z")
    freeze = {"title": "<b>Incident</b>", "reason": "r", "environments": ["staging"], "ttl": "2h"}
    assert gate.post("/freezes", json=freeze, headers=ops).is_success
    clock.at = NOW - 7 * DAY - 5 * HOUR


def test_the_past_is_by_the_policies_in_force_then(lived: tuple[TestClient, FakeClock]) -> None:
    page = Page(lived[0].get("/dashboard/past").text)
    assert page.unclosed == []
    assert "26 Oct to 29 Nov 2026" in page.text
    assert "The record tells the policies from Fri 6 Nov 14:05 CET on." in page.text
    assert "Fri 13 Nov 10:00 CET to Fri 13 Nov 20:00 CET 10 h Old Friday rule" in page.text
    assert "Fri 20 Nov 12:00 CET to Fri 20 Nov 20:00 CET 8 h New Friday rule" in page.text
    assert "Fri 20 Nov 10:00" not in page.text
    assert "Fri 27 Nov 12:00 CET to Fri 27 Nov 14:05 CET" in page.text, "until now"
    assert "Tue 17 Nov 12:00 CET to Tue 17 Nov 14:00 CET 2 h <b>Incident</b> by ada" in page.text
    assert "<b>Incident</b>" in page.isolated


def test_deploys_in_spite_of_a_freeze_are_marked_and_listed(lived: tuple[TestClient, FakeClock]) -> None:
    page = Page(lived[0].get("/dashboard/past?view=week&from=2026-11-11").text)
    assert "9 Nov to 15 Nov 2026" in page.text
    assert "production, eu 1 freeze, 2 deployed in spite of it" in page.text
    assert "shop → production Fri 13 Nov 12:00 CET override failed" in page.text
    assert "mail → production Fri 13 Nov 13:00 CET exempt: hotfix not reported" in page.text
    labels = [attributes.get("aria-label") or "" for _, attributes in page.elements]
    first = "Deployed: shop → production, by override, failed, Fri 13 Nov 12:00 CET; mail → production"
    assert [each for each in labels if each.startswith(first)], "an hour apart, they share a mark"
    [link] = [
        each["href"] or ""
        for each in page.named("a")
        if "2026-11-13T11%3A00%3A00Z" in (each.get("href") or "")
    ]
    assert "shop → production" in Page(lived[0].get(link).text).text


def test_the_past_of_one_service_has_its_own_freezes_and_deploys(
    lived: tuple[TestClient, FakeClock],
) -> None:
    gate, _ = lived
    page = Page(gate.get("/dashboard/past?service=mail").text)
    assert "mail → production" in page.text
    assert "shop → production" not in page.text
    assert "/dashboard/past?view=week&service=mail&from=2026-11-23" in [
        each.get("href") for each in page.named("a")
    ]
    of_service = Page(gate.get("/services/mail").text)
    assert of_service.unclosed == []
    assert "Last five weeks" in of_service.text
    labels = [attributes.get("aria-label") or "" for _, attributes in of_service.elements]
    assert [each for each in labels if each.startswith("Deployed: mail → production, exempt")]
    assert [each for each in labels if each.startswith("Frozen Fri 4 Dec 12:00")], "and what is to come"


def test_times_and_lengths_can_be_linked(lived: tuple[TestClient, FakeClock]) -> None:
    gate, _ = lived
    page = Page(gate.get("/dashboard/past?from=2026-10-19").text)
    assert {"type": "date", "name": "from", "value": "2026-10-19"} in page.named("input"), "a filter keeps it"
    found = [each.get("href") for each in page.named("a")]
    assert "/dashboard/past?view=month&from=2026-09-14" in found
    assert "/dashboard/past?view=month&from=2026-11-23" in found
    assert "/dashboard/past?view=quarter&from=2026-08-24" in found
    assert "/dashboard/past?view=week&from=2026-11-16" in found
    calm = Page(gate.get("/dashboard/past?from=2026-01-05").text)
    assert "Nothing is on record for this time." in calm.text
    ahead = Page(gate.get("/dashboard/past?view=week&from=2027-01-05").text)
    assert "23 Nov to 29 Nov 2026" in ahead.text, "nothing lies ahead"
    for wrong in ("view=day", "from=soon", "x=1"):
        assert gate.get(f"/dashboard/past?{wrong}").status_code == 422


def test_reading_is_bounded(lived: tuple[TestClient, FakeClock], monkeypatch: pytest.MonkeyPatch) -> None:
    gate = lived[0].app.state.context  # type: ignore[attr-defined]
    period = Period(NOW - 30 * DAY, NOW)
    monkeypatch.setattr(past, "MOST_SEGMENTS", 2)
    assert [lane.lane.whole for lane in gate.gate.past.view(gate.policies.in_force, period).lanes] == [False]
    monkeypatch.setattr(past, "MOST_SEGMENTS", 500)
    monkeypatch.setattr(past, "MOST_LOADS", 1)
    assert gate.gate.past.view(gate.policies.in_force, period).known_since == NOW - 7 * DAY - 5 * HOUR
    monkeypatch.setattr(past, "MOST_LOADS", 500)
    monkeypatch.setattr(past, "MOST_PARSED", 0)
    anew = past.Past(gate.gate._store.query)
    assert anew.view(gate.policies.in_force, period).revisions == 1


def test_sets_that_can_not_be_read_are_left_out(
    lived: tuple[TestClient, FakeClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = lived[0].app.state.context  # type: ignore[attr-defined]
    period = Period(NOW - 30 * DAY, NOW)

    def refuse(_: Any) -> Any:
        raise FreezegateError("no longer accepted")

    monkeypatch.setattr(past, "load_untested", refuse)
    monkeypatch.setattr(past, "_REMEMBERED", 1)
    anew = past.Past(gate.gate._store.query)
    found = anew.view(gate.policies.in_force, period)
    assert (found.revisions, found.known_since) == (1, NOW - 7 * DAY - 5 * HOUR)


def test_a_lost_database_is_said_on_the_page(
    lived: tuple[TestClient, FakeClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, _ = lived

    def lost(*_: Any) -> Any:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(past.Past, "view", lost)
    assert "the database can't be reached" in Page(gate.get("/dashboard/past?from=2026-11-02").text).text
    assert "Last five weeks" not in Page(gate.get("/services/other").text).text


def _history(gate: TestClient, clock: FakeClock) -> None:
    admin = {"Authorization": f"Bearer {KEY}"}
    _live(gate, clock, admin)


def test_the_ribbon_fits_a_phone_and_can_be_used_by_everyone(browser: Browser, tmp_path: Path) -> None:
    options: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    at, since = "2026-11-27T13:05:00Z", "2026-11-06T13:05:00Z"
    with still(browser, tmp_path, BEFORE, at, "/dashboard/past", _history, since, **options) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert serious(page) == []
        page.locator(".calendar .scroll.narrow").focus()
        seen = []
        for _ in range(8):
            page.keyboard.press("ArrowRight")
            seen.append(page.locator(".calendar .detail").inner_text())
        assert any(re.match("Frozen Fri 13 Nov", each) for each in seen)
        assert any(each.startswith("Deployed: ") for each in seen)
