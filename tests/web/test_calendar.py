"""The calendar: a freeze is one bar, equal environments are one, and every bar leads to its entry."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.engine import Engine
from app.core.freeze import Freeze
from app.core.instant import DAY, parse_instant
from app.core.interval import Period
from app.core.policy import PolicySet, Selector
from app.core.rule_style import rule_styles
from app.core.wallclock import zone
from app.gate import calendar_lanes
from app.gate.calendar_lanes import Lane, lanes, rules_of
from app.gate.in_force import InForce
from app.gate.keys import KeyRequest
from app.identity.caller import Role
from app.main import create_app
from app.policies.load import load
from app.policies.source import Snapshot
from app.settings import Settings
from app.web.calendar_alike import Difference, Told, differences
from app.web.calendar_svg import (
    NARROW,
    WIDE,
    WIDE_QUARTER,
    View,
    draw_marks,
    draw_ribbon,
    draw_weeks,
    monday_of,
)
from app.web.calendar_words import hours_in_words
from tests.api.conftest import bearer, key_for
from tests.api.fakes import FakeClock
from tests.hostile import HOSTILE
from tests.web.browser import serious
from tests.web.pages import Page
from tests.web.still import still

AT = "2026-11-27T13:05:00Z"
NOW = parse_instant(AT)
HOME = zone("Europe/Amsterdam")
MONDAY = monday_of(HOME.local(NOW) // DAY)
POLICIES = """\
version: 1
timezone: Europe/Amsterdam
environments: [production, eu, staging]
services: {shop: {tags: [tier-1]}, tokyo: {timezone: Asia/Tokyo}}
unknown_services: refuse
policies:
  - id: friday
    title: No deploys after Friday 14:00
    reason: r
    applies_to: {environments: [production, eu]}
    when: [{weekly: {from: fri 14:00, to: mon 08:00}}]
  - id: saturday
    title: <i>Saturday</i>
    reason: r
    applies_to: {environments: [production, eu]}
    when: [{weekly: {from: sat 00:00, to: sun 00:00}}]
  - id: nights
    title: Nights
    reason: r
    applies_to: {tags: [tier-1], environments: [staging]}
    when: [{daily: {from: "22:00", to: "06:00"}}]
"""


def in_force(text: str = POLICIES, freezes: Iterable[Freeze] = ()) -> InForce:
    loaded = load(Snapshot.of(text))
    return InForce(loaded.engine.with_freezes(list(freezes)), Snapshot.of(text), 0, ())


def freeze(start: str, end: str | None, **selector: Any) -> Freeze:
    until = None if end is None else parse_instant(end)
    scope = Selector.model_validate(selector)
    begin = parse_instant(start)
    return Freeze("frz_1", "Incident", "Cards.", None, None, scope, "token", begin, until, "ada", begin)


def weeks_from(monday: int, count: int = 5) -> Period:
    return Period(HOME.earliest(monday * DAY), HOME.earliest((monday + 7 * count) * DAY))


def shown(found: InForce, service: str | None = None) -> list[Lane]:
    return lanes(found, weeks_from(MONDAY), service)


def test_equal_environments_are_one_lane_and_overlapping_rules_one_freeze() -> None:
    both, staging = shown(in_force())
    assert both.environments == ("production", "eu")
    assert staging.environments == ("staging",)
    assert len(both.runs) == 6, "the weekend before, of which Monday morning is in sight, and five more"
    first = both.runs[0]
    assert first.start == parse_instant("2026-11-20T13:00:00Z"), "it has its own beginning"
    assert [stretch.rule.id for stretch in first.rules] == ["friday", "saturday"]
    assert [[stretch.rule.id for stretch in part.rules] for part in first.parts] == [
        ["friday"],
        ["friday", "saturday"],
        ["friday"],
    ]
    assert staging.runs == ()
    assert {each.stretch.rule.id for each in staging.scoped} == {"nights"}


def test_an_ad_hoc_freeze_leads_and_one_of_a_service_stands_apart() -> None:
    wide = freeze("2026-11-28T10:00:00Z", "2026-11-28T12:00:00Z", environments=["production"])
    production, _, _ = shown(in_force(freezes=[wide]))
    [part] = [each for run in production.runs for each in run.parts if each.rules[0].rule is wide]
    assert [stretch.rule.id for stretch in part.rules] == ["frz_1", "friday", "saturday"]
    assert rules_of([production])[0] is wide
    narrow = freeze("2026-11-28T10:00:00Z", None, services=["shop"])
    both, _ = shown(in_force(freezes=[narrow]))
    assert [each.stretch.rule.id for each in both.scoped] == ["frz_1"]
    assert both.scoped[0].end == weeks_from(MONDAY).end
    *_, of_shop = shown(in_force(freezes=[narrow]), "shop")
    assert not of_shop.scoped
    assert any(stretch.rule.id == "nights" for run in of_shop.runs for stretch in run.rules)


def test_too_many_changes_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendar_lanes, "MOST_SEGMENTS", 5)
    both, staging = shown(in_force())
    assert (both.whole, both.runs) == (False, ())
    assert staging.whole


def view_of(found: InForce, days: int = 35) -> View:
    styles = rule_styles(found.policy_set.policies, found.engine.freezes, NOW)
    return View(MONDAY, days, HOME, NOW, styles)


def test_a_freeze_over_a_weekend_is_one_bar_on_two_rows_with_a_stripe_for_what_overlaps() -> None:
    found = in_force()
    both = shown(found)[0]
    picture = draw_weeks(both, view_of(found), WIDE)
    weekend = picture.bars[1]
    assert weekend.label.startswith("Frozen Fri 27 Nov 14:00 CET to Mon 30 Nov 08:00 CET: No deploys after")
    [body] = weekend.parts
    friday, monday = body.boxes
    day = WIDE.width / 7
    assert friday.x == pytest.approx((4 + 14 / 24) * day, abs=0.02)
    assert friday.x + friday.width == pytest.approx(WIDE.width, abs=0.02)
    assert monday.x == 0
    assert monday.width == pytest.approx(day * 8 / 24, abs=0.02)
    assert monday.y > friday.y
    [stripe] = weekend.stripes
    assert stripe.boxes[0].width == pytest.approx(day, abs=0.02)
    assert friday.y < stripe.boxes[0].y < friday.y + friday.height
    assert weekend.titles[0].text == "No deploys after Friday 14:00 + <i>Saturday</i>"
    assert [cell.number for cell in picture.cells if cell.first] == ["23 Nov", "1 Dec"]
    assert [cell.number for cell in picture.cells if cell.today] == ["27"]
    assert picture.now is not None
    assert picture.now.x == pytest.approx((4 + 14 / 24 + 5 / 1440) * day, abs=0.05)


def test_a_title_without_room_is_cut_and_a_narrow_picture_has_none() -> None:
    text = POLICIES.replace("fri 14:00, to: mon 08:00", "fri 14:00, to: fri 18:00").replace(
        "sat 00:00, to: sun 00:00", "fri 20:00, to: fri 22:00"
    )
    found = in_force(text)
    picture = draw_weeks(shown(found)[0], view_of(found), WIDE)
    assert picture.bars[0].titles == ()
    narrow = draw_weeks(shown(found)[0], view_of(found), NARROW)
    assert not any(bar.titles for bar in narrow.bars)
    nightly = in_force(
        POLICIES.replace("fri 14:00, to: mon 08:00", "mon 14:00, to: tue 02:00").replace(
            "sat 00:00, to: sun 00:00", "tue 14:00, to: tue 20:00"
        )
    )
    bars = draw_weeks(shown(nightly)[0], view_of(nightly), WIDE).bars
    assert bars[0].titles[0].text == "No deploys after Friday…"


def test_in_a_quarter_weeks_in_which_little_happens_are_low() -> None:
    found = in_force(freezes=[freeze("2026-12-02T10:00:00Z", "2026-12-10T12:00:00Z", services=["shop"])])
    lane = shown(found)[0]._replace(runs=shown(found)[0].runs[:1])  # Monday morning of the first week
    quarter = draw_weeks(lane, view_of(found, 98), WIDE_QUARTER)
    first, second, _, fourth = (row.height for row in quarter.rows[:4])
    assert first > second > fourth
    assert fourth < WIDE_QUARTER.bar + 16
    ends = [row.y + row.height for row in quarter.rows]
    assert [row.y for row in quarter.rows[1:]] == ends[:-1]
    assert ends[-1] < quarter.height
    thin = next(each for each in quarter.bars if each.scoped).parts[0].boxes
    assert all(any(row.y < box.y < row.y + row.height - box.height for row in quarter.rows) for box in thin)
    assert len({row.height for row in draw_weeks(lane, view_of(found), WIDE_QUARTER).rows}) == 1


def test_a_ribbon_has_a_row_for_each_lane_and_marks_for_deploys() -> None:
    found = in_force()
    drawn = draw_ribbon(shown(found), view_of(found, 35), NARROW)
    assert [name.text for name in drawn.names] == ["production, eu", "staging"]
    assert len({box.y for box in drawn.rows}) == 2
    assert [tick.text for tick in drawn.ticks] == ["23 Nov", "30 Nov", "7 Dec", "14 Dec", "21 Dec"]
    quarter = draw_ribbon(shown(found), view_of(found, 98), NARROW)
    assert len(quarter.ticks) == 4, "as many as there is room for"
    week = draw_ribbon(shown(found), view_of(found, 7), WIDE_QUARTER)
    assert week.ticks[0].text == "Mon 23"
    deploys = [(NOW, "a", False), (NOW + 60, "b", True), (NOW + 5 * DAY, "c", False)]
    marks = draw_marks(drawn, view_of(found), [deploys, []])
    assert [(mark.number, mark.overridden, mark.label) for mark in marks] == [
        (2, True, "a; b"),
        (1, False, "c"),
    ]
    many = lanes(in_force(), weeks_from(MONDAY))[0]._replace(
        environments=tuple(f"env-{n}" for n in range(12))
    )
    named = draw_ribbon([many], view_of(found, 35), NARROW).names[0].text
    assert re.fullmatch(r"env-0, .* and \d more", named)
    alone = many._replace(environments=("x" * 100,))
    assert draw_ribbon([alone], view_of(found, 35), NARROW).names[0].text.endswith("…")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (17, "17 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (8 * 3600, "8 h"),
        (2 * DAY, "2 d"),
        (2 * DAY + 3600, "2 d 1 h"),
    ],
)
def test_a_length_is_in_hours_or_days(seconds: int, words: str) -> None:
    assert hours_in_words(seconds) == words


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("calendar")
    (folder / "policies.yaml").write_text(POLICIES)
    settings = Settings(
        policies=folder / "policies.yaml", database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}")
    )
    with TestClient(create_app(settings, clock=FakeClock(NOW))) as client:
        yield client


def links(page: Page) -> list[str]:
    return [each.get("href") or "" for each in page.named("a")]


def test_environments_that_hardly_differ_are_told_by_the_difference() -> None:
    text = POLICIES.replace("[production, eu]", "[production, eu, staging]")
    lasting = freeze("2026-12-01T08:00:00Z", None, environments=["eu"])
    found = lanes(in_force(text, [lasting]), weeks_from(MONDAY), "tokyo")
    first, second = differences(found, weeks_from(MONDAY), HOME, NOW)
    assert first is None, "the first is drawn"
    assert second == Difference(("production", "staging"), (Told("Incident", ""),), ())
    brief = freeze("2026-12-01T08:00:00Z", "2026-12-01T09:00:00Z", environments=["production", "staging"])
    found = lanes(in_force(text, [brief]), weeks_from(MONDAY), "tokyo")
    when = "Tue 1 Dec 09:00 CET to Tue 1 Dec 10:00 CET"
    assert differences(found, weeks_from(MONDAY), HOME, NOW)[1] == Difference(
        ("production", "staging"), (), (Told("Incident", when),)
    )
    assert differences(shown(in_force()), weeks_from(MONDAY), HOME, NOW) == [None, None], (
        "these have too little in common"
    )


def test_a_lane_that_hardly_differs_is_folded(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "version: 1\nenvironments: [eu, us]\npolicies:\n"
        "  - {id: all, title: Audit, reason: r, when: [{dates: {from: 2026-12-01, to: 2026-12-02}}]}\n"
        "  - {id: us, title: <i>Vote</i>, reason: r, applies_to: {environments: [us]},"
        " when: [{dates: {from: 2026-12-10, to: 2026-12-10}}]}\n"
    )
    settings = Settings(policies=tmp_path / "p.yaml", database_url=SecretStr(f"sqlite:///{tmp_path}/g.db"))
    with TestClient(create_app(settings, clock=FakeClock(NOW))) as client:
        page = Page(client.get("/dashboard/calendar").text)
    assert page.unclosed == []
    assert "As eu, and also <i>Vote</i> (Thu 10 Dec 00:00 UTC to Fri 11 Dec 00:00 UTC)." in page.text
    assert page.text.count("Show the weeks") == 1
    assert "<i>Vote</i>" in page.isolated


def test_every_bar_leads_to_an_entry_of_the_list(planned: TestClient) -> None:
    page = Page(planned.get("/dashboard/calendar").text)
    assert page.unclosed == []
    assert "23 Nov to 27 Dec 2026" in page.text
    assert "Fri 27 Nov 14:00 CET to Mon 30 Nov 08:00 CET 2 d 18 h" in page.text
    assert "only services tagged tier-1 in staging" in page.text
    ids = {attributes.get("id") for _, attributes in page.elements}
    bars = [each for each in page.named("a") if "stretch" in (each.get("class") or "")]
    assert bars
    assert {(each["href"] or "").partition("#")[2] for each in bars} <= ids
    assert "<i>Saturday</i>" in page.isolated


def test_views_zones_services_and_times_can_be_linked(planned: TestClient) -> None:
    page = Page(planned.get("/dashboard/calendar?view=quarter&from=2026-12-02&zone=Asia/Tokyo").text)
    assert "30 Nov 2026 to 7 Mar 2027" in page.text
    assert "Asia/Tokyo time" in page.text
    assert "Fri 4 Dec 22:00 JST" in page.text
    found = links(page)
    assert "/dashboard/calendar?view=quarter&from=2026-08-31&zone=Asia/Tokyo" in found
    assert "/dashboard/calendar?view=weeks&from=2026-11-30&zone=Asia/Tokyo" in found
    assert {"type": "date", "name": "from", "value": "2026-11-30"} in page.named("input"), "a filter keeps it"
    service = Page(planned.get("/dashboard/calendar?service=shop&environment=staging").text)
    assert {"type": "date", "name": "from", "value": ""} in service.named("input"), "of the present"
    assert "Nights" in service.text
    assert "production" not in [each.get("id") for _, each in service.elements]
    assert "/services/shop" in links(service)
    calm = Page(planned.get("/dashboard/calendar?service=tokyo&environment=staging").text)
    assert "No freezes." in calm.text
    zones = [each.get("value") for each in calm.named("option")]
    assert {"Europe/Amsterdam", "Asia/Tokyo"} <= set(zones)
    first = planned.get("/dashboard/calendar?from=2000-01-03").text
    assert "Earlier" not in Page(first).text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("service=moon", "Service: unknown service"),
        ("from=soon", "from"),
        ("zone=Mars/Base", "not an IANA time zone"),
        ("from=2101-06-01", "From: "),
    ],
)
def test_a_wrong_question_is_answered_on_the_page(planned: TestClient, query: str, said: str) -> None:
    reply = planned.get(f"/dashboard/calendar?{query}")
    assert reply.status_code == 422
    assert said in Page(reply.text).text


def test_an_environment_that_changes_every_minute_says_so(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "version: 1\npolicies: [{id: a, title: A, reason: r, applies_to: {environments: [production]},"
        ' when: [{cron: {start: "* * * * *", duration: 30s}}]}]\n'
    )
    settings = Settings(policies=tmp_path / "p.yaml", database_url=SecretStr(f"sqlite:///{tmp_path}/g.db"))
    with TestClient(create_app(settings, clock=FakeClock(NOW))) as client:
        assert "changes too often to draw" in Page(client.get("/dashboard/calendar").text).text


def test_a_policy_set_without_a_policy_has_an_empty_calendar() -> None:
    policy_set = PolicySet.model_validate({"version": 1, "policies": []})
    alone = InForce(Engine(policy_set), Snapshot.of("version: 1\n"), 0, ())
    assert lanes(alone, weeks_from(MONDAY)) == [Lane(("production",), (), (), whole=True)]


def test_a_calendar_fits_a_phone_and_is_walked_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    options: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "timezone_id": "America/Lima"}
    with still(browser, tmp_path, POLICIES, AT, "/dashboard/calendar", **options) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert serious(page) == []
        expect(page.locator("select[name=zone]")).to_contain_text("America/Lima (yours)")
        picture = page.locator("section:has(#lane-title-1) .scroll.narrow")
        expect(page.locator("section:has(#lane-title-1) .scroll.wide")).to_be_hidden()
        picture.focus()
        for _ in range(2):
            page.keyboard.press("ArrowRight")
        expect(page.locator("section:has(#lane-title-1) .detail")).to_have_text(
            re.compile("^Frozen Fri 27 Nov")
        )
        letters = picture.evaluate(
            "each => Math.min(...[...each.querySelectorAll('text')].map(text =>"
            " text.getBoundingClientRect().height))"
        )
        assert letters > 9, "pixels of the smallest letters"


def test_hostile_texts_stay_texts_in_pictures_lists_and_on_the_pages_of_services(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICIES)
    settings = Settings(policies=tmp_path / "p.yaml", database_url=SecretStr(f"sqlite:///{tmp_path}/g.db"))
    clock = FakeClock(NOW)
    with TestClient(create_app(settings, clock=clock)) as gate:
        ops = bearer(key_for(gate, KeyRequest("ada", Role.OPS)))
        for text in HOSTILE[::3]:
            body = {"title": text, "reason": text, "contact": text, "services": ["shop"], "ttl": "1h"}
            assert gate.post("/freezes", json=body, headers=ops).is_success
            gate.post("/can-deploy", json={"service": "shop", "actor": text, "ref": text}, headers=ops)
        clock.at += 1
        shown = gate.get("/decisions?limit=1").json()["decisions"][0]["decision_id"]
        for path in (
            "/services/shop", "/dashboard/calendar", "/dashboard/calendar?service=shop",
            "/dashboard/past?service=shop", "/dashboard/decisions", f"/dashboard/decisions/{shown}",
        ):  # fmt: skip
            reply = gate.get(path)
            assert reply.status_code == 200
            assert not re.search("[\u202a-\u202e\u2066-\u2069]", reply.text), path
            page = Page(reply.text)
            assert page.unclosed == [], path
            for tag, attributes in page.elements:
                assert tag not in ("iframe", "base", "style", "b"), path
                assert not [name for name in attributes if name.startswith("on")], path
                assert not str(attributes.get("href", "")).startswith(("javascript:", "data:", "//")), path
