"""The page of a policy: what it does, when, and how it came to be."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.instant import parse_instant
from app.gate.errors import BusyError
from app.gate.record import DecisionFilter, Record
from app.gate.record import Page as RecordPage
from app.main import create_app
from app.policies.source import Snapshot
from app.server.periodic import poll_policies
from app.settings import Settings
from app.web.policy import Decided, _decided
from tests.api.fakes import FakeClock
from tests.web.browser import serious
from tests.web.pages import Page
from tests.web.still import still

HTML = {"Accept": "text/html,application/xhtml+xml"}
POLICIES = """\
version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
services: {checkout: {timezone: America/New_York}, far: {}}
policies:
  - id: friday-afternoon
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    contact: "#release-managers"
    link: https://wiki.example/freeze
    applies_to: {environments: [production]}
    exempt: {changes: [rollback]}
    when: [{weekly: {from: fri 14:00, to: mon 08:00}}]
  - id: lunch
    title: It is lunch time
    reason: Somebody has to watch it.
    effect: warn
    when: [{daily: {from: "12:00", to: "13:00"}}]
  - id: awake
    title: Deploy while the team is awake
    reason: Someone has to watch it.
    effect: allow-only
    override: never
    running: stop
    notify_before: [1d]
    applies_to: {environments: [staging]}
    when: [{daily: {from: "00:00", to: "24:00"}}]
  - id: tokyo
    title: Night in Tokyo
    reason: They sleep.
    timezone: Asia/Tokyo
    applies_to: {services: [far]}
    when: [{daily: {from: "22:00", to: "06:00"}}]
  - id: local
    title: Lunch of each service
    reason: They eat.
    timezone: service
    applies_to: {services: [far]}
    when: [{daily: {from: "12:00", to: "13:00"}}]
  - id: over
    title: Moving house
    reason: We moved.
    when: [{dates: {from: 2020-01-01, to: 2020-01-02}}]
"""
EARLIER = POLICIES.replace("fri 14:00", "fri 12:00").replace("Nothing good", "Little good")
RENAMED = EARLIER.replace("id: friday-afternoon", "id: friday").replace("  - id: over", "  - id: old", 1)


@contextmanager
def running(folder: Path, *texts: str, **options: Any) -> Iterator[TestClient]:
    """A gate that has had these policies, an hour apart; the last ones are in force."""
    file, clock = folder / "policies.yaml", FakeClock(parse_instant("2026-11-27T14:00:00Z"))
    clock.at -= 3_600 * len(texts)
    file.write_text(texts[0])
    settings = Settings(policies=file, database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}"), **options)
    with TestClient(create_app(settings, clock=clock), headers=HTML) as gate:
        for text in texts[1:]:
            clock.at += 3_600
            file.write_text(text)
            for _ in range(2):
                poll_policies(gate.app.state.context)  # type: ignore[attr-defined]
            assert gate.app.state.context.policies.last_error is None  # type: ignore[attr-defined]
        clock.at += 3_600
        yield gate


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A gate whose Friday was renamed, and then shortened; nothing changes it."""
    with running(tmp_path_factory.mktemp("gate"), RENAMED, EARLIER, POLICIES) as client:
        yield client


def shown(gate: TestClient, policy: str, query: str = "") -> Page:
    reply = gate.get(f"/dashboard/policies/{policy}{query}")
    assert reply.status_code == 200, reply.text
    page = Page(reply.text)
    assert page.unclosed == []
    return page


def places(page: Page, start: str) -> list[str]:
    """Where the links lead that begin so; without the fragment."""
    found = [each.get("href") or "" for each in page.named("a")]
    return [place.partition("#")[0] for place in found if place.startswith(start)]


def test_a_policy_is_told_in_words_with_its_reason_scope_and_contact(gate: TestClient) -> None:
    page = shown(gate, "friday-afternoon")
    for words in (
        "No deploys after Friday 14:00",
        "Deploys are refused every week from Friday 14:00 to Monday 08:00, Europe/Amsterdam time.",
        "“Nothing good happens after 14:00 on a Friday.”",
        "everything in production, but not to rollback changes",
        "#release-managers",
        "When it freezes",
        "now Fri 27 Nov 14:00 CET to Mon 30 Nov 08:00 CET",
        "in 6 d 23 h Fri 4 Dec 14:00 CET to Mon 7 Dec 08:00 CET",
        "Next four weeks",
    ):
        assert words in page.text
    assert "https://wiki.example/freeze" in [each.get("href") for each in page.named("a")]
    assert len([each for each in page.named("g") if "stretch" in (each.get("class") or "")]) == 5


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("lunch", ("warn", "When it warns", "Sat 28 Nov 12:00")),
        (
            "awake",
            ("allow-only", "no overrides", "stops running deploys", "When it allows", "1 d ahead"),
        ),
        (
            "awake",
            ("now for longer than two years to no end in sight", "It freezes nothing in the next four"),
        ),
        ("tokyo", ("Asia/Tokyo time", "22:00 JST", "Next four weeks, Europe/Amsterdam time")),
        ("local", ("Europe/Amsterdam time", "at its own local time")),
        ("over", ("It has no window in the next two years: it never freezes.", "in the next four weeks.")),
    ],
)
def test_each_effect_has_its_own_words(gate: TestClient, policy: str, words: tuple[str, ...]) -> None:
    text = shown(gate, policy).text
    for each in words:
        assert each in text


def test_the_history_lists_what_changed_when_and_through_what(gate: TestClient) -> None:
    page = shown(gate, "friday-afternoon")
    assert "Changed: reason, windows What changed? Fri 27 Nov 14:00 CET, when " in page.text
    assert "Renamed from friday What changed? Fri 27 Nov 13:00 CET" in page.text
    assert "Added the record begins here Fri 27 Nov 12:00 CET, when " in page.text
    assert " found changed files · sha256:" in page.text
    assert " started · sha256:" in page.text
    checked = [each for each in page.named("input") if "checked" in each]
    assert [each["name"] for each in checked] == ["to", "from"]


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A gate that lets two deploys out with a warning, denies one, and knows how one went."""
    with running(tmp_path_factory.mktemp("used"), POLICIES) as gate:
        clock = gate.app.state.context.clock  # type: ignore[attr-defined]
        now = clock.at
        for at, service, environment in (
            ("2026-11-26T11:30:00Z", "checkout", "staging"),
            ("2026-11-26T11:40:00Z", "search", "production"),
            ("2026-11-27T11:10:00Z", "mail", "staging"),
            ("2026-11-27T13:30:00Z", "search", "production"),
        ):
            clock.at = parse_instant(at)
            claim = {"service": service, "environment": environment, "actor": "ada"}
            decision = gate.post("/can-deploy", json=claim).json()["decision_id"]
            if service == "mail":
                gate.post(f"/decisions/{decision}/outcome", json={"result": "failed"})
        clock.at = now
        yield gate


def test_a_policy_that_warns_lists_the_deploys_that_it_would_have_stopped(used: TestClient) -> None:
    page = shown(used, "lunch")
    assert "Would have stopped" in page.text
    for words in ("checkout → staging ada", "search → production ada", "mail → staging ada", "The latest 3."):
        assert words in page.text
    assert "GET /decisions?policy=lunch&would=deny" in page.text


def test_a_policy_that_denies_lists_what_it_stopped(used: TestClient) -> None:
    page = shown(used, "friday-afternoon")
    assert "Stopped lately" in page.text
    assert "search → production ada" in page.text
    assert "/dashboard/decisions?policy=friday-afternoon" in [each.get("href") for each in page.named("a")]
    assert "Switch it on" not in page.text


def test_a_search_that_takes_too_long_is_given_up(used: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.policy.SEARCH", 0)
    text = shown(used, "awake").text
    assert "There are too few of them in a long record to be found in time." in text
    assert "in time. All of them" in text
    assert "Nothing yet" not in text


def test_the_record_is_searched_once_for_all_who_ask_for_the_same_page_at_once(
    used: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = used.app.state.context  # type: ignore[attr-defined]
    policies = {each.id: each for each in here.policies.in_force.policy_set.policies}
    searched = []

    async def search(wanted: DecisionFilter, before: int | None, most: int) -> RecordPage:
        searched.append(wanted.policy)
        await asyncio.sleep(0)
        return await Record.decisions(here.record, wanted, before, most)

    async def ask(policy_ids: list[str]) -> list[Decided]:
        return await asyncio.gather(*(_decided(here, policies[each]) for each in policy_ids))

    monkeypatch.setattr(here.record, "decisions", search)
    assert used.portal is not None
    first, *others = used.portal.call(ask, ["lunch"] * 9 + ["awake"])
    assert searched == ["lunch", "awake"]
    assert len(first.latest) == 3
    assert others == [first] * 8 + [Decided([])]


def test_a_policy_without_decisions_says_what_will_appear(gate: TestClient) -> None:
    assert "Nothing yet. Claims that it denies appear here." in shown(gate, "over").text
    assert "Nothing yet. Deploys that go out while it warns appear here" in shown(gate, "lunch").text


def test_switching_on_is_tried_on_the_record_and_on_the_coming_weeks(used: TestClient) -> None:
    before = used.get("/policies/lunch").json()["effect"]
    assert "Hours that close" not in shown(used, "lunch").text
    text = shown(used, "lunch", "?days=30").text
    assert "deploys went out3" in text
    assert "it would have stopped3" in text
    assert "failed, of those reported1 of 1" in text
    assert 'Deploys that "It is lunch time" would have stopped: too few to tell;' in text
    assert "failed mail → staging Fri 27 Nov 12:10 CET" in text
    assert "not reported search → production Thu 26 Nov 12:40 CET" in text
    assert "veto by lunch" in text
    line = POLICIES.splitlines().index("    effect: warn") + 1
    assert f"Nothing has been changed. To switch it on, change line {line} of policies.yaml" in text
    assert "Open it in the editor and write effect: deny in line" in text
    assert used.get("/policies/lunch").json()["effect"] == before == "warn"


def test_a_policy_that_would_stop_nothing_says_so(tmp_path: Path) -> None:
    text = POLICIES.replace(
        'daily: {from: "12:00", to: "13:00"}', "dates: {from: 2020-01-01, to: 2020-01-02}"
    )
    with running(tmp_path, text.replace("effect: warn", "effect: &effect warn", 1)) as gate:
        page = shown(gate, "lunch", "?days=90").text
    assert "It would have stopped nothing in this time." in page
    assert "None: it would stop no deploy that is allowed now." in page


def test_a_trial_that_cannot_be_made_says_why(used: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise BusyError("too much is being computed already")

    monkeypatch.setattr("app.web.policy.switch_on", fail)
    page = shown(used, "lunch", "?days=90")
    assert "too much is being computed already" in page.text
    assert [each for each in page.named("p") if each.get("role") == "alert"]


def test_a_trial_that_had_no_time_for_the_whole_record_says_so(
    used: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gate.backtest.PATIENCE", -1)
    monkeypatch.setattr("app.gate.backtest._TOGETHER", 1)
    text = shown(used, "lunch", "?days=365").text
    assert "Only 1 of 4 decisions were counted, the oldest first; choose a shorter time." in text


@pytest.mark.parametrize("query", ["?days=7", "?cursor=x", "?what=1", "?from=" + "f" * 72])
def test_other_parameters_are_refused(gate: TestClient, query: str) -> None:
    assert gate.get(f"/dashboard/policies/lunch{query}").status_code == 422


def test_an_old_id_leads_to_the_new_one_and_a_removed_policy_keeps_its_history(gate: TestClient) -> None:
    page = shown(gate, "friday")
    assert "No policy of this id is in force. This is the history of one that was." in page.text
    assert "/dashboard/policies/friday-afternoon" in [each.get("href") for each in page.named("a")]
    assert "Renamed to friday-afternoon" in page.text


def test_any_two_revisions_are_compared_in_facts_and_hours(gate: TestClient) -> None:
    page = shown(gate, "friday-afternoon")
    links = places(page, "?from=")
    compared = shown(gate, "friday-afternoon", links[0]).text
    for words in ("Friday 12:00 to Monday", "Friday 14:00 to Monday", "Little good", "Nothing good"):
        assert words in compared
    assert "opens Fri 12:00 to 14:00" in compared
    assert "FieldBeforeAfter" in compared, "the heads of the table"
    assert "Opens " in compared
    assert "Other policies changed" not in compared
    renamed = shown(gate, "friday-afternoon", links[1]).text
    assert "The content of this policy is the same in both." in renamed
    assert "Other policies changed, too: over" in renamed
    assert "What changed of the policy" not in renamed
    added = shown(gate, "over", links[1]).text
    assert "The content of this policy is the same in both." in added


def test_revisions_are_picked_by_a_form_that_keeps_what_was_picked(gate: TestClient) -> None:
    page = shown(gate, "friday-afternoon")
    revisions = [each["value"] or "" for each in page.named("input") if each.get("name") == "to"]
    query = f"?from={revisions[2]}&to={revisions[0]}"
    picked = shown(gate, "friday-afternoon", query)
    assert [each["value"] for each in picked.named("input") if "checked" in each] == [
        revisions[0],
        revisions[2],
    ]
    assert "What it does" in picked.text


def test_files_put_back_are_picked_by_their_place_in_the_list(tmp_path: Path) -> None:
    with running(tmp_path, POLICIES, EARLIER, POLICIES, EARLIER) as gate:
        page = shown(gate, "friday-afternoon")
        boxes = [each for each in page.named("input") if each.get("type") == "radio"]
        assert [number for number, each in enumerate(boxes) if "checked" in each] == [1, 2]
        first, second = boxes[0]["value"], boxes[2]["value"]
        for query, checked in (
            (f"?from={first}&to={second}", [3, 4]),
            (f"?from={second}&to={first}", [1, 2]),
            (f"?from={first}&to={first}", [1, 4]),
        ):
            boxes = [
                each for each in shown(gate, "friday-afternoon", query).named("input") if "value" in each
            ]
            assert [number for number, each in enumerate(boxes) if "checked" in each] == checked
        boxes = shown(gate, "lunch", f"?from={first}&to={second}").named("input")
        assert not boxes


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?from=sha256:0000&to=sha256:ffff", "no set of policies with that revision was in force"),
        ("?from=nonsense&to=<script>", "a revision is sha256: and hexadecimal digits"),
    ],
)
def test_revisions_that_cannot_be_compared_are_said_to_be_so(
    gate: TestClient, query: str, words: str
) -> None:
    page = shown(gate, "lunch", query)
    assert words in page.text
    assert [each for each in page.named("p") if each.get("role") == "alert"]
    assert "<script>" not in page.text.replace("→ <script>", "")


def test_a_set_that_this_version_no_longer_accepts_is_named(tmp_path: Path) -> None:
    with running(tmp_path, EARLIER, POLICIES) as gate:
        (link,) = places(shown(gate, "friday-afternoon"), "?from=")
        store = gate.app.state.context.gate._store  # type: ignore[attr-defined]
        with store._database.writing() as connection:
            connection.raw.execute(
                "UPDATE policy_revisions SET sources = replace(sources, 'weekly', 'weakly')"
            )
        page = shown(gate, "friday-afternoon", link)
    assert "this version does not accept the policies of sha256:" in page.text


def test_one_revision_needs_no_picking(tmp_path: Path) -> None:
    with running(tmp_path, POLICIES) as gate:
        page = shown(gate, "lunch")
    assert "Added the record begins here" in page.text
    assert not page.named("input")
    assert "Compare" not in page.text


def test_the_history_of_a_large_set_is_shown_when_asked_for(
    gate: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.policy.PARSED", 100)
    page = shown(gate, "awake")
    assert "takes some seconds. Show the history" in page.text
    assert "Added" not in page.text
    (link,) = places(page, "?history")
    assert "Added" in shown(gate, "awake", link).text


def test_older_revisions_are_a_page_away(tmp_path: Path) -> None:
    revisions = [POLICIES.replace("Somebody", f"Body {number}") for number in range(18)]
    with running(tmp_path, *revisions) as gate:
        page = shown(gate, "lunch")
        (older,) = places(page, "?cursor=")
        last = shown(gate, "lunch", older)
    assert len([each for each in page.named("input") if each.get("name") == "to"]) == 15
    assert "Older revisions" not in last.text
    assert "Newest revisions" in last.text
    assert "the record begins here" in last.text


@pytest.mark.parametrize("policy", ["nothing", "NOT-AN-ID", "<script>"])
def test_a_policy_that_never_was_has_no_page(gate: TestClient, policy: str) -> None:
    reply = gate.get(f"/dashboard/policies/{policy}")
    assert reply.status_code == 404
    assert policy not in reply.text
    assert reply.headers["content-type"].startswith("text/html")


def test_without_the_database_the_policy_is_shown_and_its_history_is_not(tmp_path: Path) -> None:
    with running(tmp_path, POLICIES) as gate:
        away = (tmp_path / "gate.db").rename(tmp_path / "away.db")
        page = shown(gate, "lunch")
        assert "It is lunch time" in page.text
        assert page.text.count("Not available: the database can't be reached.") == 2
        assert "the database can't be read" in shown(gate, "lunch", "?days=30").text
        assert gate.get("/dashboard/policies/nothing").status_code == 404
        away.rename(tmp_path / "gate.db")


def test_nobody_reads_it_without_the_role(tmp_path: Path) -> None:
    with running(tmp_path, POLICIES, anonymous_role="none") as gate:
        reply = gate.get("/dashboard/policies/lunch", follow_redirects=False)
    assert reply.headers["location"] == "/dashboard/sign-in"


def test_texts_of_others_are_shown_as_texts_and_keep_their_direction(tmp_path: Path) -> None:
    hostile = '"<script>ABC\\u202e</script>"'
    text = POLICIES.replace("It is lunch time", hostile).replace("Somebody has to watch it.", hostile)
    with running(tmp_path, POLICIES, text) as gate:
        page = shown(gate, "lunch")
        (link,) = places(page, "?from=")
        for each in (page, shown(gate, "lunch", link)):
            assert "script" not in [tag for tag, _ in each.elements if tag == "script"][1:]
            assert not [text for text in each.exposed if "ABC" in text and "freezegate" not in text]
            assert "\u202e" not in each.text


def test_the_dashboard_links_to_the_page_of_each_policy(gate: TestClient) -> None:
    places = [each.get("href") for each in Page(gate.get("/dashboard/policies").text).named("a")]
    assert "/dashboard/policies" in {each.get("href") for each in Page(gate.get("/").text).named("a")}
    for policy in ("friday-afternoon", "lunch", "awake", "over"):
        assert f"/dashboard/policies/{policy}" in places


def test_the_page_is_clean_in_a_browser_on_a_phone_and_in_the_dark(browser: Browser, tmp_path: Path) -> None:
    def history(gate: TestClient, clock: FakeClock) -> None:
        for at, text in (("2026-11-25T09:00:00Z", POLICIES), ("2026-11-26T11:30:00Z", EARLIER)):
            clock.at = parse_instant(at)
            (tmp_path / "policies.yaml").write_text(text)
            for _ in range(2):
                poll_policies(gate.app.state.context)  # type: ignore[attr-defined]
            gate.post("/can-deploy", json={"service": "search"})

    old, new = (Snapshot.of(text).revision for text in (POLICIES, EARLIER))
    path = f"/dashboard/policies/lunch?days=90&from={old}&to={new}"
    view: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    at, since = "2026-11-27T14:00:00Z", "2026-11-24T09:00:00Z"
    with still(browser, tmp_path, RENAMED, at, path, history, since, **view) as page:
        for heading in ("Would have stopped", "Switch it on", "History", "What changed"):
            assert page.get_by_role("heading", name=heading).is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert serious(page) == []
        page.emulate_media(color_scheme="light")
        assert serious(page) == []


def test_the_owner_of_a_policy_is_on_its_page_and_in_the_api(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    head, _, rules = POLICIES.partition("policies:\n")
    (folder / "main.yaml").write_text(
        f"{head}owners:\n  far.yaml: {{team: Far & Away, services: [far], contact: '#far'}}\npolicies: []\n"
    )
    entries = f"- id: {rules.partition('- id: tokyo')[2].join(['tokyo', ''])}".partition("  - id: local")[0]
    (folder / "far.yaml").write_text(f"version: 1\npolicies:\n  {entries}")
    settings = Settings(policies=folder, database_url=SecretStr(f"sqlite:///{tmp_path / 'gate.db'}"))
    with TestClient(create_app(settings, clock=FakeClock(parse_instant("2026-11-27T14:00:00Z")))) as gate:
        page = shown(gate, "tokyo")
        assert "OwnerFar & Away far.yaml" in page.text
        assert gate.get("/policies").json()["policies"][0]["owner"] == {
            "file": "far.yaml",
            "team": "Far & Away",
            "contact": "#far",
        }


def test_a_policy_without_an_owner_says_nothing_of_one(gate: TestClient) -> None:
    assert "Owner" not in shown(gate, "lunch").text
    assert gate.get("/policies/lunch").json()["owner"] is None
