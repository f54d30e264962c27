"""The page of insights: what it says of deploys that are not alike, and what it can be asked for."""

from starlette.testclient import TestClient

from app.core.instant import HOUR
from tests.api.fakes import FakeClock
from tests.web.pages import Page


def deploy(gate: TestClient, change: str, result: str) -> None:
    claim = {"service": "docs-site", "change": change}
    own_id = gate.post("/can-deploy", json=claim).json()["decision_id"]
    assert gate.post(f"/decisions/{own_id}/outcome", json={"result": result}).status_code == 201


def a_day(gate: TestClient, clock: FakeClock) -> None:
    """Rollbacks fail, at lunch time and later; everything else succeeds, later."""
    clock.at -= 3_600 + 1_800  # 12:35
    for _ in range(12):
        deploy(gate, "rollback", "failed")
    clock.at += 3_600
    for _ in range(12):
        deploy(gate, "rollback", "failed")
        deploy(gate, "normal", "succeeded")
    clock.at += 1


def test_where_those_compared_are_not_all_the_page_says_so(gate: TestClient, clock: FakeClock) -> None:
    a_day(gate, clock)
    page = Page(gate.get("/dashboard/insights").text)
    assert "It is lunch time00 100 % of 12" in page.text
    assert "50 % of 24" in page.text
    assert "like with like, 100 % beside 100 %" in page.text
    assert page.unclosed == []


def test_the_page_shows_one_kind_of_change_if_it_is_asked_to(gate: TestClient, clock: FakeClock) -> None:
    clock.at -= 5 * HOUR
    deploy(gate, "rollback", "failed")
    clock.at += 5 * HOUR
    a_day(gate, clock)
    page = Page(gate.get("/dashboard/insights", params={"change": "rollback"}).text)
    assert "25 deploys, 0 denials" in page.text
    assert ": 1 deploy, 0 denials, 0 overrides. " in str(page.elements)
    assert "like with like, 100" not in page.text
    assert {"selected": None} in page.named("option")
    links = [each["href"] or "" for each in page.named("a")]
    assert any("change=rollback" in link and "show=denials" in link for link in links)
