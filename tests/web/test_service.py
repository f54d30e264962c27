"""The page of a service: its state, its preview in a chat, its texts to copy, and the way to others."""

import re
from collections.abc import Iterator
from pathlib import Path
from threading import current_thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.instant import DAY, parse_instant
from app.main import create_app
from app.settings import Settings
from app.web.service import service_path
from app.web.service_list import Alike, services_by_state
from tests.api.conftest import bearer
from tests.api.fakes import FakeClock
from tests.web.browser import opened
from tests.web.pages import Page
from tests.web.serving import ALWAYS, INCIDENT, send, serving

POLICIES = """\
version: 1
timezone: Europe/Amsterdam
environments: [production, eu, us, staging]
services:
  shop/checkout.v2: {tags: [tier-1]}
  tokyo: {timezone: Asia/Tokyo}
  search: {}
unknown_services: refuse
policies:
  - id: friday
    title: No deploys after Friday 14:00
    reason: Fix forward on Monday.
    contact: "#release-managers"
    applies_to: {environments: [production, eu, us]}
    exempt: {services: [search]}
    when: [{weekly: {from: fri 14:00, to: mon 08:00}}]
  - id: nights
    title: Nights
    reason: r
    applies_to: {services: [tokyo], environments: [us]}
    timezone: service
    when: [{daily: {from: "22:00", to: "06:00"}}]
"""
AT = parse_instant("2026-11-27T13:05:00Z")


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[tuple[TestClient, FakeClock]]:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    clock = FakeClock(AT)
    settings = Settings(policies=tmp_path / "policies.yaml")
    with TestClient(create_app(settings, clock=clock)) as client:
        yield client, clock


def metas(page: Page) -> dict[str, str]:
    found = {each.get("property") or each.get("name"): each.get("content") for each in page.named("meta")}
    return {name: content for name, content in found.items() if name and content}


def test_a_frozen_service_says_why_until_when_and_whom_to_ask(
    catalogue: tuple[TestClient, FakeClock],
) -> None:
    page = Page(catalogue[0].get("/services/shop/checkout.v2").text)
    assert page.unclosed == []
    assert "Frozen production eu us Opens in 2 d 17 h 55 min" in page.text
    assert "Mon 30 Nov 08:00 CET" in page.text
    assert "Closes again Fri 4 Dec 14:00 CET" in page.text
    assert "Fix forward on Monday. Ask #release-managers." in page.text
    assert "open staging No freeze planned" in page.text
    assert "Deploys are refused every week from Friday 14:00 to Monday 08:00" in page.text
    assert "tier-1" in page.text
    assert "Nights" not in page.text
    icon = next(each for each in page.named("link") if each.get("rel") == "icon")
    assert (icon["href"] or "").startswith("/static/icon-frozen.svg?v=")


def test_a_link_to_it_previews_its_state(catalogue: tuple[TestClient, FakeClock]) -> None:
    client, clock = catalogue
    found = metas(Page(client.get("/services/shop/checkout.v2").text))
    assert found["og:title"] == "shop/checkout.v2: production and 2 more frozen until Mon 08:00 CET"
    assert found["description"] == found["og:description"]
    assert found["description"].startswith("production is frozen: No deploys after Friday 14:00.")
    assert metas(Page(client.get("/services/search").text))["og:title"] == "search: open"
    clock.at -= DAY
    page = Page(client.get("/services/tokyo").text)
    # It is 22:05 in Tokyo.
    assert metas(page)["og:title"] == "tokyo: us frozen until Fri 06:00 JST"
    assert "Asia/Tokyo" in page.text
    icon = next(each for each in page.named("link") if each.get("rel") == "icon")
    assert (icon["href"] or "").startswith("/static/icon-frozen.svg?v=")
    icon = next(
        each for each in Page(client.get("/services/search").text).named("link") if each.get("rel") == "icon"
    )
    assert (icon["href"] or "").startswith("/static/icon-open.svg?v=")


def test_one_environment_needs_no_name_in_the_preview(gate: TestClient, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(
        "version: 1\npolicies: [{id: a, title: Always, reason: r, when: [{always: true}],"
        " applies_to: {environments: [production]}}]\n"
    )
    settings = Settings(
        policies=tmp_path / "one.yaml", database_url=SecretStr(f"sqlite:///{tmp_path}/one.db")
    )
    with TestClient(create_app(settings, clock=FakeClock(AT))) as client:
        page = Page(client.get("/services/any").text)
    assert metas(page)["og:title"] == "any: frozen"
    assert "No opening within two years" in page.text
    gate.get("/")


def test_what_can_be_copied_names_the_service_and_works(catalogue: tuple[TestClient, FakeClock]) -> None:
    client, _ = catalogue
    page = Page(client.get("/services/shop/checkout.v2").text)
    base = "http://testserver"
    target = "shop/checkout.v2 --environment production --server http://testserver"
    assert f"freezegate check {target} --claim && ./deploy.sh" in page.text
    query = "service=shop/checkout.v2&environment=production"
    badge = f"[![deploys]({base}/badge.svg?{query})]({base}/services/shop/checkout.v2)"
    assert badge in page.text
    assert f"{base}/calendar.ics?{query}" in page.text
    for place in (f"/badge.svg?{query}", f"/calendar.ics?{query}", f"/can-deploy?{query}"):
        assert client.get(place).status_code in (200, 423), place
    others = [each["href"] or "" for each in page.named("a") if "calendar.ics" in (each.get("href") or "")]
    assert [each for each in others if each.endswith("environment=staging")]


def test_its_decisions_are_listed_with_their_outcomes(gate: TestClient, keys: dict[str, str]) -> None:
    ci = bearer(keys["ci"])
    for service, result in (("docs-site", "failed"), ("api", None)):
        made = gate.post(
            "/can-deploy", json={"service": service, "environment": "staging"}, headers=ci
        ).json()
        if result:
            body = {"result": result}
            gate.post(f"/decisions/{made['decision_id']}/outcome", json=body, headers=ci)
    page = Page(gate.get("/services/docs-site").text)
    assert "docs-site → staging failed" in page.text
    assert "api →" not in page.text


def test_an_unknown_service_is_404_with_suggestions(catalogue: tuple[TestClient, FakeClock]) -> None:
    client, _ = catalogue
    for name in ("shop/chekout.v2", "Shop/Checkout.v2", "checkout"):
        reply = client.get(f"/services/{name}")
        assert reply.status_code == 404
        page = Page(reply.text)
        assert f"The policies know no service {name}." in page.text
        assert "Did you mean shop/checkout.v2?" in page.text
    reply = client.get("/services/%3Cscript%3E")
    assert reply.status_code == 404
    # The script takes the status of an error for an outage, and would say so.
    assert "/live.js" in client.get("/services").text
    assert "/live.js" not in reply.text
    assert "data-offsets" not in reply.text


def test_the_page_of_an_unknown_service_is_rendered_in_a_thread_of_pages_and_shared(
    catalogue: tuple[TestClient, FakeClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    def listed(*given: Any) -> list[Alike]:
        threads.append(current_thread().name)
        return services_by_state(*given)

    monkeypatch.setattr("app.web.service.services_by_state", listed)
    for name in ("chekout", "chekout", "a b", "a b"):
        assert catalogue[0].get(f"/services/{name}").status_code == 404
    assert [each.rpartition("_")[0] for each in threads] == ["freezegate-pages"] * 2


def test_without_refusal_any_name_has_a_page_that_says_that_it_is_not_listed(gate: TestClient) -> None:
    page = Page(gate.get("/services/chekout").text)
    assert "not in the catalogue; policies for everything apply to it. Did you mean checkout?" in page.text
    assert "Frozen production" in page.text


def test_the_search_goes_to_the_page_of_any_name(catalogue: tuple[TestClient, FakeClock]) -> None:
    client, _ = catalogue
    reply = client.get("/services?name=+search+", follow_redirects=False)
    assert (reply.status_code, reply.headers["location"]) == (303, "/services/search")
    page = Page(client.get("/services").text)
    assert {
        each["href"] for each in page.named("a") if (each.get("href") or "").startswith("/services/")
    } == {"/services/search", "/services/shop/checkout.v2", "/services/tokyo"}
    assert "2 services opens Mon 30 Nov 08:00 CET shop/checkout.v2" in page.text


@pytest.mark.parametrize("name", ["a/../b", "a//b", "./a".removeprefix("./") + "/.", "a/"])
def test_a_name_that_a_path_would_not_keep_is_in_the_query(gate: TestClient, name: str) -> None:
    place = service_path(name)
    assert urlsplit(place).path == "/services"
    assert Page(gate.get(place).text).text.count(name) > 1


def test_the_page_and_its_icon_change_live(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, ALWAYS) as busy:
        with opened(browser, busy.url, "/services/docs-site") as page:
            icon = page.locator("link[rel=icon]")
            assert "icon-open" in (icon.get_attribute("href") or "")
            send(busy, "POST", "/freezes", {**INCIDENT, "environments": ["production"]})
            expect(page.locator(".frozen-panel")).to_contain_text("Payment incident")
            assert "icon-incident" in (icon.get_attribute("href") or "")
            expect(page.locator("#announced")).to_contain_text("production is frozen now")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        with opened(browser, busy.url, "/services/checkout", viewport={"width": 390, "height": 844}) as page:
            expect(page.locator(".frozen-panel")).to_contain_text("The books are being closed")
            assert page.evaluate("document.documentElement.scrollWidth") == 390
            page.locator("#find-service").fill("docs-site")
            page.keyboard.press("Enter")
            expect(page.get_by_role("heading", name="docs-site")).to_be_visible()


def test_a_policy_names_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "main.yaml").write_text(
        "version: 1\nservices: {shop: {}, mail: {}}\n"
        "owners:\n  shop.yaml: {team: Shop & Co, services: [shop]}\npolicies: []\n"
    )
    (folder / "shop.yaml").write_text(
        "version: 1\npolicies:\n"
        "  - {id: nights, title: Nights, reason: r, contact: '#shop',"
        " applies_to: {services: [shop]}, when: [{daily: {from: '22:00', to: '06:00'}}]}\n"
    )
    settings = Settings(policies=folder, database_url=SecretStr(f"sqlite:///{tmp_path}/gate.db"))
    with TestClient(create_app(settings, clock=FakeClock(AT))) as client:
        assert "Owned by Shop & Co · Ask #shop" in Page(client.get("/services/shop").text).text
        assert "No policy applies to this service." in Page(client.get("/services/mail").text).text


def test_a_freeze_to_come_is_listed_once_with_its_environments(
    catalogue: tuple[TestClient, FakeClock],
) -> None:
    client, _ = catalogue
    html = client.get("/services/tokyo").text
    page = Page(html)
    assert "production eu: No deploys after Friday 14:00" in page.text
    assert "us: Nights" in page.text
    assert "and 2 more" in page.text
    lists = "".join(re.findall(r'<ol class="coming">(.*?)</ol>', html, re.DOTALL))
    starts = re.findall(r'class="span"><time datetime="([^"]*)"', lists)
    assert len(starts) == 8
    assert starts == sorted(starts)
    assert lists.count('<time datetime="2026-12-07T07:00:00Z"') == 1, "production and eu share it"


def test_a_service_without_a_past_says_so(catalogue: tuple[TestClient, FakeClock]) -> None:
    client, _ = catalogue
    assert "Nothing is on record yet." in Page(client.get("/services/search").text).text


def test_environments_that_differ_only_later_share_a_panel(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(
        "version: 1\nenvironments: [eu, us]\npolicies:\n"
        "  - {id: now, title: Closed, reason: r, when: [{dates: {from: 2026-11-27, to: 2026-11-28}}]}\n"
        "  - {id: all, title: Audit, reason: r, when: [{dates: {from: 2026-12-01, to: 2026-12-02}}]}\n"
        "  - {id: us, title: Election, reason: r, applies_to: {environments: [us]},"
        " when: [{dates: {from: 2026-12-02, to: 2026-12-03}}]}\n"
    )
    with TestClient(create_app(Settings(policies=tmp_path / "policies.yaml"), clock=FakeClock(AT))) as client:
        page = Page(client.get("/services/any").text)
    assert page.text.count("Opens in") == 1
    assert "eu: Audit" in page.text
    assert "us: Audit · Election" in page.text
