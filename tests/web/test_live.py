"""The dashboard while something changes: what shows, what is left alone, and when it is not live any more.

Where it matters when something is done, the page's own clock is stopped and moved: the server's goes on.
"""

import contextlib
import os
import re
import signal
import socket
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.live.gate import Gate, start
from tests.web.browser import opened
from tests.web.serving import ALWAYS, INCIDENT, OPEN, Served, send, serving, sign_in

HIDEABLE = """
Object.defineProperty(Document.prototype, "hidden", { get: () => window.away === true });
window.look = (away) => { window.away = away; document.dispatchEvent(new Event("visibilitychange")); };
"""
"""Lets a test say that nobody looks at a tab: a browser without a screen never finds out by itself."""

ALIKE_IN_ORDER = """() => {
  const list = () => {
    const made = document.createElement("ul");
    for (const _ of [1, 2]) made.appendChild(document.createElement("li")).dataset.id = "same";
    return made;
  };
  const [old, fresh] = [list(), list()];
  const before = [...old.children];
  fresh.lastElementChild.textContent = "changed";
  changeChildren(old, fresh);
  return before.every((each, place) => each === old.children[place]);
}"""
"""Entries with the same identity, such as one stretch in two rows of a calendar, stay each in its place."""

COUNT_ALERTS = """
window.added = 0;
new MutationObserver((changes) => {
  const nodes = changes.flatMap((change) => [...change.addedNodes]);
  window.added += nodes.filter((node) => node.matches?.("[role=alert]")).length;
}).observe(document.body, { childList: true, subtree: true });
"""


@contextlib.contextmanager
def refreshed(page: Page) -> Iterator[None]:
    """Wait until the page has asked for itself again, for something that was done in this block."""
    before = page.locator("#live").get_attribute("data-seq")
    assert before is not None
    yield
    expect(page.locator("#live")).not_to_have_attribute("data-seq", before, timeout=30_000)


def until(page: Page, said: str) -> None:
    """Wait until something is true of the page; not by what evaluates texts, which its policy forbids."""
    for _ in range(400):
        if page.evaluate(said):
            return
        time.sleep(0.05)
    pytest.fail(f"it never came to {said}")


def claim(gate: Served, **more: Any) -> dict[str, Any]:
    return send(gate, "POST", "/can-deploy", {"service": "docs-site", **more})


def at_rest(page: Page) -> None:
    """Wait until a page has heard from the gate, has asked for itself because of that, and waits for more."""
    until(page, "heardAt > listeningSince && !asking && due - performance.now() > 60_000")


def stopped(page: Page) -> None:
    """Load a page again, and stop its clock when it is at rest."""
    page.clock.install()
    page.reload()
    at_rest(page)
    page.clock.pause_at(page.evaluate("Date.now()") / 1_000 + 1)


def test_a_degraded_gate(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, ALWAYS) as gate, opened(browser, gate.url) as page:
        away = (tmp_path / "gate.db").rename(tmp_path / "away.db")
        expect(page.get_by_text("The store has not been reached since")).to_be_visible()
        expect(page.locator(".frozen-place").first).to_contain_text("FROZEN")
        away.rename(tmp_path / "gate.db")
        expect(page.get_by_text("The store has not been reached since")).to_have_count(0)


def test_a_degraded_gate_throws_nobody_out_who_had_to_sign_in(browser: Browser, tmp_path: Path) -> None:
    with (
        serving(tmp_path, ALWAYS, FREEZEGATE_ANONYMOUS_ROLE="none") as gate,
        opened(browser, gate.url, "/dashboard/sign-in") as page,
    ):
        sign_in(page, gate)
        away = (tmp_path / "gate.db").rename(tmp_path / "away.db")
        warning = page.get_by_text("The store has not been reached since")
        expect(warning).to_be_visible()
        expect(page.get_by_role("link", name="Sessions")).to_be_visible()
        away.rename(tmp_path / "gate.db")
        expect(warning).to_have_count(0)
        expect(page.locator(".frozen-place").first).to_contain_text("FROZEN")


def test_a_freeze_made_elsewhere_shows_by_itself(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        card = page.locator(".frozen-place")
        expect(card).to_have_count(0)
        # Out of rest the page asks only every four minutes: what shows sooner was pushed.
        at_rest(page)
        freeze = send(served, "POST", "/freezes", INCIDENT)
        expect(card).to_contain_text("Payment incident")
        expect(page).to_have_title("❄ production frozen · freezegate")
        expect(page.locator("#freezes")).to_contain_text("Cards fail.")
        expect(page.locator("#announced")).to_have_text("production is frozen now: Payment incident.")
        send(served, "DELETE", f"/freezes/{freeze['id']}")
        expect(card).to_have_count(0)
        expect(page.locator("#announced")).to_have_text("production is open now.")


def test_the_wall_tells_of_a_flip_as_well(browser: Browser, served: Served) -> None:
    with opened(browser, served.url, "/?wall") as page:
        freeze = send(served, "POST", "/freezes", INCIDENT)
        expect(page.locator(".tile.frozen")).to_contain_text("Payment incident")
        expect(page.locator("#announced")).to_have_text("production is frozen now: Payment incident.")
        send(served, "DELETE", f"/freezes/{freeze['id']}")
        expect(page.locator("#announced")).to_have_text("production is open now.")


def test_a_claim_shows_by_itself_and_opens_to_its_explanation(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        expect(page.get_by_text("No decisions yet.")).to_be_visible()
        send(served, "POST", "/can-deploy", {"service": "checkout", "actor": "ada"})
        first = page.locator(".decisions > li").first
        expect(first).to_contain_text("checkout → production")
        send(served, "POST", "/can-deploy", {"service": "search", "actor": "grace", "ref": "v7"})
        expect(page.locator(".decisions > li")).to_have_count(2)
        expect(first).to_contain_text("search → production")
        first.locator("summary").click()
        expect(first.locator("details")).to_contain_text("search may be deployed to production.")


def test_a_claim_reads_at_once_as_it_does_when_the_page_has_come(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, ALWAYS) as gate, opened(browser, gate.url, timezone_id="America/New_York") as page:
        claim(gate)
        stopped(page)
        more = {"actor": "the boss", "ref": "v7", "run_url": "https://ci.example.org/7"}
        own_id = claim(gate, **more)["decision_id"]
        row = page.locator(f"li[data-id={own_id}]")
        row.locator("summary").click()
        told = row.inner_text()
        # From midnight to six in Amsterdam it is the day before in New York, and then the day is named, too.
        own = r"\((\w{3} \d+ \w{3} )?\d\d:\d\d your time\)"
        assert re.search(rf"\w{{3}} \d+ \w{{3}} \d\d:\d\d(:\d\d)? CES?T\s+{own}", told), told
        assert re.search(r"Asked by\s+admin\s+Kind of change\s+normal\s+Ref\s+v7\s+Run\s+https://ci", told), (
            told
        )
        with refreshed(page):
            page.clock.resume()
            page.clock.fast_forward(10_000)
        written = row.inner_text()
        assert "Policies" in written, "the whole explanation is the server's"
        assert written.partition("Policies")[0].split() == told.split()


@pytest.mark.parametrize("filtered", ["of_service=checkout", "of_environment=staging", "of_outcome=deny"])
def test_of_what_is_told_only_that_shows_which_the_list_is_filtered_for(
    browser: Browser, tmp_path: Path, filtered: str
) -> None:
    with serving(tmp_path, ALWAYS) as gate:
        wanted = {"service": "checkout", "environment": "production" if "deny" in filtered else "staging"}
        with contextlib.suppress(urllib.error.HTTPError):
            claim(gate, **wanted)
        with opened(browser, gate.url, f"/?{filtered}") as page:
            stopped(page)
            rows = page.locator(".decisions > li")
            expect(rows).to_have_count(1)
            claim(gate)
            with contextlib.suppress(urllib.error.HTTPError):
                claim(gate, **wanted)
            # The clock stands: the page can't have asked for what it was not told.
            for row in (rows.nth(0), rows.nth(1)):
                expect(row).to_contain_text(f"checkout → {wanted['environment']}")
            page.clock.resume()


def test_many_claims_and_a_gap_among_them_ask_for_the_page_once_in_a_few_seconds(
    browser: Browser, served: Served
) -> None:
    claim(served)
    asked: list[str] = []
    with opened(browser, served.url) as page:
        stopped(page)
        page.on("request", lambda each: asked.append(each.url) if each.resource_type == "fetch" else None)
        for number in range(20):
            last = claim(served, actor=str(number))["decision_id"]
        expect(page.locator(f"li[data-id={last}]")).to_be_visible()
        for _ in range(5):
            page.evaluate("stream.dispatchEvent(new MessageEvent('missed', { data: '{}' }))")
            page.clock.run_for(500)
        assert asked == []
        with refreshed(page):
            page.clock.run_for(4_000)
        page.clock.run_for(20_000)
        assert len(asked) == 1
        page.clock.resume()


def test_a_refresh_leaves_alone_what_somebody_is_at(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, ALWAYS) as gate:
        for reason in ("First fix", "Second fix"):
            grant = {"services": ["checkout"], "environments": ["production"], "reason": reason, "ttl": "1h"}
            send(gate, "POST", "/overrides", grant)
        freeze = send(gate, "POST", "/freezes", {**INCIDENT, "environments": ["staging"]})
        first = claim(gate)["decision_id"]
        with opened(browser, gate.url, "/dashboard/sign-in", viewport={"width": 390, "height": 844}) as page:
            sign_in(page, gate)
            row = page.locator(f"li[data-id={first}]")
            row.locator("summary").click()
            page.locator("#freezes summary", has_text="Extend").click()
            page.locator("#freezes").get_by_label("New duration, from now").fill("5h")
            page.evaluate("document.querySelector('.picture .scroll').scrollLeft = 120")
            revoke = page.locator("#overrides li", has_text="First fix").get_by_role("button")
            revoke.focus()
            with refreshed(page):
                claim(gate)
                send(gate, "POST", "/overrides", {**grant, "reason": "Third fix"})
            expect(page.locator("#overrides li")).to_have_count(3)
            expect(revoke).to_be_focused()
            expect(row.locator("details")).to_have_attribute("open", "")
            expect(page.locator("#freezes").get_by_label("New duration, from now")).to_have_value("5h")
            assert page.evaluate("document.querySelector('.picture .scroll').scrollLeft") == 120
            stretch = page.locator(".picture g.stretch").first
            stretch.focus()
            detail = page.locator(".picture .detail").first
            expect(detail).to_contain_text("The books are being closed")
            with refreshed(page):
                send(gate, "DELETE", f"/freezes/{freeze['id']}")
            expect(page.locator("#freezes li")).to_have_count(0)
            expect(stretch).to_be_focused()
            expect(detail).to_contain_text("The books are being closed")


def test_a_button_never_becomes_that_of_another_thing(browser: Browser, served: Served) -> None:
    grant = {"services": ["checkout"], "environments": ["production"], "ttl": "1h"}
    made = [send(served, "POST", "/overrides", {**grant, "reason": f"Fix {each}"})["id"] for each in "abc"]
    with opened(browser, served.url, "/dashboard/sign-in") as page:
        sign_in(page, served)
        middle = page.locator("#overrides li", has_text="Fix b").get_by_role("button")
        middle.focus()
        with refreshed(page):
            send(served, "DELETE", f"/overrides/{made[1]}")
        expect(page.locator("#overrides li")).to_have_count(2)
        assert page.evaluate("document.activeElement === document.body")


def test_an_alert_that_stands_is_not_put_there_again(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        (served.folder / "policies.yaml").write_text("version: 1\npolcies: []\n")
        alert = page.get_by_text("The changed policy file was rejected")
        expect(alert).to_be_visible()
        page.evaluate(COUNT_ALERTS)
        with refreshed(page):
            send(served, "POST", "/freezes", INCIDENT)
        expect(page.locator(".frozen-place")).to_contain_text("Payment incident")
        assert page.evaluate("window.added") == 0
        assert page.evaluate(ALIKE_IN_ORDER)


def test_the_answer_to_a_question_stays_true(browser: Browser, served: Served) -> None:
    with opened(browser, served.url, "/?service=checkout&environment=staging") as page:
        expect(page.locator(".answer .verdict")).to_have_text("Yes")
        page.locator("#ask").get_by_text("More").click()
        page.locator("#ask").get_by_label("Duration").fill("20m")
        send(served, "POST", "/freezes", {**INCIDENT, "environments": ["staging"]})
        expect(page.locator(".answer .verdict")).to_have_text("No")
        expect(page.locator(".answer")).to_contain_text("Cards fail.")
        expect(page.locator("#announced")).to_contain_text("The answer to your question is “No” now.")
        expect(page.locator("#ask").get_by_label("Duration")).to_have_value("20m")
        expect(page.locator("#ask .copy")).to_have_count(2)


@pytest.mark.parametrize("query", ["utm_source=slack", "service=checkout&environment=staging&duration=soon"])
def test_a_page_is_live_whatever_is_wrong_in_its_address(
    browser: Browser, served: Served, query: str
) -> None:
    with opened(browser, served.url, f"/?{query}", refused="422") as page:
        send(served, "POST", "/freezes", INCIDENT)
        expect(page.locator(".frozen-place")).to_contain_text("Payment incident")
        expect(page.locator("#live")).to_be_hidden()
        if "duration" in query:
            ask = page.locator("#ask")
            expect(ask.get_by_label("Duration")).to_have_value("soon")
            expect(ask.get_by_label("Environment")).to_have_value("staging")
            expect(ask.get_by_role("alert")).to_contain_text("Duration: ")


def test_tabs_that_nobody_looks_at_take_no_connection_and_catch_up(browser: Browser, served: Served) -> None:
    context = browser.new_context()
    context.add_init_script(HIDEABLE)
    tabs = []
    for _ in range(8):
        tabs.append(page := context.new_page())
        page.goto(served.url)
        expect(page.locator("[data-state=open]")).to_have_count(2)
        until(page, "stream.readyState === EventSource.OPEN")
        page.evaluate("look(true)")
    send(served, "POST", "/freezes", INCIDENT)
    tabs[0].evaluate("look(false)")
    expect(tabs[0].locator(".frozen-place")).to_contain_text("Payment incident")
    until(tabs[0], "stream.readyState === EventSource.OPEN")
    expect(tabs[0].locator("#live")).to_be_hidden()
    context.close()


def test_the_title_of_a_tab_that_nobody_looks_at_becomes_true_in_the_end(
    browser: Browser, served: Served
) -> None:
    context = browser.new_context()
    context.add_init_script(HIDEABLE)
    page = context.new_page()
    page.clock.install()
    page.goto(served.url)
    at_rest(page)
    page.evaluate("look(true)")
    send(served, "POST", "/freezes", INCIDENT)
    page.clock.fast_forward("05:01")
    expect(page).to_have_title("❄ production frozen · freezegate")
    expect(page.locator("#live")).to_be_hidden()
    context.close()


def test_silence_is_not_taken_for_calm(browser: Browser, served: Served) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    page.goto(served.url)
    at_rest(page)
    expect(page.locator("#live")).to_be_hidden()
    # Stopped, it keeps its connections and says nothing: so does a proxy that has forgotten one.
    os.kill(served.gate.process.pid, signal.SIGSTOP)
    try:
        page.clock.fast_forward(30_000)
        expect(page.locator("#live")).to_be_hidden()
        page.clock.fast_forward(15_000)
        expect(page.locator("#live")).to_contain_text("Not live: last updated")
    finally:
        os.kill(served.gate.process.pid, signal.SIGCONT)
    expect(page.locator("#live")).to_be_hidden(timeout=30_000)
    context.close()


def test_a_page_says_when_it_is_stale_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(OPEN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    gate = _on(port, tmp_path)
    context = browser.new_context()
    page = context.new_page()
    page.goto(gate.url)
    expect(page.locator("#live")).to_be_hidden()
    _stop(gate)
    expect(page.locator("#live")).to_contain_text("Not live")
    (tmp_path / "policies.yaml").write_text(ALWAYS)
    gate = _on(port, tmp_path)
    expect(page.locator(".frozen-place").first).to_contain_text("FROZEN", timeout=30_000)
    expect(page.locator("#live")).to_be_hidden(timeout=30_000)
    context.close()
    _stop(gate)


def _stop(gate: Gate) -> None:
    gate.process.terminate()
    gate.process.wait(20)
    assert gate.process.stderr is not None
    gate.process.stderr.close()


def _on(port: str, folder: Path) -> Gate:
    return start(folder / "policies.yaml", folder / "gate.db", port=port)
