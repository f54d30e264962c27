"""The pages of decisions: filtered, page by page, exported by link, and each one by itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.instant import HOUR, parse_instant
from app.gate.errors import StoreUnavailableError
from app.gate.keys import KeyRequest
from app.gate.record import Record
from app.identity.caller import Role
from app.main import create_app
from app.settings import Settings
from tests.api.conftest import POLICIES, bearer, key_for
from tests.api.fakes import FakeClock
from tests.web.browser import serious
from tests.web.pages import Page
from tests.web.still import KEY, still

AT = "2026-11-27T13:05:00Z"
NOW = parse_instant(AT)


def _live(gate: TestClient, clock: FakeClock, ops: dict[str, str]) -> list[dict[str, Any]]:
    """Sixty deploys to staging, then one that is denied, overridden and reported."""
    for number in range(60):
        clock.at = NOW + number
        body = {"service": f"s{number}", "environment": "staging"}
        gate.post("/can-deploy", json=body, headers=ops)
    clock.at = NOW + HOUR
    asked = {"service": "checkout", "ref": "<b>v7</b>", "run_url": "https://ci.example/7", "actor": "eve"}
    denied = gate.post("/can-deploy", json=asked, headers=ops).json()
    grant = {"services": ["checkout"], "environments": ["production"], "reason": "Fix", "ttl": "1h"}
    token = gate.post("/overrides", json=grant, headers=ops).json()["token"]
    lifted = gate.post("/can-deploy", json=asked, headers={**ops, "X-Override-Token": token}).json()
    report = {"result": "failed", "incident": "https://incidents.example/1"}
    gate.post(f"/decisions/{lifted['decision_id']}/outcome", json=report, headers=ops)
    joint = {"services": ["checkout", "docs-site"], "environment": "staging"}
    return [denied, lifted, gate.post("/can-deploy", json=joint, headers=ops).json()]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, list[dict[str, Any]]]]:
    folder = tmp_path_factory.mktemp("decisions")
    (folder / "policies.yaml").write_text(POLICIES)
    clock = FakeClock(NOW)
    settings = Settings(
        policies=folder / "policies.yaml", database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}")
    )
    with TestClient(create_app(settings, clock=clock)) as gate:
        ops = bearer(key_for(gate, KeyRequest("ada", Role.OPS)))
        yield gate, _live(gate, clock, ops)


def rows(page: Page) -> list[str]:
    return [each["href"] or "" for each in page.named("a") if each.get("class") == "row"]


def test_decisions_come_in_pages(recorded: tuple[TestClient, list[dict[str, Any]]]) -> None:
    gate, _ = recorded
    first = Page(gate.get("/dashboard/decisions").text)
    assert first.unclosed == []
    assert len(rows(first)) == 50
    assert "override checkout → production failed No deploys after Friday 14:00 eve" in first.text
    [older] = [each["href"] or "" for each in first.named("a") if each.get("rel") == "next"]
    second = Page(gate.get(older).text)
    assert len(rows(second)) == 13
    assert not {*rows(first)} & {*rows(second)}
    assert "Newest" in second.text
    assert "Older" not in second.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("service=checkout", 3),
        ("outcome=deny", 1),
        ("environment=production", 2),
        ("policy=friday-afternoon", 2),
        ("actor=eve", 2),
        ("actor=ada&environment=staging&service=s7", 1),
        ("from=2026-11-27T15:05", 3),
        ("to=2026-11-27T13:05:30Z", 30),
        ("from=2026-11-28", 0),
        ("to=2026-11-26", 0),
        ("from=2026-11-27&to=2026-11-27&outcome=override", 1),
        ("service=&environment=&outcome=&actor=&policy=&from=&to=&cursor=", 50),
    ],
)
def test_a_filter_can_be_linked_and_exported(
    recorded: tuple[TestClient, list[dict[str, Any]]], query: str, found: int
) -> None:
    gate, _ = recorded
    page = Page(gate.get(f"/dashboard/decisions?{query}").text)
    assert len(rows(page)) == found
    if not found:
        assert "No matching decisions" in page.text
    csv, ndjson = (
        next(each["href"] or "" for each in page.named("a") if each.get("download") == f"decisions.{name}")
        for name in ("csv", "ndjson")
    )
    all_found = 63 if found == 50 else found
    reply = gate.get(csv)
    assert reply.headers["content-type"].startswith("text/csv")
    assert len(reply.text.splitlines()) == all_found + 1
    assert len(gate.get(ndjson).text.splitlines()) == all_found


def test_the_form_keeps_its_values_even_those_that_the_policies_no_longer_have(
    recorded: tuple[TestClient, list[dict[str, Any]]],
) -> None:
    page = Page(recorded[0].get("/dashboard/decisions?environment=gone&policy=old&from=2026-11-01").text)
    assert page.value("from") == "2026-11-01"
    assert "gone" in page.text
    assert "old" in page.text
    assert "Clear" in page.text
    wrong = recorded[0].get("/dashboard/decisions?from=soon")
    assert wrong.status_code == 422
    assert "From: " in Page(wrong.text).text
    for query in ("outcome=maybe", "cursor=x", "x=1"):
        assert recorded[0].get(f"/dashboard/decisions?{query}").status_code == 422


def test_a_decision_has_a_page_with_the_whole_answer(
    recorded: tuple[TestClient, list[dict[str, Any]]],
) -> None:
    gate, (denied, lifted, joint) = recorded
    page = Page(gate.get(f"/dashboard/decisions/{lifted['decision_id']}").text)
    assert page.unclosed == []
    assert "override" in page.text
    assert "No deploys after Friday 14:00 lifted Nothing good happens after 14:00 on a Friday." in page.text
    assert "failed, Fri 27 Nov 15:05 CET by ada: https://incidents.example/1" in page.text
    assert "<b>v7</b>" in page.isolated
    assert "https://ci.example/7" in [each.get("href") for each in page.named("a")]
    assert "/services/checkout" in [each.get("href") for each in page.named("a")]
    of_denied = Page(gate.get(f"/dashboard/decisions/{denied['decision_id']}").text)
    assert "Nothing was deployed by it." in of_denied.text
    assert "Opens Mon 30 Nov 08:00 CET." in of_denied.text
    assert (
        "<title>Denied: checkout → production"
        in gate.get(f"/dashboard/decisions/{denied['decision_id']}").text
    )
    of_joint = Page(gate.get(f"/dashboard/decisions/{joint['decision_id']}").text)
    assert "Servicescheckout, docs-site" in of_joint.text
    assert "No rule stood against it." in of_joint.text
    assert "Not reported." in of_joint.text
    for unknown in ("dec_nothing", "nothing"):
        assert gate.get(f"/dashboard/decisions/{unknown}").status_code == 404
    assert gate.get(f"/dashboard/decisions/{joint['decision_id']}?x=1").status_code == 422


def test_a_lost_database_is_said_on_the_page(
    recorded: tuple[TestClient, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: Any) -> Any:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(Record, "decisions", lost)
    assert "the database can't be reached" in Page(recorded[0].get("/dashboard/decisions").text).text
    assert "the database can't be reached" in Page(recorded[0].get("/services/checkout").text).text


def test_the_record_fits_a_phone_and_can_be_used_by_everyone(browser: Browser, tmp_path: Path) -> None:
    ids: list[str] = []

    def history(gate: TestClient, clock: FakeClock) -> None:
        found = _live(gate, clock, {"Authorization": f"Bearer {KEY}"})
        ids.extend(each["decision_id"] for each in found)

    options: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}
    at = "2026-11-27T14:30:00Z"
    with still(browser, tmp_path, POLICIES, at, "/dashboard/decisions", history, AT, **options) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert serious(page) == []
        page.locator(f"#{ids[1]} a").click()
        page.wait_for_url("**/dashboard/decisions/dec_*")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert serious(page) == []
