"""Who does not see, or does not use a mouse, or sits elsewhere: every page, in a real Chromium."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.browser import opened, serious
from tests.web.serving import ALWAYS, INCIDENT, Served, send, serving, sign_in

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Served]:
    """A gate that has something of everything to show."""
    with serving(tmp_path, ALWAYS) as gate:
        send(gate, "POST", "/freezes", {**INCIDENT, "environments": ["staging"], "contact": "#room"})
        grant = {"services": ["checkout"], "environments": ["production"], "reason": "Fix", "ttl": "1h"}
        send(gate, "POST", "/overrides", {**grant, "ticket": "https://tickets.example.org/1"})
        for service, result in (("docs-site", "succeeded"), ("docs-site", "failed")):
            own_id = send(gate, "POST", "/can-deploy", {"service": service, "ref": "v7"})["decision_id"]
            send(gate, "POST", f"/decisions/{own_id}/outcome", {"result": result})
        yield gate


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(browser: Browser, busy: Served, scheme: str) -> None:
    with opened(browser, busy.url, refused="4[0-9]{2}", color_scheme=scheme) as page:

        def look(path: str = "", told: str = "") -> None:
            if path:
                page.goto(busy.url + path)
            expect(page.locator("main")).to_contain_text(told)
            assert serious(page) == [], page.url

        look("/?wall", "Frozen, except 1 service")
        look("/?service=checkout&environment=production", "The books are being closed")
        look("/?service=checkout&duration=soon", "Duration: ")
        look("/docs", "The API")
        look("/dashboard/insights", "median wait")
        look("/dashboard/propose", "No hours open or close")
        look("/dashboard/year?year=2027&day=2027-01-01", "of the year is frozen")
        look("/dashboard/calendar", "The books are being closed")
        look("/dashboard/calendar?view=quarter&service=checkout&environment=staging", "Payment incident")
        look("/dashboard/past?view=week", "deployed in spite of")
        look("/dashboard/decisions", "docs-site → production")
        page.locator(".record a").first.click()
        look(told="How it went")
        look("/services", "docs-site")
        look("/services/checkout", "The books are being closed")
        look("/services/docs-site", "In its pipeline")
        look("/dashboard/insights?days=7", "Request failed")
        look("/dashboard/sign-in", "Paste an API key")
        page.get_by_label("API key").fill("fzk_wrong")
        page.get_by_role("button", name="Sign in").click()
        look(told="That key is not valid.")
        sign_in(page, busy)
        look("/dashboard/sessions", "Open sessions")
        page.goto(busy.url)
        for each in page.locator("summary:not(#operate summary)").all():
            each.click()
        # These two open over the page, one at a time.
        page.locator("#start-freeze > summary").click()
        look(told="Person or channel to ask.")
        page.locator("#grant-override > summary").click()
        look(told="Only these policies")
        form = page.locator("#grant-override")
        form.get_by_label("Services").fill("checkout")
        form.get_by_label("Reason").fill("Fix")
        form.locator(".options > summary").click()
        form.get_by_label("Other expiry").fill("soon")
        form.get_by_role("button", name="Grant").click()
        look(told="Correct the field that is marked.")
        page.get_by_label("Other expiry").fill("1h")
        page.get_by_role("button", name="Grant").click()
        look(told="Copy the token now")
        page.reload()
        look(told="The token was shown once")


def test_the_keyboard_reaches_everything_and_shows_where_it_is(browser: Browser, busy: Served) -> None:
    with opened(browser, busy.url, "/dashboard/sign-in") as page:
        sign_in(page, busy)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        reached = list(_tabbed(page))
        assert {
            "service", "Ask", "To production, normal change, now More", "Filter", "Extend",
            "Lift", "Change", "Copy for Slack", "Revoke", "❄ Freeze now", "Grant an override",
            "Next four weeks of production",
        } <= set(reached)  # fmt: skip
        assert any(each.startswith("allow docs-site → production") for each in reached), "the decisions"


def _tabbed(page: Page) -> Iterator[str]:
    """What the tab key comes to, one after the other; each must show that the focus is there."""
    page.evaluate(_REMEMBER)
    for _ in range(400):
        page.keyboard.press("Tab")
        if page.evaluate(
            "document.activeElement === document.body || document.activeElement.matches('.skip')"
        ):
            return
        assert page.evaluate(_SHOWS), page.evaluate("document.activeElement.outerHTML.slice(0, 400)")
        yield re.sub(r"\s+", " ", page.evaluate(_NAME))
    pytest.fail("the tab key never came to an end")


_NAME = (
    "(({ activeElement: it }) => it.name || it.getAttribute('aria-label') || it.innerText.trim())(document)"
)

_REMEMBER = """
window.looks = (element) => JSON.stringify([element, ...element.children].map((each) => {
  const style = getComputedStyle(each);
  return [style.outlineStyle, style.outlineWidth, style.stroke, style.strokeWidth];
}));
window.plain = new Map([...document.querySelectorAll("body *")].map((each) => [each, looks(each)]));
"""
"""How everything looks that has no focus."""

_SHOWS = "looks(document.activeElement) !== plain.get(document.activeElement)"
"""Whether the focus makes a difference."""


def test_times_stand_beside_those_of_who_looks_from_elsewhere(browser: Browser, busy: Served) -> None:
    with opened(browser, busy.url, timezone_id="America/New_York") as page:
        times = page.locator("time[datetime]").all()
        assert len(times) > 5
        for each in times:
            moment = datetime.fromisoformat(each.get_attribute("datetime") or "").astimezone(NEW_YORK)
            own = f"{moment:%H:%M} your time)"
            beside = each.locator("xpath=following-sibling::*[1]")
            day = f"{moment:%a} {moment.day} {moment:%b}"
            shown = f"({own}" if each.inner_text().startswith(day) else f"({day} {own}"
            expect(beside).to_have_text(shown)
    with opened(browser, busy.url, timezone_id="Europe/Amsterdam") as page:
        expect(page.locator("time[datetime]").first).to_be_visible()
        expect(page.get_by_text("your time")).to_have_count(0)
