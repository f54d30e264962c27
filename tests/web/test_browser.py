"""The dashboard in a real Chromium, with a real gate behind it."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.browser import opened
from tests.web.serving import ALWAYS, Served, send, serving, sign_in


def test_an_open_and_empty_gate(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        expect(page.locator("[data-state=open]")).to_have_count(2)
        expect(page.get_by_text("There are no policies: nothing is ever frozen.")).to_be_visible()
        expect(page.get_by_text("No decisions yet.")).to_be_visible()
        assert page.title() == "Open · freezegate"


def test_a_frozen_gate(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, ALWAYS) as gate, opened(browser, gate.url) as page:
        card = page.locator(".frozen-place").first
        expect(card).to_contain_text("FROZEN")
        expect(card).to_contain_text("Nobody may change what is being counted.")
        expect(card).to_contain_text("Ask #finance")
        told = "docs-site open in spite of The books are being closed"
        expect(page.locator(".differences")).to_contain_text(told)
        stretch = page.locator(".picture g.stretch").first
        stretch.focus()
        expect(page.locator(".picture .detail").first).to_contain_text("The books are being closed")


def test_granting_and_revoking(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        sign_in(page, served)
        page.locator("#grant-override > summary").click()
        form = page.locator("#grant-override")
        form.get_by_label("Services").fill("checkout")
        form.get_by_label("Reason").fill("Payment fix")
        form.get_by_role("button", name="Grant").click()
        token = page.locator("#token").inner_text()
        assert token.startswith("fzo_")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy the token").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == token
        page.reload()
        expect(page.get_by_text("The token was shown once")).to_be_visible()
        assert token not in page.content()
        page.goto(served.url)
        assert token not in page.content()
        override = page.locator("#overrides li")
        expect(override).to_have_count(1)
        expect(override).to_contain_text("Payment fix")
        override.get_by_role("button", name="Revoke").click()
        expect(page.get_by_text("The override was revoked.")).to_be_visible()
        expect(page.locator("#overrides")).to_contain_text("No active overrides.")


def test_freezing_extending_and_lifting(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        sign_in(page, served)
        page.locator("#start-freeze > summary").click()
        form = page.locator("#start-freeze")
        form.get_by_label("Title").fill("Incident")
        form.get_by_role("button", name="Freeze").click()
        expect(page.locator(".frozen-place")).to_have_count(1)
        page.locator("#freezes summary", has_text="Extend").click()
        page.locator("#freezes").get_by_label("New duration, from now").fill("5h")
        page.locator("#freezes").get_by_role("button", name="Extend").click()
        expect(page.get_by_text("The end of the freeze was moved.")).to_be_visible()
        page.locator("#freezes summary", has_text="Lift").click()
        page.get_by_role("button", name="Lift this freeze").click()
        expect(page.locator("[data-state=open]")).to_have_count(2)


def test_a_button_pressed_twice_in_haste_does_it_once(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        sign_in(page, served)
        page.locator("#start-freeze > summary").click()
        form = page.locator("#start-freeze")
        form.get_by_label("Title").fill("Incident")
        page.evaluate(
            "window.held = []; window.addEventListener('submit', (event) => {"
            " held.push(event.defaultPrevented); event.preventDefault(); })"
        )
        form.get_by_role("button", name="Freeze").dblclick()
        assert page.evaluate("held") == [False, True]


def test_more_rules_than_are_in_sight_are_a_line_to_open(browser: Browser, tmp_path: Path) -> None:
    rules = "".join(
        f"- {{id: r{n}, title: R, reason: x, applies_to: {{services: [s{n}]}}, when: [{{always: true}}]}}\n"
        for n in range(9)
    )
    with serving(tmp_path, f"version: 1\npolicies:\n{rules}") as gate, opened(browser, gate.url) as page:
        line = page.locator(".differences .more > summary")
        expect(line).to_have_text("and 3 more rules")
        box = line.bounding_box()
        assert box is not None
        assert box["height"] < 40
        assert box["width"] > 200


@pytest.mark.parametrize("width", [390, 1440])
def test_the_button_of_a_session_stands_on_one_line(browser: Browser, served: Served, width: int) -> None:
    with opened(browser, served.url, viewport={"width": width, "height": 800}) as page:
        sign_in(page, served)
        page.goto(f"{served.url}/dashboard/sessions")
        lines = page.get_by_role("button", name="Revoke").evaluate(
            """(button) => {
              const words = document.createRange();
              words.selectNodeContents(button);
              return words.getClientRects().length;
            }"""
        )
        assert lines == 1


def test_sessions_and_signing_out(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        sign_in(page, served)
        page.get_by_role("link", name="Sessions").click()
        expect(page.get_by_text("this one")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_text("You are signed out.")).to_be_visible()
        expect(page.get_by_role("banner").get_by_role("link", name="Sign in")).to_be_visible()


def test_the_what_if_form(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, ALWAYS) as gate, opened(browser, gate.url) as page:
        ask = page.locator("#ask")
        ask.get_by_label("Service").fill("checkout")
        ask.get_by_text("More").click()
        ask.get_by_label("Environment").select_option("staging")
        ask.get_by_label("When").fill("2026-11-27T13:50")
        ask.get_by_label("Duration").fill("20m")
        ask.get_by_role("button", name="Ask").click()
        expect(page.locator(".answer")).to_contain_text("a deploy of 20m would run into")
        expect(page.locator("#ask .curl pre")).to_contain_text("duration=20m")
        expect(page.locator("#ask .curl pre")).to_contain_text("at=2026-11-27T12:50:00Z")


def test_everything_without_javascript(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, ALWAYS) as gate:
        send(gate, "POST", "/can-deploy", {"service": "docs-site"})
        with opened(browser, gate.url, java_script_enabled=False) as page:
            expect(page.locator(".frozen-place")).to_contain_text("FROZEN")
            expect(page.locator(".decisions li")).to_have_count(1)
            page.locator(".decisions summary").click()
            expect(page.locator(".decisions dl")).to_be_visible()
            page.locator("#ask").get_by_label("Service").fill("checkout")
            page.locator("#ask").get_by_role("button", name="Ask").click()
            expect(page.locator(".answer")).to_contain_text("No")
            sign_in(page, gate)
            page.locator("#start-freeze > summary").click()
            page.locator("#start-freeze").get_by_label("Title").fill("Incident")
            page.locator("#start-freeze").get_by_role("button", name="Freeze").click()
            expect(page.locator("#freezes li")).to_contain_text("Incident")


def test_dark_phone_and_wall(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, ALWAYS) as gate:
        with opened(browser, gate.url, color_scheme="dark") as page:
            assert _brightness(page) < 64
            page.screenshot(path=tmp_path / "dark.png", full_page=True)
        with opened(browser, gate.url, viewport={"width": 360, "height": 740}) as page:
            assert _brightness(page) > 192
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            page.screenshot(path=tmp_path / "phone.png", full_page=True)
        with opened(browser, gate.url, "/?wall", viewport={"width": 1920, "height": 1080}) as page:
            letters = page.evaluate(
                "parseFloat(getComputedStyle(document.querySelector('.tile .until')).fontSize)"
            )
            assert letters >= 70
            assert page.evaluate("document.documentElement.scrollHeight <= window.innerHeight")
            page.screenshot(path=tmp_path / "wall.png")
    assert all((tmp_path / f"{name}.png").stat().st_size > 10_000 for name in ("dark", "phone", "wall"))


def _brightness(page: Page) -> int:
    found: int = page.evaluate("Number(getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0])")
    return found
