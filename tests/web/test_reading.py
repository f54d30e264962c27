"""Whoever reads a page in another way: with the keyboard, from right to left, or on a phone."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.web.browser import opened
from tests.web.serving import ALWAYS, Served, send, serving, sign_in

# Where each key leads to, by the number of the stretch, and whether it is told then; in one go, so that
# nothing on the page is renewed meanwhile.
STEPS = """(keys) => {
  const picture = [...document.querySelectorAll(".picture")].at(-1);
  picture.querySelector(".scroll").focus();
  return keys.map((key) => {
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    const found = document.activeElement;
    const label = found.getAttribute("aria-label");
    const isTold = picture.querySelector(".detail").textContent === label;
    return [[...picture.querySelectorAll("g.stretch")].indexOf(found), isTold];
  });
}"""


def test_arrow_keys_go_from_stretch_to_stretch_within_one_stop_of_the_tab_key(
    browser: Browser, tmp_path: Path
) -> None:
    with serving(tmp_path, ALWAYS) as gate, opened(browser, gate.url) as page:
        assert page.locator(".picture g.stretch").count() >= 5
        assert page.locator(".picture [tabindex='0']").count() == page.locator(".picture").count() == 2
        found = page.evaluate(
            STEPS, ["ArrowLeft", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowRight", "ArrowLeft"]
        )
        assert [number for number, _ in found] == [-1, 0, 1, 1, 2, 1]
        assert all(is_told for _, is_told in found[1:])


# The places of the letters of a word of ours: from left to right, whatever somebody wrote before it.
PLACES = """(words) => {
  const found = [], walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const start = walker.currentNode.data.indexOf(words);
    if (start < 0) continue;
    found.push([...words].map((_, at) => {
      const letter = document.createRange();
      letter.setStart(walker.currentNode, start + at);
      letter.setEnd(walker.currentNode, start + at + 1);
      return letter.getBoundingClientRect().left;
    }));
  }
  return found;
}"""


TURNING = ("evil\u202e", "\u2069\u202eevil", "\u2067evil", "\u202eevil\u202c \u202e")


def test_words_of_ours_run_from_left_to_right_after_whatever_somebody_wrote(
    browser: Browser, served: Served
) -> None:
    claim = {"deny_status": 200, "service": "api"}
    for title in TURNING:
        body = {"title": title, "reason": title, "contact": title, "ttl": "1h"}
        send(served, "POST", "/freezes", {**body, "environments": ["production"]})
        send(served, "POST", "/can-deploy", {**claim, "actor": title})
    with opened(browser, served.url) as page:
        page.locator(".decisions summary").last.click()
        for words in ("Opens", "Ask", "ends", "→ production"):
            _run_to_the_right(page, words)
        # By the stream, too.
        send(served, "POST", "/can-deploy", {**claim, "actor": TURNING[1], "ref": "v7"})
        expect(page.locator(".decisions li")).to_have_count(len(TURNING) + 1)
        page.locator(".decisions summary").first.click()
        _run_to_the_right(page, "may not be deployed")


def _run_to_the_right(page: Page, words: str) -> None:
    places = page.evaluate(PLACES, words)
    assert places, words
    assert all(each == sorted(each) for each in places), (words, places)


def test_on_a_phone_a_picture_fades_where_it_goes_on(browser: Browser, tmp_path: Path) -> None:
    shown = """() => {
      const picture = document.querySelector(".picture .scroll");
      const fade = getComputedStyle(picture, "::after");
      return { fade: fade.content !== "none", on: picture.scrollWidth > picture.clientWidth + 1 };
    }"""
    with serving(tmp_path, ALWAYS) as gate:
        with opened(browser, gate.url, viewport={"width": 360, "height": 740}) as page:
            assert page.evaluate(shown) == {"fade": True, "on": True}
        with opened(browser, gate.url, viewport={"width": 1280, "height": 800}) as page:
            assert page.evaluate(shown) == {"fade": False, "on": False}


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Browser, tmp_path: Path) -> None:
    with (
        serving(tmp_path, ALWAYS) as gate,
        opened(browser, gate.url, viewport={"width": 360, "height": 740}) as page,
    ):
        sign_in(page, gate)
        for path in ("/", "/dashboard/insights", "/dashboard/sessions", "/docs"):
            page.goto(gate.url + path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        page.goto(gate.url)
        for name in ("start-freeze", "grant-override"):
            page.locator(f"#{name} > summary").click()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
