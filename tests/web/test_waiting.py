"""The deploys that wait, on the dashboard: who, since when, when it is their turn; cancelled by ops."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from starlette.testclient import TestClient

from app.core.instant import parse_instant
from app.gate import waiting_deploys
from tests.api.conftest import bearer
from tests.api.fakes import FakeClock
from tests.web.browser import opened
from tests.web.pages import Page
from tests.web.serving import ALWAYS, Served, send, serving, sign_in
from tests.web.test_pages import sign_in as sign_in_without_a_browser


def wait(gate: TestClient, key: str, headers: dict[str, str], **fields: object) -> str:
    body = {"service": "checkout", "key": key, **fields}
    found: str = gate.post("/holds", json=body, headers=headers).json()["id"]
    return found


def section(gate: TestClient) -> str:
    page = gate.get("/").text
    found = re.search('<section id="waiting".*?</section>', page, re.DOTALL)
    assert found is not None
    return found.group()


def test_without_holds_nothing_is_in_sight(gate: TestClient) -> None:
    assert " hidden>" in section(gate)
    assert "deploys wait" not in gate.get("/").text
    assert "deploys wait" not in gate.get("/?wall").text


def test_each_waiting_deploy_says_who_since_when_and_when_it_is_its_turn(
    gate: TestClient, keys: dict[str, str], clock: FakeClock
) -> None:
    ci = bearer(keys["ci"])
    wait(gate, "1", ci, timeout="4d", actor="ada", ref="v1.2", run_url="https://ci.example.com/runs/1")
    clock.at += 60
    wait(gate, "2", ci, service="api", change="hotfix", timeout="4d")
    text = Page(section(gate)).text
    assert "production: 2 deploys wait" in text
    assert "checkout ada, v1.2 waits 1 min Mon 30 Nov 08:00 CET, in 2 d 17 h 54 min" in text
    assert "by ada, v1.2 · https://ci.example.com/runs/1" in text
    assert (
        "Expected Mon 30 Nov 08:00 CET. Waits since Fri 27 Nov 14:05 CET, until Tue 1 Dec 14:05 CET" in text
    )
    assert "api hotfix ci person waits 0 s Mon 30 Nov 08:00 CET, in 2 d 17 h 54 min" in text
    assert "Cancel" not in text


def test_one_whose_environment_is_open_is_in_its_turn(
    gate: TestClient, keys: dict[str, str], clock: FakeClock
) -> None:
    # The background work of a gate would have released it.
    context = gate.app.state.context  # type: ignore[attr-defined]
    ci = bearer(keys["ci"])
    for number in range(7):
        wait(gate, str(number), ci, timeout="4d")
    opens = parse_instant("2026-11-30T07:00:00Z")
    found = context.gate._store.query(
        lambda view: waiting_deploys.waiting_deploys(view, context.policies.in_force, opens)
    )
    [place] = found
    turns = [each["turn_at"] for each in place.holds]
    assert turns == ["2026-11-30T07:00:00Z"] * 5 + ["2026-11-30T07:01:00Z"] * 2
    del clock


def test_one_that_is_rejected_before_its_turn_says_so(gate: TestClient, keys: dict[str, str]) -> None:
    wait(gate, "1", bearer(keys["ci"]), timeout="2h")
    text = Page(section(gate)).text
    assert "waits 0 s will be rejected at Fri 27 Nov 16:05 CET, before its turn" in text
    assert "Expected" not in text


def test_five_are_in_sight_and_the_card_says_how_many_wait(gate: TestClient, keys: dict[str, str]) -> None:
    for number in range(12):
        wait(gate, str(number), bearer(keys["ci"]))
    shown = section(gate)
    assert " hidden>" not in shown
    before, _, behind = shown.partition("and 7 more")
    assert [each.count("<li ") for each in (before, behind)] == [5, 7]
    page = gate.get("/").text
    assert page.index('id="live-state"') < page.index('href="#waiting">12 deploys wait</a>')
    assert page.index('id="waiting"') < page.index('id="live-weeks"')
    assert "12 waiting" in Page(gate.get("/?wall").text).text


def test_more_than_can_be_shown_are_counted(
    gate: TestClient, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_deploys, "MOST_SHOWN", 6)
    for number in range(8):
        wait(gate, str(number), bearer(keys["ci"]))
    text = Page(section(gate)).text
    assert "production: 8 deploys wait" in text
    assert "and 3 more" in text
    assert "And 2 that are not listed here." in text


def test_ops_cancel_a_waiting_deploy_with_a_reason(gate: TestClient, keys: dict[str, str]) -> None:
    held = wait(gate, "1", bearer(keys["ci"]))
    ops = sign_in_without_a_browser(gate, keys["ops"])
    form = {"proof": ops.value("proof"), "reason": "Superseded"}
    page = Page(gate.post(f"/dashboard/holds/{held}/cancel", data=form).text)
    assert "The deploy was cancelled." in page.text
    assert " hidden>" in section(gate)
    shown = gate.get(f"/holds/{held}").json()
    expected = ["cancelled", "ops person", "Superseded"]
    assert [shown[each] for each in ("state", "cancelled_by", "cancel_reason")] == expected


def test_nothing_that_a_pipeline_wrote_is_markup(gate: TestClient, keys: dict[str, str]) -> None:
    wait(gate, "1", bearer(keys["ci"]), actor="<b>ada</b>", ref="<script>", run_url="javascript:alert(1)")
    text = section(gate)
    assert "<b>ada" not in text
    assert "<script" not in text
    assert 'href="javascript' not in text


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> "object":
    with serving(tmp_path_factory.mktemp("waiting"), ALWAYS) as gate:
        yield gate


def _wait(gate: Served, key: str, **fields: object) -> str:
    body = {"service": "checkout", "key": key, "timeout": "2h", **fields}
    found: str = send(gate, "POST", "/holds", body)["id"]
    return found


LONG = "https://ci.example.com/" + "a" * 200


@pytest.mark.parametrize("width", [390, 1440])
def test_the_list_fits_and_cancels_at_any_width(browser: Browser, served: Served, width: int) -> None:
    held = _wait(served, f"long-{width}", service=f"checkout-{'x' * 90}", run_url=LONG, actor="a" * 100)
    with opened(browser, served.url, viewport={"width": width, "height": 900}) as page:
        sign_in(page, served)
        row = page.locator(f"#waiting li[data-id={held}]")
        expect(row).to_be_visible()
        lines = 1 if width == 1440 else 2
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert row.bounding_box()["height"] <= lines * 24 + 12  # type: ignore[index]
        row.locator("summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        row.get_by_label("Reason").fill("Not today")
        row.get_by_role("button", name="Cancel").click()
        expect(page.get_by_text("The deploy was cancelled.")).to_be_visible()
        expect(row).to_have_count(0)


def test_a_deploy_that_begins_to_wait_appears_by_itself(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        held = _wait(served, "live")
        expect(page.locator(f"#waiting li[data-id={held}]")).to_be_visible(timeout=30_000)
        send(served, "DELETE", f"/holds/{held}")
        expect(page.locator(f"#waiting li[data-id={held}]")).to_have_count(0, timeout=30_000)


def test_it_works_without_scripts(browser: Browser, served: Served, tmp_path: Path) -> None:
    held = _wait(served, "plain")
    with opened(browser, served.url, java_script_enabled=False) as page:
        sign_in(page, served)
        row = page.locator(f"#waiting li[data-id={held}]")
        row.locator("summary").click()
        row.get_by_role("button", name="Cancel").click()
        expect(page.get_by_text("The deploy was cancelled.")).to_be_visible()
        page.screenshot(path=tmp_path / "waiting.png", full_page=True)
