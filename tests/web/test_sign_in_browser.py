"""Sign in at an issuer in a real Chromium: from the button to a freeze, and out again."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.identity.person_issuer import CLIENT, PersonIssuer
from tests.web.browser import serious
from tests.web.serving import OPEN, Served, serving


@pytest.fixture
def issuer() -> Iterator[PersonIssuer]:
    made = PersonIssuer()
    made.now = lambda: int(time.time())
    made.asks = True
    made.secret = None
    yield made
    made.close()


@pytest.fixture
def gate(tmp_path: Path, issuer: PersonIssuer) -> Iterator[Served]:
    section = {
        "id": "acme",
        "name": "Acme",
        "issuer": issuer.url,
        "client_id": CLIENT,
        "rules": [{"groups": ["sre"], "role": "ops"}],
    }
    file = tmp_path / "identity.yaml"
    file.write_text(json.dumps({"sign_in": [section]}))
    with serving(tmp_path, OPEN, FREEZEGATE_IDENTITY=str(file)) as served:
        yield served


def test_a_person_signs_in_freezes_and_signs_out(
    browser: Browser, gate: Served, issuer: PersonIssuer
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(60_000)
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{gate.url}/dashboard/sign-in?next=/dashboard/sessions")
    assert serious(page) == []
    page.get_by_role("link", name="Sign in with Acme").click()
    page.get_by_role("link", name="Continue as Ada").click()
    page.wait_for_url(f"{gate.url}/dashboard/sessions")
    expect(page.locator("main")).to_contain_text("oidc:ada")
    cookies = {each["name"]: each for each in context.cookies(gate.url)}
    assert cookies["freezegate_session"]["httpOnly"]
    assert "freezegate_login" not in cookies
    proof = page.locator("input[name=proof]").first.input_value()
    form: dict[str, str | float | bool] = {
        "proof": proof,
        "title": "By Ada",
        "reason": "R",
        "environments": "staging",
        "ttl": "1h",
    }
    assert page.request.post(f"{gate.url}/dashboard/freezes", form=form).ok
    page.goto(gate.url)
    expect(page.get_by_text("By Ada").first).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Signed out")).to_be_visible()
    assert serious(page) == []
    page.get_by_role("link", name="Sign out of Acme, too").click()
    expect(page.get_by_role("heading", name="Bye")).to_be_visible()
    page.goto(f"{gate.url}/dashboard/sessions")
    page.wait_for_url(f"{gate.url}/dashboard/sign-in")
    assert [each for each in wrong if "favicon" not in each and "404" not in each] == []
    context.close()


def test_a_person_whom_no_rule_fits_sees_why(browser: Browser, gate: Served, issuer: PersonIssuer) -> None:
    issuer.person["groups"] = ["guests"]
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{gate.url}/dashboard/sign-in")
    page.get_by_role("link", name="Sign in with Acme").click()
    page.get_by_role("link", name="Continue as Ada").click()
    expect(page.get_by_role("alert")).to_contain_text("your groups (groups): guests")
    expect(page.get_by_role("link", name="Sign in with Acme")).to_be_visible()
    context.close()
