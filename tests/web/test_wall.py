"""The view for a wall: everything fits, however many environments there are, and is as large as can be."""

from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
from playwright.sync_api import Browser, Page, expect

from app.clock import SystemClock
from app.core.freeze import Freeze
from app.core.instant import DAY
from app.core.wallclock import zone
from app.gate.errors import StoreUnavailableError
from app.gate.overview import GateState, overview
from app.gate.record import DecisionFilter
from app.gate.waiting_deploys import WaitingDeploys
from app.web.pages import wall_clock
from app.web.wall import MOST_COMING, MOST_LINES, Wall, grid, wall
from tests.gate.test_service_state import NOW, freeze, in_force, policy
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

# What sticks out of the page, of its tile, or over something else; letters of what matters, in pixels.
LOOK: Final = """() => {
  const wrong = [], root = document.documentElement;
  const inside = (a, b) =>
    a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
  const page = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
  if (root.scrollWidth > innerWidth) wrong.push(`the page is ${root.scrollWidth} wide`);
  if (root.scrollHeight > innerHeight) wrong.push(`the page is ${root.scrollHeight} high`);
  const parts = "main > *, #live-state > *, .sum > *, .coming span, .bottom > *";
  for (const each of document.querySelectorAll(parts)) {
    if (!each.checkVisibility() || each.matches(".unseen") || !each.getClientRects().length) continue;
    if (!inside(each.getBoundingClientRect(), page)) wrong.push(`${each.className} is not on the page`);
  }
  const letters = [], tiles = [...document.querySelectorAll(".tile")];
  for (const tile of tiles) {
    const box = tile.getBoundingClientRect();
    let bottom = box.top;
    for (const each of tile.children) {
      if (!each.checkVisibility()) continue;
      const place = each.getBoundingClientRect();
      if (!inside(place, box)) wrong.push(`${each.className || each.localName} sticks out`);
      if (place.top < bottom - 1) wrong.push(`${each.className} stands upon what is above it`);
      bottom = Math.max(bottom, place.bottom);
      letters.push(parseFloat(getComputedStyle(each).fontSize));
    }
  }
  const boxes = tiles.map((tile) => tile.getBoundingClientRect());
  const room = document.querySelector(".tiles").getBoundingClientRect();
  const used = boxes.reduce((sum, box) => sum + box.width * box.height, 0) / (room.width * room.height);
  const states = document.querySelectorAll("[data-environment]").length;
  return { wrong: [...new Set(wrong)], letters: Math.min(...letters), used, states };
}"""


def frozen_by_one_rule(environments: int) -> str:
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


def frozen_apart(environments: int) -> str:
    """Policies of which each freezes one environment."""
    policies = "\n".join(
        f"  - {{id: p{number}, title: 'Work on the racks of {number}', reason: It is warm there., "
        f"contact: '#dc-{number}', applies_to: {{environments: [{name}]}}, when: [{{always: true}}]}}"
        for number, name in enumerate(NAMES[:environments])
    )
    return f"version: 1\nenvironments: [{', '.join(NAMES[:environments])}]\npolicies:\n{policies}\n"


def look(page: Page, width: int, height: int) -> dict[str, float]:
    page.set_viewport_size({"width": width, "height": height})
    expect(page.locator("#live-state")).to_have_attribute("data-fitted", f"{width} {height}")
    found: dict[str, Any] = page.evaluate(LOOK)
    assert found["wrong"] == [], (width, height)
    return {name: found[name] for name in ("letters", "used", "states")}


@pytest.mark.parametrize("environments", [1, 2, 12, 30])
def test_environments_frozen_by_the_same_rules_share_a_tile(
    browser: Browser, tmp_path: Path, environments: int
) -> None:
    policies = frozen_by_one_rule(environments)
    with serving(tmp_path, policies) as gate, opened(browser, gate.url, "/?wall") as page:
        expect(page.locator(".tile.frozen")).to_have_count(1)
        for width, height in ((1920, 1080), (3840, 2160), (1366, 768), (2560, 1080), (1080, 1920)):
            found = look(page, width, height)
            assert found["states"] == environments
            assert found["letters"] >= min(width, height) / 40, (width, height)
            assert found["used"] > 0.9


@pytest.mark.parametrize("environments", [1, 2, 3, 5, 12, 30])
def test_every_freeze_has_its_room_and_letters_that_can_be_read_from_five_metres(
    browser: Browser, tmp_path: Path, environments: int
) -> None:
    with serving(tmp_path, frozen_apart(environments)) as gate, opened(browser, gate.url, "/?wall") as page:
        expect(page.locator(".tile.frozen")).to_have_count(environments)
        for width, height in ((1920, 1080), (3840, 2160), (1366, 768), (1080, 1920)):
            found = look(page, width, height)
            assert found["letters"] >= min(width, height) / 40, (width, height)
            # Nothing is empty: what is no tile is the gaps between them.
            assert found["used"] > 0.75, (width, height)


def test_on_a_phone_it_may_be_scrolled_but_not_sideways(browser: Browser, tmp_path: Path) -> None:
    phone = {"width": 390, "height": 844}
    with (
        serving(tmp_path, frozen_apart(12)) as gate,
        opened(browser, gate.url, "/?wall", viewport=phone) as page,
    ):
        expect(page.locator(".tile").last).to_contain_text("Work on the racks of 11")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_a_script_the_words_are_there_at_a_usual_size(browser: Browser, tmp_path: Path) -> None:
    with (
        serving(tmp_path, frozen_apart(2)) as gate,
        opened(browser, gate.url, "/?wall", java_script_enabled=False) as page,
    ):
        expect(page.locator(".tile")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


def test_what_is_open_stands_in_lines_beside_what_is_frozen(browser: Browser, tmp_path: Path) -> None:
    policies = (
        "version: 1\nenvironments: [production, staging, test]\n"
        "services: {pay: {tags: [money]}, shop: {tags: [web]}}\npolicies:\n"
        "  - {id: closed, title: Closed, reason: x, applies_to: {environments: [production]}, "
        "when: [{always: true}]}\n"
        "  - {id: payday, title: Payday, reason: x, applies_to: {tags: [money]}, when: [{always: true}]}\n"
    )
    with serving(tmp_path, policies) as gate, opened(browser, gate.url, "/?wall") as page:
        expect(page.locator(".verdict")).to_have_text("1 of 3 frozen")
        expect(page.locator(".tile")).to_have_count(1)
        expect(page.locator(".lines li").first).to_have_text("staging, test open, no freeze planned")
        expect(page.locator(".lines li").nth(1)).to_have_text("pay frozen in staging and test: Payday")


def test_an_open_wall_says_so_as_large(browser: Browser, tmp_path: Path) -> None:
    warned = (
        "version: 1\nenvironments: [production, staging, test]\npolicies:\n"
        "  - {id: late, title: It is late, reason: Nobody watches., effect: warn, contact: '#oncall', "
        "when: [{always: true}]}\n"
    )
    with serving(tmp_path, warned) as gate, opened(browser, gate.url, "/?wall") as page:
        expect(page.locator(".verdict")).to_have_text("All open")
        assert look(page, 1920, 1080)["letters"] >= 50
        tile = page.locator(".tile.open")
        expect(tile.get_by_text("It is late")).to_be_visible()
        expect(tile.get_by_text("Ask #oncall")).to_be_visible()
        expect(tile.get_by_text("no freeze planned")).to_be_visible()


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
            assert look(page, 1920, 1080)["letters"] >= 27


def test_the_clock_on_the_wall_goes_on(browser: Browser, tmp_path: Path) -> None:
    abroad = "version: 1\ntimezone: America/New_York\npolicies: []\n"
    with serving(tmp_path, abroad) as gate, opened(browser, gate.url, "/?wall") as page:
        for days in (0, 100, 200, 300):
            instant = SystemClock().now() + days * DAY
            page.evaluate("(instant) => { window.now = () => instant * 1000; }", instant)
            expected = wall_clock(instant, zone("America/New_York"))
            expect(page.locator(".clock")).to_have_text(expected)


@pytest.mark.parametrize("tiles", range(1, 31))
@pytest.mark.parametrize("room", [0.6, 2.1])
def test_a_grid_has_no_gaps(tiles: int, room: float) -> None:
    across, first = grid(tiles, room)
    assert (tiles - 1 + first) % across == 0
    assert 1 <= first <= across <= 8


def test_a_grid_of_nothing_has_a_column() -> None:
    assert grid(0, 2.1) == (1, 1)


def wall_of(
    policies: list[dict[str, Any]],
    freezes: list[Freeze] | None = None,
    waiting: list[WaitingDeploys] | None = None,
    **file: object,
) -> Wall:
    """Return the wall of four environments, without a store."""

    def unreachable(_: object) -> NoReturn:
        raise StoreUnavailableError

    gate = in_force({"environments": ["a", "b", "c", "d"], "policies": policies, **file}, freezes)
    found = overview(unreachable, GateState(gate, None, None, NOW), DecisionFilter())
    return wall(found._replace(waiting=waiting), gate.policy_set)


def test_an_incident_stands_first_and_what_comes_is_bounded() -> None:
    always, daily = [{"always": True}], [{"daily": {"from": "20:00", "to": "21:00"}}]
    closed = policy("p", when=always, applies_to={"environments": ["a", "d"]})
    coming = [
        policy(f"later-{number}", when=daily, applies_to={"environments": ["c"]}) for number in range(9)
    ]
    waiting = [WaitingDeploys("a", [{}], 1), WaitingDeploys("d", [], 1)]
    shown = wall_of([closed, *coming], [freeze("f", NOW - 1, None, environments=["b"])], waiting)
    assert [each.place.environments for each in shown.frozen] == [("b",), ("a", "d")]
    assert [each.waiting for each in shown.frozen] == [0, 3]
    assert (shown.frozen_environments, shown.total) == (3, 4)
    assert (shown.frozen[0].place.freeze or {})["started_by"] == "ada"
    assert [each.place.environments for each in shown.lines] == [("c",)]
    assert len(shown.coming) == MOST_COMING


def test_an_environment_without_services_that_differ_has_no_line() -> None:
    shown = wall_of([])
    assert shown.exceptions == ()
    assert shown.excepted == ""
    assert shown.tiles == shown.open


ALWAYS: Final = [{"always": True}]
SERVICES: Final = {"pay": {"tags": ["money"]}, "shop": {}, "till": {"tags": ["money"]}}


def test_a_verdict_about_all_environments_names_the_services_that_it_is_not_true_of() -> None:
    payday = policy("payday", when=ALWAYS, applies_to={"tags": ["money"]})
    assert wall_of([payday], services=SERVICES).excepted == "except 2 services"
    closed = policy("closed", when=ALWAYS, exempt=[{"services": ["shop"]}])
    assert wall_of([closed], services=SERVICES).excepted == "except 1 service"
    # Where something is frozen anyway, what else is frozen is no exception to it.
    assert wall_of([closed, payday], services=SERVICES).excepted == "except 1 service"


def test_services_that_no_catalogue_lists_have_a_line_as_well() -> None:
    payday = policy("payday", when=ALWAYS, applies_to={"services": ["pay", "ledger-*"]})
    shown = wall_of([payday])
    assert [(each.kind, each.scope) for each in shown.exceptions] == [("frozen", "pay or ledger-*")]
    assert shown.excepted == "with exceptions"


def test_a_freeze_that_begins_at_other_times_elsewhere_is_listed_once() -> None:
    daily = [{"daily": {"from": "20:00", "to": "21:00"}}]
    zones = {"a": {"timezone": "Asia/Tokyo"}, "b": {"timezone": "Europe/Paris"}}
    shown = wall_of([policy("p", when=daily, timezone="service")], services=zones)
    assert [(each.first["id"], each.zones) for each in shown.coming] == [("p", 2)]


def test_more_exceptions_than_there_is_room_for_are_counted() -> None:
    each_its_own = [
        policy(f"p{each}", when=ALWAYS, applies_to={"services": [f"s-{each}"]}) for each in range(9)
    ]
    shown = wall_of(each_its_own)
    assert (len(shown.exceptions), len(shown.told)) == (9, MOST_LINES - 1)
