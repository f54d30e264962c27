"""The editor of policies in a real Chromium: typing, findings, hours, downloads, and text that stays."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.core.test_patch import GIT, applied
from tests.web.browser import opened, serious
from tests.web.serving import ALWAYS, serving

OPENS = re.compile(r"Opens \d+ hours.*, closes none, in staging")
TEXT = ALWAYS.replace("  - id: closed", "  # größe\t☃\r\n  - id: closed")


def downloaded(page: Page, button: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return Path(download.value.path()).read_bytes()


def cursor(page: Page) -> int:
    at: int = page.evaluate("document.activeElement.selectionStart")
    return at


def test_a_change_is_typed_checked_and_taken_away(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "gate").mkdir()
    with serving(tmp_path / "gate", "version: 1\npolicies: []\n") as gate:
        (tmp_path / "gate" / "policies.yaml").write_bytes(TEXT.encode())
        with opened(
            browser, gate.url, refused="503", color_scheme="dark", viewport={"width": 390, "height": 844}
        ) as page:
            expect(page.get_by_text("The books are being closed").first).to_be_visible()
            page.goto(f"{gate.url}/dashboard/policies")
            page.get_by_role("link", name="Propose a change").click()
            area, said = page.get_by_label("Text of policies.yaml"), page.locator("#said")
            expect(said).to_contain_text("No hours open or close")
            assert downloaded(page, "Download file") == TEXT.encode()
            _find(page, area.input_value())
            _keys(page)
            edited = TEXT.replace("fri 14:00", "fri 15:00")
            area.fill(edited.replace("\r\n", "\n"))
            expect(said).to_contain_text(OPENS)
            expect(page.locator("#below")).to_contain_text("14:00")
            assert downloaded(page, "Download file") == edited.encode()
            patch = downloaded(page, "Download patch").decode()
            before, after = {"policies.yaml": TEXT}, {"policies.yaml": edited}
            assert applied(tmp_path / "git", before, patch, GIT) == after
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.route("**/dashboard/propose", lambda route: route.fulfill(status=503))
            area.press("ControlOrMeta+End")
            area.press("Enter")
            expect(said).to_contain_text("The gate is busy.")
            page.unroute("**/dashboard/propose")
            page.reload()
            expect(page.get_by_text("The text that you left unfinished in this tab is back.")).to_be_visible()
            expect(said).to_contain_text(OPENS)
            assert serious(page) == []
            page.get_by_role("button", name="Discard it").click()
            expect(said).to_contain_text("No hours open or close")
            assert "15:00" not in area.input_value()
        # Without the script, a button does the same.
        with opened(browser, gate.url, "/dashboard/propose", java_script_enabled=False) as page:
            page.get_by_label("Text of policies.yaml").fill(edited)
            page.get_by_role("button", name="Check").click()
            expect(page.locator("#said")).to_contain_text(OPENS)
            assert downloaded(page, "Download file") == edited.encode()


def _find(page: Page, text: str) -> None:
    """A mistake is found as it is typed, and its link leads to it."""
    area = page.get_by_label("Text of policies.yaml")
    area.fill(text.replace("reason: Nobody", "reson: Nobody"))
    page.get_by_role("link", name="line 10, column 5").click()
    assert cursor(page) == text.index("reason: Nobody")
    expect(page.locator("#gutter")).to_contain_text("✕ 10")
    expect(page.get_by_role("status").first).to_be_visible()
    assert serious(page) == []


def _keys(page: Page) -> None:
    """Tab indents, and doesn't keep anybody in."""
    area = page.get_by_label("Text of policies.yaml")
    area.fill("a\nb\n\nc")
    area.press("Control+a")
    area.press("Tab")
    assert area.input_value() == "  a\n  b\n\n  c"
    area.press("Shift+Tab")
    area.press("ArrowRight")
    area.press("Tab")
    assert area.input_value() == "a\nb\n\nc  "
    area.press("Shift+Tab")
    area.press("Control+z")
    area.press("Control+z")
    assert area.input_value() == "a\nb\n\nc"
    area.press("Escape")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Check")).to_be_focused()
