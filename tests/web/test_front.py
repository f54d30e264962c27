"""The first view: what is frozen and open, by rules, and which services differ; the short forms of ops."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.core.instant import MINUTE
from app.gate.keys import KeyRequest
from app.identity.caller import Role
from app.web.front import named
from tests.api.conftest import key_for
from tests.api.fakes import FakeClock
from tests.gate.conftest import reload
from tests.web.companies import environments, policy_file, services
from tests.web.pages import Page

SOME = """\
version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
policies:
  - id: payday
    title: Payday freeze
    reason: Salaries are paid out.
    applies_to: {services: [payroll, ledger-*], environments: [production]}
    when: [{always: true}]
  - id: no-hotfixes
    title: No hotfixes
    reason: They go through the usual way.
    applies_to: {changes: [hotfix]}
    when: [{always: true}]
"""
INCIDENT = {"title": "Payment incident", "lasts": "2h", "environments": "production"}


def in_force(gate: TestClient, folder: Path, policies: str) -> None:
    """Put policies in force."""
    context = gate.app.state.context  # type: ignore[attr-defined]
    (folder / "policies.yaml").write_text(policies)
    reload(context.policies, context.clock.now())


def text_of(gate: TestClient, path: str = "/") -> str:
    """The text of a page, that is whole."""
    page = Page(gate.get(path).text)
    assert page.unclosed == []
    return page.text


@pytest.fixture
def proof(gate: TestClient, keys: dict[str, str]) -> dict[str, str]:
    """Sign in as ops; the field that every form needs."""
    form = Page(gate.get("/dashboard/sign-in").text)
    reply = gate.post("/dashboard/sign-in", data={"proof": form.value("proof"), "key": keys["ops"]})
    return {"proof": Page(reply.text).value("proof")}


def test_environments_that_a_rule_freezes_together_are_shown_once(gate: TestClient, folder: Path) -> None:
    in_force(gate, folder, policy_file(12, 40))
    text = text_of(gate)
    assert "production-eu production-us production-ap ❄FROZEN No deploys after Friday 14:00" in text
    assert text.partition("Next four weeks")[0].count("Nothing good happens after 14:00 on a Friday.") == 1
    assert "9 environments open staging-eu, staging-us and 7 more close first" in text
    assert "Still allowed: rollback changes; services tagged team-search" in text


def test_many_environments_are_counted_and_all_of_them_said_so(gate: TestClient, folder: Path) -> None:
    rule = {"id": "closed", "title": "Books", "reason": "Counted.", "when": [{"always": True}]}
    in_force(gate, folder, policy_file(12, 0, [rule]))
    assert "All 12 environments ❄FROZEN production-eu" in text_of(gate)
    assert "❄ all 12 environments frozen" in text_of(gate)
    in_force(gate, folder, policy_file(12, 0, [{**rule, "effect": "warn"}]))
    assert "All 12 environments ✓OPEN warning Books: Counted." in text_of(gate)


def test_services_that_a_rule_singles_out_are_one_line_with_their_names_behind(
    gate: TestClient, folder: Path
) -> None:
    in_force(gate, folder, policy_file(12, 40))
    text = text_of(gate)
    assert "5 services frozen by Payday freeze in staging-eu, staging-us and 7 more" in text
    assert "except 5 services" in text
    # Payday ends before the weekend does: where that freezes everything, it makes no difference.
    assert "11 services frozen for longer by Deploy while the team is awake" in text
    assert "3 services open in spite of No deploys after Friday 14:00" in text
    places = {each.get("href") for each in Page(gate.get("/").text).named("a")}
    assert {f"/services/{name}" for name in services(40) if name.startswith("payments")} <= places


def test_without_a_catalogue_open_is_not_said_without_its_exceptions(gate: TestClient, folder: Path) -> None:
    in_force(gate, folder, SOME)
    text = text_of(gate)
    assert "production staging ✓OPEN" in text
    assert "except payroll or ledger-* in production" not in text, "there are two rules in production"
    assert "payroll or ledger-* frozen by Payday freeze in production" in text
    assert "hotfix changes frozen by No hotfixes in production and staging" in text
    in_force(gate, folder, SOME.partition("  - id: no-hotfixes")[0])
    assert "✓OPEN except payroll or ledger-* in production" in text_of(gate)


def test_a_headline_about_all_environments_counts_the_services_that_are_frozen(
    gate: TestClient, folder: Path
) -> None:
    rule = {"title": "T", "reason": "R"}
    payday = {**rule, "id": "payday", "applies_to": {"tags": ["team-payments"]}, "when": [{"always": True}]}
    later = {**rule, "id": "later", "applies_to": {"environments": ["production"]}}
    dated = {**later, "when": [{"dates": {"from": "2026-12-01", "to": "2026-12-02"}}]}
    in_force(gate, folder, policy_file(2, 5, [payday, dated]))
    assert "production staging ✓OPEN except 1 service production closes first" in text_of(gate)


def test_a_page_of_twelve_environments_and_three_hundred_services_is_small(
    gate: TestClient, folder: Path
) -> None:
    in_force(gate, folder, policy_file(12, 300))
    assert len(gate.get("/").content) < 250_000


@pytest.mark.parametrize(
    ("number", "total", "words"),
    [
        (1, 12, "production-eu"),
        (2, 12, "production-eu and production-us"),
        (3, 3, "production, staging and test"),
        (5, 12, "production-eu, production-us and 3 more"),
        (12, 12, "all 12 environments"),
    ],
)
def test_environments_in_words(number: int, total: int, words: str) -> None:
    assert named(environments(total)[:number], total) == words


def test_the_answer_has_the_line_to_ask_the_same(gate: TestClient) -> None:
    text = text_of(gate, "/?service=checkout&change=hotfix&duration=20m&at=2026-11-27T14:30")
    line = "freezegate check checkout --environment production --change hotfix --duration 20m"
    assert f"{line} --at 2026-11-27T13:30:00Z" in text
    assert "/services/checkout" in {
        each.get("href") for each in Page(gate.get("/?service=checkout").text).named("a")
    }


def test_services_of_the_catalogue_are_suggested_and_else_those_that_were_asked_about(
    gate: TestClient, folder: Path
) -> None:
    def suggested() -> set[str | None]:
        return {each.get("value") for each in Page(gate.get("/").text).named("option")}

    gate.post("/can-deploy", json={"services": ["api", "web"]})
    assert {"checkout", "docs-site"} <= suggested()
    in_force(gate, folder, SOME)
    assert {"api", "web"} <= suggested()


def test_a_title_is_enough_to_freeze(gate: TestClient, proof: dict[str, str]) -> None:
    page = Page(gate.post("/dashboard/freezes", data={**proof, **INCIDENT}).text)
    (freeze,) = gate.get("/freezes").json()["freezes"]
    assert (freeze["title"], freeze["reason"]) == ("Payment incident", "Payment incident")
    assert (freeze["environments"], freeze["ends_at"]) == (["production"], "2026-11-27T15:05:00Z")
    assert "The freeze is active." in page.text
    told = "❄ Payment incident Frozen: everything in production Until Fri 27 Nov 16:05 CET By ops person"
    assert f"{told} http://testserver/#freezes" in page.text
    assert "The freeze is active." not in text_of(gate)


@pytest.mark.parametrize(
    ("lasts", "ends_at"),
    [("30m", "2026-11-27T13:35:00Z"), ("day", "2026-11-27T23:00:00Z"), ("lifted", None)],
)
def test_chips_say_until_when(
    gate: TestClient, proof: dict[str, str], lasts: str, ends_at: str | None
) -> None:
    gate.post("/dashboard/freezes", data={**proof, **INCIDENT, "lasts": lasts})
    (freeze,) = gate.get("/freezes").json()["freezes"]
    assert (freeze["ends_at"], freeze["open_ended"]) == (ends_at, ends_at is None)


def test_another_end_goes_before_the_chip(gate: TestClient, proof: dict[str, str]) -> None:
    gate.post("/dashboard/freezes", data={**proof, **INCIDENT, "ttl": "5h"})
    gate.post("/dashboard/freezes", data={**proof, **INCIDENT, "until": "2026-11-28T10:00"})
    ends = {each["ends_at"] for each in gate.get("/freezes").json()["freezes"]}
    assert ends == {"2026-11-27T18:05:00Z", "2026-11-28T09:00:00Z"}


@pytest.mark.parametrize("chosen", ["*", ["production", "staging"]])
def test_freezing_everything_is_confirmed(
    gate: TestClient, proof: dict[str, str], chosen: str | list[str]
) -> None:
    asked = gate.post("/dashboard/freezes", data={**proof, **INCIDENT, "environments": chosen})
    assert gate.get("/freezes").json()["freezes"] == []
    page = Page(asked.text)
    assert "Freeze everything? Payment incident No deploy to any of the 2 environments may start" in page.text
    assert "until Fri 27 Nov 16:05 CET. Deploys that are running stop" in page.text
    fields = [each for each in page.named("input") if each.get("type") == "hidden"]
    form = fields[1 : 1 + next(at for at, each in enumerate(fields[1:]) if each["name"] == "confirmed") + 1]
    data: dict[str, list[str]] = {}
    for each in form:
        data.setdefault(each["name"] or "", []).append(each["value"] or "")
    assert "The freeze is active." in Page(gate.post("/dashboard/freezes", data=data).text).text
    assert len(gate.get("/freezes").json()["freezes"]) == 1


def test_some_services_everywhere_are_not_everything(gate: TestClient, proof: dict[str, str]) -> None:
    gate.post("/dashboard/freezes", data={**proof, **INCIDENT, "environments": "*", "services": "checkout"})
    (freeze,) = gate.get("/freezes").json()["freezes"]
    assert (freeze["environments"], freeze["services"]) == (None, ["checkout"])


def test_lifting_is_undone_for_ten_minutes(gate: TestClient, proof: dict[str, str], clock: FakeClock) -> None:
    gate.post(
        "/dashboard/freezes", data={**proof, **INCIDENT, "contact": "#room", "exempt_changes": "rollback"}
    )
    (freeze,) = gate.get("/freezes").json()["freezes"]
    path = f"/dashboard/freezes/{freeze['id']}"
    assert gate.post(f"{path}/again", data=proof).status_code == 409, "it was not lifted"
    lifted = Page(gate.post(f"{path}/lift", data=proof).text).text
    assert "The freeze was lifted. Undo: freeze again" in lifted
    assert "Payment incident was lifted by ops person" in lifted
    again = Page(gate.post(f"{path}/again", data=proof).text).text
    assert "The freeze is active again." in again
    assert "was lifted by" not in again, "it is frozen again"
    (new,) = gate.get("/freezes").json()["freezes"]
    same = ("title", "reason", "contact", "environments", "exempt", "ends_at", "override", "running")
    assert {name: new[name] for name in same} == {name: freeze[name] for name in same}
    gate.post(f"/dashboard/freezes/{new['id']}/lift", data=proof)
    clock.at += 10 * MINUTE
    assert "was lifted by" not in text_of(gate)
    assert gate.post(f"/dashboard/freezes/{new['id']}/again", data=proof).status_code == 409


def test_a_chip_says_how_long_a_token_lives_unless_it_is_filled_in(
    gate: TestClient, proof: dict[str, str], keys: dict[str, str]
) -> None:
    wanted = {**proof, "services": "api-*", "environments": "staging", "reason": "Fix", "expires": "4h"}
    gate.cookies.clear()
    admin = key_for(gate, KeyRequest("root", Role.ADMIN))
    form = Page(gate.get("/dashboard/sign-in").text)
    reply = gate.post("/dashboard/sign-in", data={"proof": form.value("proof"), "key": admin})
    wanted["proof"] = Page(reply.text).value("proof")
    granted = Page(gate.post("/dashboard/overrides", data=wanted).text).text
    assert "freezegate check --claim SERVICE --environment staging" in granted
    gate.post("/dashboard/overrides", data={**wanted, "ttl": "90m"})
    listed = gate.get("/overrides", headers={"Authorization": f"Bearer {keys['ops']}"}).json()["overrides"]
    assert {each["expires_at"] for each in listed} == {"2026-11-27T17:05:00Z", "2026-11-27T14:35:00Z"}


def test_nothing_yet_says_how_to_begin(gate: TestClient, folder: Path, keys: dict[str, str]) -> None:
    in_force(gate, folder, "version: 1\npolicies: []\n")
    text = text_of(gate)
    assert "There are no policies: nothing is ever frozen." in text
    for told in (
        "freezegate init",
        "freezegate freeze start",
        "Sign in as ops to grant one.",
        "check --claim",
    ):
        assert told in text
    assert "freezegate init" in text_of(gate, "/dashboard/policies")
    form = Page(gate.get("/dashboard/sign-in").text)
    gate.post("/dashboard/sign-in", data={"proof": form.value("proof"), "key": keys["ops"]})
    assert "press “Freeze now” above: a title is enough" in text_of(gate)


def test_policies_are_for_those_who_may_look(gate: TestClient) -> None:
    assert re.search(r'aria-current="?page"?>Policies', gate.get("/dashboard/policies").text)


def as_team(
    gate: TestClient, services: tuple[str, ...] | None = None, tags: tuple[str, ...] | None = None
) -> tuple[Page, str]:
    """Sign in as ops of a team; the dashboard, and the proof of forms."""
    form = Page(gate.get("/dashboard/sign-in").text)
    key = key_for(gate, KeyRequest("team", Role.OPS, services=services, tags=tags))
    reply = gate.post("/dashboard/sign-in", data={"proof": form.value("proof"), "key": key})
    page = Page(reply.text)
    return page, page.value("proof")


def form_of(gate: TestClient, opened: str) -> str:
    """The markup of a form of ops."""
    return gate.get("/").text.partition(f'<details id="{opened}"')[2].partition("</form>")[0]


def test_a_role_of_a_team_is_offered_its_services_and_not_everything(gate: TestClient) -> None:
    page, _ = as_team(gate, services=("docs-*",))
    assert "Comma-separated. You may freeze the services docs-*." in page.text
    assert "You may grant for the services docs-*." in page.text
    assert "Everything" not in page.text
    assert "All 2 environments" in page.text
    for opened in ("start-freeze", "grant-override"):
        form = Page(form_of(gate, opened))
        assert {each.get("value") for each in form.named("option")} >= {"docs-site"}
        assert "checkout" not in {each.get("value") for each in form.named("option")}
    (field,) = [
        each for each in Page(form_of(gate, "start-freeze")).named("input") if each["name"] == "services"
    ]
    assert (field.get("value"), "required" in field) == ("docs-*", True)


def test_a_role_of_tags_freezes_by_them(gate: TestClient, folder: Path) -> None:
    in_force(gate, folder, policy_file(2, 5))
    page, proof = as_team(gate, tags=("team-search",))
    assert "You may freeze the services tagged team-search." in page.text
    freeze = Page(form_of(gate, "start-freeze"))
    fields = {str(each["name"]): each.get("value") for each in freeze.named("input")}
    assert fields["tags"] == "team-search"
    assert not fields["services"]
    assert [each["value"] for each in freeze.named("option")][:1] == ["search-api"]
    gate.post(
        "/dashboard/freezes", data={**INCIDENT, "proof": proof, "tags": "team-search", "environments": "*"}
    )
    assert [each["tags"] for each in gate.get("/freezes").json()["freezes"]] == [["team-search"]]


def test_a_role_of_a_team_is_refused_everything_without_being_asked(gate: TestClient) -> None:
    _, proof = as_team(gate, services=("docs-*",))
    reply = gate.post("/dashboard/freezes", data={**INCIDENT, "proof": proof, "environments": "*"})
    assert reply.status_code == 403
    assert "may act only on the services docs-*" in Page(reply.text).text
    assert "Freeze everything?" not in reply.text


def test_an_incident_stands_first_and_is_marked(
    gate: TestClient, folder: Path, proof: dict[str, str]
) -> None:
    rule = {"id": "closed", "title": "Books", "reason": "Counted.", "applies_to": {"environments": ["a"]}}
    in_force(
        gate, folder, policy_file(2, 0, [{**rule, "when": [{"always": True}]}]).replace("staging", "a", 1)
    )
    places = Page(gate.get("/").text).named("article")
    assert [each["class"] for each in places] == ["frozen-place"]
    gate.post("/dashboard/freezes", data={**proof, **INCIDENT})
    places = Page(gate.get("/").text).named("article")
    assert [each["class"] for each in places] == ["frozen-place incident", "frozen-place"]


def test_a_viewer_who_is_signed_in_is_not_told_to_sign_in(gate: TestClient) -> None:
    form = Page(gate.get("/dashboard/sign-in").text)
    key = key_for(gate, KeyRequest("looks", Role.VIEWER))
    gate.post("/dashboard/sign-in", data={"proof": form.value("proof"), "key": key})
    text = text_of(gate)
    assert "In an incident, a person with the role ops freezes here." in text
    assert "Ask a person with the role ops to grant one." in text
    assert "Sign in" not in text
