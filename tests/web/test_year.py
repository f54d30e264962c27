"""The page of a year: what it shows and links to, what it prints, and how the keyboard goes through it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.main import create_app
from app.policies.source import Snapshot
from app.settings import Settings
from tests.api.fakes import FakeClock
from tests.web.browser import serious
from tests.web.pages import Page
from tests.web.still import still

AT = "2026-11-27T13:05:00Z"
POLICIES = """\
version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
services: {shop: {tags: [tier-1]}, jobs: {}}
policies:
  - id: friday
    title: No deploys after Friday 14:00
    reason: r
    applies_to: {environments: [production]}
    exempt: {changes: [rollback]}
    when: [{weekly: {from: fri 14:00, to: mon 08:00}}]
  - id: holidays
    title: <b>Holidays</b>
    reason: r
    applies_to: {environments: [production]}
    when: [{holidays: {country: NL}}]
  - id: nights
    title: Nights
    reason: r
    applies_to: {tags: [tier-1]}
    when: [{daily: {from: "22:00", to: "06:00"}}]
  - id: jobs
    title: Jobs
    reason: r
    applies_to: {services: [jobs]}
    when: [{cron: {start: "* * * * *", duration: 30s}}]
"""


REVISION = Snapshot.of(POLICIES).revision[:19]

# The room between the name of a weekday and the number of the day, where it is least.
NARROWEST = """() => Math.min(...[...document.querySelectorAll('.year .dow')].map(dow => {
    const [name, number] = [dow, dow.nextElementSibling].map(each => each.getBBox());
    return number.x - name.x - name.width;
}))"""


@pytest.fixture(scope="module")
def year_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("year")
    (folder / "policies.yaml").write_text(POLICIES)
    settings = Settings(
        policies=folder / "policies.yaml", database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}")
    )
    with TestClient(create_app(settings, clock=FakeClock(1_795_784_700))) as client:
        yield client


def links(page: Page) -> list[str]:
    return [each.get("href") or "" for each in page.named("a")]


def test_the_page_has_a_link_for_each_day_and_names_freezes_and_holidays(year_gate: TestClient) -> None:
    page = Page(year_gate.get("/dashboard/year?year=2028").text)
    assert page.unclosed == []
    days = [each for each in page.named("a") if each.get("class") == "stretch"]
    assert len(days) == 366
    assert days[0]["href"] == (
        "/dashboard/year?year=2028&environment=production&change=normal&day=2028-01-01#day"
    )
    assert days[6]["aria-label"] == (
        "Fri 7 Jan 2028: frozen 10 h: 14:00 to 24:00 No deploys after Friday 14:00"
    )
    assert "53 times" in page.text
    assert f"Policies {REVISION}, as of Fri 27 Nov 2026." in page.text
    assert "<b>Holidays</b>" in page.isolated
    assert "Thu 27 Apr Koningsdag" in page.text
    assert "/dashboard/year?year=2027&environment=production&change=normal" in links(page)
    assert "/dashboard/year?year=2029&environment=production&change=normal" in links(page)


def test_the_present_year_and_the_first_environment_are_shown_if_nothing_is_asked(
    year_gate: TestClient,
) -> None:
    text = year_gate.get("/dashboard/year?service=&environment=&change=&year=&day=").text
    page = Page(text)
    assert page.value("year") == "2026"
    assert "<title>2026 · production · freezegate</title>" in text
    assert text.count('<rect class="today"') == 1
    first, last = (Page(year_gate.get(f"/dashboard/year?year={year}").text) for year in (2000, 2100))
    assert "Previous year" not in first.text
    assert "Next year" not in last.text


def test_a_day_says_what_freezes_it_and_leads_to_the_question_at_that_time(year_gate: TestClient) -> None:
    asked = "/dashboard/year?environment=production&service=shop&day=2027-04-27"
    page = Page(year_gate.get(asked).text)
    assert page.value("year") == "2027", "that of the day"
    assert "Tue 27 Apr 2027 week 17" in page.text
    assert "00:00 to 24:00 <b>Holidays</b>" in page.text
    assert "00:00 to 06:00 Nights" in page.text
    assert "22:00 to 24:00 Nights" in page.text
    [question] = [each for each in links(page) if each.endswith("#ask")]
    assert question == "/?service=shop&environment=production&change=normal&at=2027-04-27T00%3A00#ask"
    assert "No shop may not be deployed to production" in Page(year_gate.get(question).text).text
    calm = Page(year_gate.get("/dashboard/year?day=2027-04-28").text)
    assert "Wed 28 Apr 2027: open all day" in calm.text
    assert any(each.endswith("at=2027-04-28T12%3A00#ask") for each in links(calm))
    assert year_gate.get("/dashboard/year?year=2026&day=2027-04-28").text.count('id="day"') == 0


def test_what_is_not_frozen_says_so(year_gate: TestClient) -> None:
    page = Page(year_gate.get("/dashboard/year?environment=staging&year=2027").text)
    assert "0 % of the year is frozen" in page.text
    assert "No freezes in 2027." in page.text
    assert "Thu 6 May Hemelvaartsdag" in page.text, "holidays are known all the same"
    rollback = Page(year_gate.get("/dashboard/year?change=rollback&year=2027").text)
    assert "No deploys after Friday" not in rollback.text


def test_a_long_list_of_freezes_is_cut(year_gate: TestClient) -> None:
    page = Page(year_gate.get("/dashboard/year?service=shop&environment=staging&year=2027").text)
    assert "366 times, 2,920 hours" in page.text
    assert "and 306 more, as data" in page.text
    (link,) = [each for each in links(page) if "/year?" in each and "/dashboard/" not in each]
    assert len(year_gate.get(link).json()["days"]) == 365


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("environment=moon", "Environment: unknown environment; known: production, staging"),
        ("change=guess", "Change: unknown change; known: normal, hotfix, rollback"),
        ("service=jobs", "Year: the rules up to jobs freeze more than 20,000 times a year"),
        ("year=1999", "year: is a year of 2000 to 2100"),
        ("day=2027-02-30", "day: there is no such day"),
        ("day=1999-12-31", "day: is a day of 2000 to 2100"),
        ("day=2101-01-01", "day: is a day of 2000 to 2100"),
        ("day=soon", "day: "),
        ("x=1", "x: there is no such field here"),
    ],
)
def test_what_can_not_be_shown_is_said_on_a_page(year_gate: TestClient, query: str, said: str) -> None:
    reply = year_gate.get(f"/dashboard/year?{query}")
    assert reply.status_code == 422
    assert reply.headers["content-type"].startswith("text/html")
    assert said in Page(reply.text).text


def test_the_dashboard_leads_to_the_year_of_each_environment(year_gate: TestClient) -> None:
    found = links(Page(year_gate.get("/").text))
    assert "/dashboard/year?environment=staging" in found
    calendar = links(Page(year_gate.get("/dashboard/calendar?environment=staging").text))
    assert "/dashboard/year?environment=staging" in calendar


def test_without_an_anonymous_role_the_page_asks_to_sign_in(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text("version: 1\npolicies: []\n")
    settings = Settings(policies=tmp_path / "policies.yaml", anonymous_role="none")
    with TestClient(create_app(settings, clock=FakeClock(1_795_784_700))) as client:
        reply = client.get("/dashboard/year", follow_redirects=False)
    assert (reply.status_code, reply.headers["location"]) == (303, "/dashboard/sign-in")


def test_a_year_is_walked_by_keyboard_fits_a_phone_and_prints_on_one_sheet_of_a3(
    browser: Browser, tmp_path: Path
) -> None:
    path = "/dashboard/year?year=2027&day=2027-01-08"
    options: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    with still(browser, tmp_path, POLICIES, AT, path, **options) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.locator(".year .scroll").focus()
        for key in ("ArrowRight", "ArrowDown", "ArrowRight", "ArrowUp"):
            page.keyboard.press(key)
        expect(page.locator(".year .detail")).to_have_text(re.compile("^Sat 2 Jan 2027: frozen all day"))
        assert serious(page) == []
        assert page.evaluate(NARROWEST) > 1, "units of the picture between weekday and day"
        printed = page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type /Page\b(?!s)", printed)) == 1
        [box] = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)
        assert [float(each) / 72 * 25.4 for each in box] == pytest.approx([420, 297], abs=1)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Sat 2 Jan 2027")).to_be_visible()
