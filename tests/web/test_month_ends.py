"""Nothing on the wall is cut, at the ends of months either, where dates are longest."""

from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from app.core.instant import parse_instant
from app.core.wallclock import zone
from app.web.pages import wall_clock
from tests.web.still import still

EVENING: Final = """\
policies:
  - {id: evening, title: It is late, reason: Nobody watches., when: [{daily: {from: "17:00", to: "20:00"}}]}
"""
ROOT: Final = Path(__file__).parents[2]

ENDS: Final = (
    "2026-11-29T03:00:00Z",
    "2026-11-30T12:00:00Z",
    "2026-09-30T09:00:00Z",
    "2027-02-01T12:00:00Z",
    "2026-09-03T12:00:00Z",
)

# Texts that are cut, and names of months that meet each other or the edge of their picture.
CUT: Final = """() => {
  const wrong = [];
  const parts = ["until", "when", "title", "ask", "tile h2", "coming span", "bottom > *"];
  for (const each of document.querySelectorAll(parts.map((part) => `.wall .${part}`).join(", "))) {
    if (!each.checkVisibility() || getComputedStyle(each).display === "inline") continue;
    if (each.scrollWidth > each.clientWidth + 1) wrong.push(`cut: ${each.textContent.trim()}`);
  }
  return wrong;
}"""


@pytest.mark.parametrize("at", ENDS)
def test_at_the_end_of_a_month_each_word_of_the_wall_is_whole(
    browser: Browser, tmp_path: Path, at: str
) -> None:
    with still(browser, tmp_path, (ROOT / "policies.yaml").read_text(), at, "/?wall") as page:
        for width, height in ((1366, 768), (1920, 1080), (3840, 2160)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(CUT) == [], (at, width)


def test_the_page_keeps_to_our_zone_data_where_the_browser_has_others(
    browser: Browser, tmp_path: Path
) -> None:
    """Chromium 156 sets Havana's clock back in November; since tzdata 2026c it stays."""
    at, home = "2027-01-15T12:00:00Z", "America/Havana"
    policies = f"version: 1\ntimezone: {home}\nenvironments: [production]\n" + EVENING
    with still(browser, tmp_path, policies, at, "/?wall", timezone_id=home) as page:
        page.clock.run_for(2_000)
        assert page.locator(".clock").inner_text() == wall_clock(parse_instant(at), zone(home))
        assert "your time" not in page.locator(".tile").inner_text()
