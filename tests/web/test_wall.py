"""The view for a wall: everything fits, however many environments there are, and is as large as can be."""

from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect

from app.clock import SystemClock
from app.core.instant import DAY
from app.core.wallclock import zone
from app.web.pages import wall_clock
from tests.web.browser import opened
from tests.web.serving import send, serving

LONG: Final = "A rather long title that somebody wrote to explain in full why nothing may go out at all"

NAMES: Final = (
    "production",
    "staging",
    "a-name-that-is-much-longer-than-the-name-of-an-environment-should-be",
    "acceptance",
    *(f"europe-west-{number}" for number in range(30)),
)

# What sticks out of the page, of its card, or over something else; letters in pixels; how wide the word is.
LOOK: Final = """() => {
  const wrong = [], root = document.documentElement;
  const inside = (a, b) =>
    a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
  const page = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
  if (root.scrollWidth > innerWidth) wrong.push(`the page is ${root.scrollWidth} wide`);
  if (root.scrollHeight > innerHeight) wrong.push(`the page is ${root.scrollHeight} high`);
  for (const each of document.querySelectorAll("main > *, #live-state > *, .bottom > *")) {
    if (!each.checkVisibility() || each.matches(".unseen")) continue;
    if (!inside(each.getBoundingClientRect(), page)) wrong.push(`${each.className} is not on the page`);
  }
  for (const each of document.querySelectorAll(".legend li")) {
    const legend = each.closest(".legend").getBoundingClientRect();
    const entry = each.getBoundingClientRect();
    if (each.checkVisibility() && !inside(entry, legend)) wrong.push("an entry of a legend is out of sight");
  }
  const letters = [], fills = [];
  for (const card of document.querySelectorAll(".card")) {
    const box = card.getBoundingClientRect(), style = getComputedStyle(card);
    const word = document.createRange();
    word.selectNodeContents(card.querySelector(".state"));
    const width = word.getBoundingClientRect().width;
    if (!inside(word.getBoundingClientRect(), box)) wrong.push("the state sticks out");
    let bottom = box.top;
    for (const each of card.querySelectorAll(".environment, .state, .changes > *, .why > *")) {
      if (!each.checkVisibility()) continue;
      const place = each.getBoundingClientRect();
      if (!inside(place, box)) wrong.push(`${each.className} sticks out`);
      if (place.top < bottom - 1 && getComputedStyle(each.parentElement).display !== "flex") {
        wrong.push(`${each.className} stands upon what is above it`);
      }
      bottom = Math.max(bottom, place.bottom);
    }
    letters.push(parseFloat(getComputedStyle(card.querySelector(".state")).fontSize));
    fills.push(width / (box.width - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)));
  }
  return { wrong: [...new Set(wrong)], letters: Math.min(...letters), fill: Math.min(...fills) };
}"""


def policies(environments: int) -> str:
    names = ", ".join(NAMES[:environments])
    more = "\n".join(
        f"  - {{id: p{number}, title: {LONG} {number}, reason: x, when: [{{daily: {{from: '0{number}:00', "
        f"to: '0{number + 1}:00'}}}}]}}"
        for number in range(8)
    )
    return f"""\
version: 1
timezone: Europe/Amsterdam
environments: [{names}]
policies:
  - id: long
    title: {LONG}
    reason: {LONG}, and then some, so that everybody who is blocked will know what to do next.
    contact: "#a-team-with-a-rather-long-name-that-somebody-gave-it"
    when: [{{always: true}}]
{more}
"""


def look(page: Page, width: int, height: int) -> dict[str, float]:
    page.set_viewport_size({"width": width, "height": height})
    found: dict[str, Any] = page.evaluate(LOOK)
    assert found["wrong"] == [], (width, height)
    return {name: found[name] for name in ("letters", "fill")}


@pytest.mark.parametrize(
    ("environments", "letters"),
    [(1, 190), (2, 140), (3, 90), (4, 140), (6, 90), (8, 85), (12, 65), (30, 40)],
)
def test_everything_fits_and_letters_are_large(
    browser: Browser, tmp_path: Path, environments: int, letters: int
) -> None:
    with serving(tmp_path, policies(environments)) as gate, opened(browser, gate.url, "/?wall") as page:
        expect(page.locator(".card.frozen")).to_have_count(environments)
        full = look(page, 1920, 1080)
        assert full["letters"] >= letters
        assert full["fill"] > 0.8 or environments == 1
        # The same picture on a screen of four times as many pixels, and on a smaller one.
        assert look(page, 3840, 2160)["letters"] == pytest.approx(2 * full["letters"], rel=0.02)
        assert look(page, 1280, 720)["letters"] == pytest.approx(full["letters"] / 1.5, rel=0.02)
        for width, height in ((1366, 768), (1024, 768), (2560, 1080), (1080, 1920), (844, 390), (390, 844)):
            look(page, width, height)


def test_an_open_wall_says_so_as_large(browser: Browser, tmp_path: Path) -> None:
    warned = (
        "version: 1\nenvironments: [production, staging, test]\npolicies:\n"
        "  - {id: late, title: It is late, reason: Nobody watches., effect: warn, contact: '#oncall', "
        "when: [{always: true}]}\n"
    )
    with serving(tmp_path, warned) as gate, opened(browser, gate.url, "/?wall") as page:
        assert look(page, 1920, 1080)["letters"] >= 90
        card = page.locator(".card.open").first
        expect(card.get_by_text("It is late")).to_be_visible()
        expect(card.get_by_text("Ask #oncall")).to_be_visible()
        expect(card.get_by_text("No freeze planned.")).to_be_visible()


def test_the_wall_shows_what_is_wrong_with_the_gate_and_still_fits(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, "version: 1\nenvironments: [production, staging]\npolicies: []\n") as gate:
        for number in range(4):
            body = {"title": LONG, "reason": LONG, "ttl": f"{number + 1}h", "environments": ["production"]}
            send(gate, "POST", "/freezes", body)
        with opened(browser, gate.url, "/?wall") as page:
            expect(page.get_by_text("There are no policies: nothing is ever frozen.")).to_be_visible()
            (tmp_path / "policies.yaml").write_text("version: 1\n" + "".join(f"x{n}: 1\n" for n in range(9)))
            expect(page.get_by_text("The changed policy file was rejected")).to_be_visible(timeout=30_000)
            expect(page.get_by_text("And 8 more.")).to_be_visible()
            assert look(page, 1920, 1080)["letters"] >= 100


def test_the_clock_on_the_wall_goes_on(browser: Browser, tmp_path: Path) -> None:
    abroad = "version: 1\ntimezone: America/New_York\npolicies: []\n"
    with serving(tmp_path, abroad) as gate, opened(browser, gate.url, "/?wall") as page:
        for days in (0, 100, 200, 300):
            instant = SystemClock().now() + days * DAY
            page.evaluate("(instant) => { window.now = () => instant * 1000; }", instant)
            expected = wall_clock(instant, zone("America/New_York"))
            expect(page.locator(".clock")).to_have_text(expected)
