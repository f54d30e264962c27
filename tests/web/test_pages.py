"""The pages, over HTTP and without a browser: what they say, whom they obey, and what they never do."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from httpx2 import Response
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.explain import undirected
from app.core.instant import DAY
from app.gate.keys import KeyRequest
from app.gate.sessions import LIFETIME
from app.identity.caller import Role
from app.identity.credentials import digest
from app.main import create_app
from app.settings import Settings
from app.web.form_errors import FIELDS
from tests.api.conftest import bearer, key_for
from tests.api.fakes import FakeClock
from tests.gate.conftest import reload
from tests.hostile import HOSTILE
from tests.web.pages import Page

DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")

FREEZE = {
    "title": "Payment incident",
    "reason": "Cards fail.",
    "environments": "*",
    "confirmed": "yes",
    "ttl": "2h",
    "contact": "#incident-room",
}


def sign_in(gate: TestClient, key: str) -> Page:
    """Sign in as a person would; the dashboard that comes then."""
    form = Page(gate.get("/dashboard/sign-in").text)
    reply = gate.post("/dashboard/sign-in", data={"proof": form.value("proof"), "key": key})
    assert reply.status_code == 200, reply.text
    return Page(reply.text)


@pytest.fixture
def ops(gate: TestClient, keys: dict[str, str]) -> Page:
    return sign_in(gate, keys["ops"])


def test_a_frozen_environment_says_why_whom_to_ask_and_until_when(gate: TestClient) -> None:
    page = Page(gate.get("/").text)
    assert "production ❄FROZEN" in page.text
    assert "Nothing good happens after 14:00 on a Friday." in page.text
    assert "Ask #release-managers" in page.text
    assert "Opens in 2 d 17 h 55 min" in page.text
    assert "Mon 30 Nov 08:00 CET" in page.text
    assert "closes again Fri 4 Dec 14:00 CET" in page.text
    assert "staging ✓OPEN" in page.text
    assert page.unclosed == []


def test_an_open_environment_says_what_will_close_it(gate: TestClient, clock: FakeClock) -> None:
    clock.at -= DAY
    text = Page(gate.get("/").text).text
    assert "production ✓OPEN" in text
    assert "Fri 27 Nov 14:00 CET No deploys after Friday 14:00 and opens again" in text
    on_the_wall = Page(gate.get("/?wall").text).text
    assert (
        "production closes in 23 h 55 min Fri 27 Nov 14:00 CET No deploys after Friday 14:00" in on_the_wall
    )
    asked = Page(gate.get("/?service=api&environment=production").text).text
    assert "Closes Fri 27 Nov 14:00 CET, in 23 h 55 min: No deploys after Friday 14:00." in asked
    told = gate.get("/status").json()["environments"][0]
    assert [each["id"] for each in told["closing"]] == ["friday-afternoon"]
    assert told["message"].endswith("in 23 h 55 min: No deploys after Friday 14:00.")


def test_services_that_differ_stand_below_their_environment(gate: TestClient) -> None:
    page = Page(gate.get("/").text)
    assert "docs-site open in spite of No deploys after Friday 14:00 in production" in page.text


def test_the_policies_are_told_in_words_with_their_reasons(gate: TestClient) -> None:
    text = Page(gate.get("/dashboard/policies").text).text
    assert "every week from Friday 14:00 to Monday 08:00, Europe/Amsterdam time" in text
    assert "Somebody has to watch it." in text


def test_a_gate_without_policies_says_that_nothing_is_ever_frozen(folder: Path) -> None:
    (folder / "policies.yaml").write_text("version: 1\npolicies: []\n")
    settings = Settings(policies=folder / "policies.yaml")
    with TestClient(create_app(settings, clock=FakeClock(1_795_784_700))) as client:
        page = Page(client.get("/").text)
    assert "There are no policies: nothing is ever frozen." in page.text
    assert "production ✓OPEN" in page.text
    assert "No freezes of production in the next four weeks." in page.text


def test_a_degraded_gate_shows_what_it_remembers_and_says_so(gate: TestClient, folder: Path) -> None:
    refresh: Callable[[], Any] = gate.app.state.context.cache.refresh  # type: ignore[attr-defined]
    away = (folder / "gate.db").rename(folder / "away.db")
    assert gate.portal is not None
    gate.portal.call(refresh)
    text = Page(gate.get("/").text).text
    away.rename(folder / "gate.db")
    assert "production ❄FROZEN" in text
    assert "The store has not been reached since" in text
    assert "Not available: the database can't be reached." in text


def test_a_refused_policy_file_is_shown_with_its_problems(gate: TestClient, folder: Path) -> None:
    context = gate.app.state.context  # type: ignore[attr-defined]
    (folder / "policies.yaml").write_text("version: 1\npolcies: []\n")
    reload(context.policies, context.clock.now())
    text = Page(gate.get("/").text).text
    assert "The changed policy file was rejected. The previous policies stay in force." in text
    assert "did you mean" in text


def test_what_if_gives_the_answer_of_a_pipeline_and_its_curl(gate: TestClient) -> None:
    asked = {"service": "checkout", "environment": "production", "change": "rollback", "duration": "20m"}
    page = Page(gate.get("/", params={**asked, "at": "2026-11-27T14:30"}).text)
    assert "Yes checkout may be deployed to production." in page.text
    curl = re.search(r"curl -sS -H 'Accept: text/plain' '(\S+)'", page.text)
    assert curl is not None
    told = gate.get(curl[1]).json()
    assert (told["allowed"], told["at"], told["duration_s"]) == (True, "2026-11-27T13:30:00Z", 1200)
    denied = Page(gate.get("/", params={"service": "checkout", "at": "", "duration": ""}).text)
    assert "No checkout may not be deployed to production" in denied.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"service": "UPPER"}, "Service: a name is"),
        (
            {"service": "api", "environment": "moon"},
            "Environment: unknown environment; known: production",
        ),
        ({"service": "api", "change": "guess"}, "Kind of change: unknown change; known: normal"),
        ({"service": "api", "at": "yesterday"}, "When: write it as 2026-11-27T14:00"),
        ({"service": "api", "at": "2026-02-30T10:00"}, "When: write it as 2026-11-27T14:00"),
        (
            {"service": "api", "at": "1970-01-01T00:00:00Z"},
            "When: answers are given for the years 2000 to 2100",
        ),
        ({"service": "api", "duration": "soon"}, "Duration: "),
        ({"utm_source": "slack"}, "The page's address has an unknown parameter, which is ignored."),
        ({"of_outcome": "maybe"}, "Outcome: "),
    ],
)
def test_a_question_that_can_not_be_read_is_told_on_a_page_that_is_whole(
    gate: TestClient, query: dict[str, str], said: str
) -> None:
    reply = gate.get("/", params=query)
    page = Page(reply.text)
    assert reply.status_code in (200, 422)
    assert said in page.text
    assert reply.headers["content-type"].startswith("text/html")
    assert "production ❄FROZEN" in page.text
    assert not [each for each in page.named("div") if str(each.get("class")).startswith("answer")]
    for name in query.keys() & {"service", "at", "duration", "of_service"}:
        assert page.value(name) == query[name], "what was typed is kept"


def test_what_is_right_in_an_address_counts_beside_what_is_wrong(gate: TestClient) -> None:
    reply = gate.get("/?service=checkout&environment=staging&change=hotfix&utm_source=slack&of_outcome=deny")
    page = Page(reply.text)
    assert reply.status_code == 422
    assert "Yes checkout may be deployed to staging." in page.text
    assert "<option selected>staging</option>" in reply.text
    assert "<option selected>hotfix</option>" in reply.text
    repeated = Page(gate.get("/?service=a&service=b").text).text
    assert "The page's address is malformed: service is given more than once." in repeated
    assert "production ❄FROZEN" in repeated


CLAIMS = {
    ("checkout", "production"): "deny",
    ("docs-site", "production"): "allow",
    ("checkout", "staging"): "allow",
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", set(CLAIMS)),
        ("of_outcome=deny", {("checkout", "production")}),
        ("of_service=checkout", {("checkout", "production"), ("checkout", "staging")}),
        ("of_environment=production", {("checkout", "production"), ("docs-site", "production")}),
        ("of_service=checkout&of_environment=staging&of_outcome=", {("checkout", "staging")}),
    ],
)
def test_decisions_are_listed_and_filtered_by_each_field(
    gate: TestClient, query: str, expected: set[tuple[str, str]]
) -> None:
    for service, environment in CLAIMS:
        gate.post("/can-deploy", json={"service": service, "environment": environment, "actor": "ada"})
    listed = Page(gate.get(f"/?{query}").text).text
    assert {pair for pair in CLAIMS if f"{pair[0]} → {pair[1]} ada" in listed} == expected


def test_a_decision_says_who_really_asked_beside_who_was_named(
    gate: TestClient, keys: dict[str, str]
) -> None:
    claim = {"service": "checkout", "actor": "the boss"}
    gate.post("/can-deploy", json=claim, headers=bearer(keys["ci"]))
    gate.post("/can-deploy", json=claim)
    text = Page(gate.get("/").text).text
    assert text.count("checkout → production the boss") == 2
    assert "Asked byci person" in text
    assert "Asked byanonymous" in text


def test_approving_is_offered_to_those_whose_approval_is_asked_for(
    gate: TestClient, keys: dict[str, str], folder: Path
) -> None:
    (folder / "policies.yaml").write_text("version: 1\noverrides: {approvals: 2}\npolicies: []\n")
    context = gate.app.state.context  # type: ignore[attr-defined]
    reload(context.policies, context.clock.now())
    wanted = {"services": ["api"], "environments": ["production"], "reason": "Fix", "ttl": "1h"}
    own_id = gate.post("/overrides", json=wanted, headers=bearer(keys["ops"])).json()["id"]
    offer = f"/dashboard/overrides/{own_id}/approve"
    sign_in(gate, keys["ops"])
    assert offer not in gate.get("/").text
    gate.cookies.clear()
    sign_in(gate, keys["admin"])
    assert offer in gate.get("/").text
    gate.post(offer, data={"proof": Page(gate.get("/").text).value("proof")})
    assert offer not in gate.get("/").text, "once is enough"
    gate.cookies.clear()
    sign_in(gate, key_for(gate, KeyRequest("third person", Role.OPS)))
    assert offer in gate.get("/").text


def test_only_the_wall_loads_itself_again_without_javascript(gate: TestClient) -> None:
    assert [each["content"] for each in Page(gate.get("/?wall").text).named("meta") if "http-equiv" in each]
    page = Page(gate.get("/").text)
    assert not [each for each in page.named("meta") if "http-equiv" in each], "half a form would be gone"
    assert "This page is as of Fri 27 Nov 14:05 CET" in page.text


def test_every_page_has_the_strict_policy_and_loads_nothing_from_elsewhere(
    gate: TestClient, ops: Page
) -> None:
    for path in (
        "/",
        "/?wall",
        "/docs",
        "/dashboard/sign-in",
        "/dashboard/sessions",
        "/dashboard/insights",
        "/dashboard/policies/lunch",
        "/dashboard/year",
        "/dashboard/calendar",
        "/dashboard/past",
        "/dashboard/decisions",
    ):
        reply = gate.get(path)
        assert reply.status_code == 200, path
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "require-trusted-types-for 'script'" in policy
        assert reply.headers["cache-control"] == "no-store"
        page = Page(reply.text)
        for tag, attributes in page.elements:
            assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
            if tag in ("script", "link", "img", "use"):
                place = attributes.get("src") or attributes.get("href")
                assert place is not None
                assert place.startswith("/static/"), place
        assert not page.named("style")
        assert page.unclosed == []


def test_assets_are_kept_by_their_content(gate: TestClient) -> None:
    page = Page(gate.get("/").text)
    for place in {each["src"] for each in page.named("script")} | {
        each["href"] for each in page.named("link")
    }:
        assert place is not None
        reply = gate.get(place)
        assert reply.status_code == 200
        assert "immutable" in reply.headers["cache-control"]
    assert gate.get("/static/other.js").status_code == 404
    for version in ("", "?v=", "?v=garbage", "?w=1"):
        assert gate.get(f"/static/dashboard.js{version}").headers["cache-control"] == "no-cache"


def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_can_not_use(
    gate: TestClient, keys: dict[str, str]
) -> None:
    form = Page(gate.get("/dashboard/sign-in").text)
    reply = gate.post(
        "/dashboard/sign-in",
        data={"proof": form.value("proof"), "key": keys["ops"]},
        follow_redirects=False,
    )
    assert reply.status_code == 303
    session, told = sorted(_cookies(reply), key=lambda each: "freezegate_session=fzs_" not in each)
    assert {"httponly", "samesite=lax", "path=/"} <= set(session.lower().split("; "))
    assert {"httponly", "samesite=strict"} <= set(told.lower().split("; "))
    assert keys["ops"] not in gate.get("/").text


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_every_cookie_is_secure_where_the_gate_is_asked_by_https(
    gate: TestClient, keys: dict[str, str], scheme: str
) -> None:
    gate.base_url = gate.base_url.copy_with(scheme=scheme)
    asked = gate.get("/dashboard/sign-in")
    form = {"proof": Page(asked.text).value("proof"), "key": keys["ops"]}
    signed_in = gate.post("/dashboard/sign-in", data=form, follow_redirects=False)
    proof = {"proof": Page(gate.get("/").text).value("proof")}
    frozen = gate.post("/dashboard/freezes", data={**proof, **FREEZE}, follow_redirects=False)
    given = [cookie for reply in (asked, signed_in, frozen) for cookie in _cookies(reply)]
    assert len(given) == 4
    assert all(("secure" in cookie.lower().split("; ")) == (scheme == "https") for cookie in given), given


def _cookies(reply: Response) -> list[str]:
    return reply.headers.get_list("set-cookie")


def test_two_tabs_may_ask_to_sign_in_and_either_form_is_good(gate: TestClient, keys: dict[str, str]) -> None:
    first, second = (Page(gate.get("/dashboard/sign-in").text).value("proof") for _ in range(2))
    for proof in (first, second):
        reply = gate.post("/dashboard/sign-in", data={"proof": proof, "key": keys["ops"]})
        assert "You are signed in." in Page(reply.text).text


def test_what_a_form_did_is_said_once_and_no_link_can_claim_it(gate: TestClient, ops: Page) -> None:
    assert "You are signed in." in ops.text
    assert "You are signed in." not in gate.get("/").text
    claimed = gate.get("/?done=frozen").text
    assert "The freeze is active." not in claimed
    gate.cookies.set("freezegate_done", "<b>nonsense</b>", path="/")
    assert "nonsense" not in gate.get("/").text


def test_a_wrong_key_does_not_sign_in_and_tries_are_limited(gate: TestClient) -> None:
    statuses = []
    for _ in range(25):
        proof = Page(gate.get("/dashboard/sign-in").text).value("proof")
        statuses.append(
            gate.post("/dashboard/sign-in", data={"proof": proof, "key": "fzk_wrong"}).status_code
        )
    assert statuses[:20] == [401] * 20
    assert statuses[20:] == [429] * 5


def test_a_sign_in_from_elsewhere_is_refused(gate: TestClient, keys: dict[str, str]) -> None:
    gate.get("/dashboard/sign-in")
    for data in ({"key": keys["ops"]}, {"key": keys["ops"], "proof": "made-up"}):
        assert gate.post("/dashboard/sign-in", data=data).status_code == 403
    proof = Page(gate.get("/dashboard/sign-in").text).value("proof")
    crossing = {"Sec-Fetch-Site": "cross-site"}
    reply = gate.post("/dashboard/sign-in", data={"key": keys["ops"], "proof": proof}, headers=crossing)
    assert reply.status_code == 403
    gate.cookies.clear()
    assert gate.post("/dashboard/sign-in", data={"key": keys["ops"], "proof": proof}).status_code == 403


def test_ops_freeze_extend_and_lift_from_the_page(gate: TestClient, ops: Page) -> None:
    proof = {"proof": ops.value("proof")}
    frozen = gate.post("/dashboard/freezes", data={**proof, **FREEZE})
    assert "The freeze is active." in Page(frozen.text).text
    freeze = gate.get("/freezes").json()["freezes"][0]
    assert (freeze["title"], freeze["started_by"]) == ("Payment incident", "ops person")
    extended = gate.post(f"/dashboard/freezes/{freeze['id']}/extend", data={**proof, "ttl": "5h"})
    assert "The end of the freeze was moved." in Page(extended.text).text
    assert gate.get(f"/freezes/{freeze['id']}").json()["ends_at"] == "2026-11-27T18:05:00Z"
    given = {"title": "Payment incident", "reason": "Cards and wallets fail.", "override": "never"}
    changed = gate.post(f"/dashboard/freezes/{freeze['id']}/change", data={**proof, **given})
    assert "The freeze was changed." in Page(changed.text).text
    told = gate.get(f"/freezes/{freeze['id']}").json()
    assert (told["reason"], told["override"], told["contact"]) == ("Cards and wallets fail.", "never", None)
    assert told["ends_at"] == "2026-11-27T18:05:00Z"
    lifted = gate.post(f"/dashboard/freezes/{freeze['id']}/lift", data={**proof, "reason": "Cards work."})
    assert "The freeze was lifted." in Page(lifted.text).text
    told = gate.get(f"/freezes/{freeze['id']}").json()
    assert (told["state"], told["lift_reason"]) == ("lifted", "Cards work.")


def test_what_goes_on_is_ticked_or_named_in_the_form(gate: TestClient, ops: Page) -> None:
    data = {
        **FREEZE,
        "proof": ops.value("proof"),
        "exempt_changes": ["rollback", "hotfix"],
        "exempt_services": "docs-*, search",
    }
    page = Page(gate.post("/dashboard/freezes", data=data).text)
    (freeze,) = gate.get("/freezes").json()["freezes"]
    assert freeze["exempt"] == [{"changes": ["rollback", "hotfix"]}, {"services": ["docs-*", "search"]}]
    assert "Still allowed: rollback or hotfix changes; docs-* or search" in page.text
    again = gate.post("/dashboard/freezes", data={**data, "ttl": "soon"}).text
    assert re.search(r'name="exempt_changes" value="rollback" checked', again)
    assert 'value="docs-*, search"' in again


def test_every_screen_says_who_froze_since_when_and_whom_to_ask(gate: TestClient, ops: Page) -> None:
    gate.post("/dashboard/freezes", data={**FREEZE, "proof": ops.value("proof")})
    for path in ("/", "/?wall"):
        text = Page(gate.get(path).text).text
        assert "Started by ops person, Fri 27 Nov 14:05 CET" in text, path
        assert "Ask #incident-room" in text, path
    asked = Page(gate.get("/?service=api&environment=staging").text).text
    assert "Payment incident (started by ops person Fri 27 Nov 14:05 CET; ask #incident-room)." in asked


def test_a_freeze_that_is_to_come_is_not_said_to_be_on(gate: TestClient, ops: Page) -> None:
    data = {"proof": ops.value("proof"), **FREEZE, "starts_at": "2026-11-28T14:00"}
    text = Page(gate.post("/dashboard/freezes", data=data).text).text
    assert "The freeze is scheduled." in text
    assert "The freeze is active." not in text


def test_the_page_after_a_form_shows_what_it_did(gate: TestClient, ops: Page, keys: dict[str, str]) -> None:
    proof = {"proof": ops.value("proof")}
    wanted = {"services": ["checkout"], "environments": ["production"], "reason": "Fix", "ttl": "1h"}
    made = [gate.post("/overrides", json=wanted, headers=bearer(keys["ops"])).json()["id"] for _ in range(6)]
    # All in one second of the clock, and faster than the replica looks at the store by itself.
    for override_id in made:
        page = gate.post(f"/dashboard/overrides/{override_id}/revoke", data=proof).text
        assert "The override was revoked." in page
        assert f"/overrides/{override_id}/revoke" not in page


def test_the_page_after_a_form_shows_what_it_did_whichever_replica_gives_it(
    gate: TestClient, ops: Page, folder: Path, clock: FakeClock
) -> None:
    settings = Settings(
        policies=folder / "policies.yaml", database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}")
    )
    with TestClient(create_app(settings, clock=clock)) as other:
        data = {"proof": ops.value("proof"), **FREEZE, "environments": "staging"}
        gate.post("/dashboard/freezes", data=data, follow_redirects=False)
        other.cookies.update(gate.cookies)
        page = Page(other.get("/").text).text
    assert "The freeze is active." in page
    assert "staging ❄FROZEN" in page


def test_ops_grant_and_revoke_from_the_page_and_the_token_is_shown_once(
    gate: TestClient, ops: Page, keys: dict[str, str]
) -> None:
    proof = {"proof": ops.value("proof")}
    wanted = {"services": "checkout, api", "environments": "production", "reason": "Payment fix", "ttl": "1h"}
    reply = gate.post("/dashboard/overrides", data={**proof, **wanted, "max_uses": "2", "policies": ""})
    assert reply.status_code == 200
    token = re.search(r"fzo_\w+", reply.text)
    assert token is not None
    assert token[0] not in str(reply.url)
    again = gate.get(reply.url.path).text
    assert "fzo_" not in again
    assert "The token was shown once" in again
    line = f"FREEZEGATE_OVERRIDE_TOKEN={token[0]} freezegate check --claim checkout --environment production"
    assert f"{line} --server http://testserver" in Page(reply.text).text
    assert f"-H 'X-Override-Token: {token[0]}'" in Page(reply.text).text
    shown = " ".join(Page(gate.get("/", headers=bearer(keys["ops"])).text).text.split())
    assert "checkout, api → production · 2 uses left · granted by" in shown
    (granted,) = gate.get("/overrides", headers=bearer(keys["ops"])).json()["overrides"]
    assert (granted["services"], granted["max_uses"]) == (["checkout", "api"], 2)
    listed = gate.get("/").text
    assert "Payment fix" in listed
    assert "fzo_" not in listed
    claimed = gate.post("/can-deploy", json={"service": "api"}, headers={"X-Override-Token": token[0]})
    assert claimed.json()["outcome"] == "override"
    revoked = gate.post(f"/dashboard/overrides/{granted['id']}/revoke", data=proof)
    assert "The override was revoked." in Page(revoked.text).text


def test_a_token_for_later_and_one_ref_is_granted_from_the_page(gate: TestClient, ops: Page) -> None:
    wanted = {"services": "api", "environments": "production", "reason": "Acquirer", "ttl": "4h"}
    wanted |= {"starts_at": "2026-11-28T22:00", "ref": "v1.4.2", "ticket": "CHG-17", "max_uses": "1"}
    reply = gate.post("/dashboard/overrides", data={"proof": ops.value("proof"), **wanted})
    granted = " ".join(Page(reply.text).text.split())
    for told in (
        "only v1.4.2",
        "StartsSat 28 Nov 22:00 CET",
        "ExpiresSun 29 Nov 02:00 CET",
        "--ref v1.4.2",
    ):
        assert told in granted
    shown = " ".join(Page(gate.get("/").text).text.split())
    assert "Acquirer scheduled" in shown
    assert "only the ref v1.4.2. Starts in 1 d 7 h 55 min, Sat 28 Nov 22:00 CET." in shown


def test_a_freeze_that_lets_running_deploys_finish_says_so(gate: TestClient, ops: Page) -> None:
    proof = {"proof": ops.value("proof")}
    gate.post("/dashboard/freezes", data={**proof, **FREEZE, "running": "finish"})
    assert "running deploys may finish" in Page(gate.get("/").text).text
    (own_id,) = [each["id"] for each in gate.get("/freezes").json()["freezes"]]
    change = {"title": "x", "reason": "x", "running": "stop"}
    gate.post(f"/dashboard/freezes/{own_id}/change", data={**proof, **change})
    assert gate.get(f"/freezes/{own_id}").json()["running"] == "stop"
    assert "; running deploys may finish" not in Page(gate.get("/").text).text


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("/dashboard/freezes", {**FREEZE, "until": "2027-01-01T00:00"}, 422),
        ("/dashboard/freezes", {**FREEZE, "surprise": "1"}, 422),
        ("/dashboard/freezes", {"title": "x"}, 422),
        ("/dashboard/freezes/frz_nothing/lift", {}, 404),
        ("/dashboard/holds/hld_nothing/cancel", {}, 404),
        ("/dashboard/freezes/.../lift", {}, 404),
        ("/dashboard/overrides", {"services": "api", "environments": "production"}, 422),
        ("/dashboard/overrides", {"max_uses": "many"}, 422),
        ("/dashboard/overrides/ovr_nothing/approve", {}, 404),
        ("/dashboard/sessions/ses_nothing/revoke", {}, 404),
    ],
)
def test_what_can_not_be_done_is_told_on_a_page(
    gate: TestClient, ops: Page, path: str, data: dict[str, str], status: int
) -> None:
    reply = gate.post(path, data={**data, "proof": ops.value("proof")})
    assert reply.status_code == status
    shown = Page(reply.text).text.partition("Sign out")[2].strip()
    assert shown.startswith(
        (f"Error {status} Request failed", "Not frozen", "Not granted", f"Error {status} Not found")
    )


def errors_of(page: Page, html: str) -> dict[str, str]:
    """The errors beside the fields of a form, by field; each field must name its own."""
    texts = {
        own_id: Page(text).text
        for own_id, text in re.findall(r'<p class="wrong[^>]*id="([^"]+)">(.*?)</p>', html)
    }
    described = {
        name: next(iter((each.get("aria-describedby") or "").split()), "")
        for each in page.named("input")
        if "aria-invalid" in each and (name := each.get("name"))
    }
    group = {own_id.removesuffix("-error"): own_id for own_id in texts}
    return {name: texts[described[name] or group[name]] for name in described}


def test_a_field_that_no_form_has_is_refused(gate: TestClient, ops: Page) -> None:
    written = {"exempt": "docs", **FREEZE, "exempt_services": "docs"}
    assert gate.post("/dashboard/freezes", data={**written, "proof": ops.value("proof")}).status_code == 422


@pytest.mark.parametrize(
    ("path", "data", "field", "told"),
    [
        ("/dashboard/freezes", {**FREEZE, "ttl": "soon"}, "ttl", "not a duration such as"),
        (
            "/dashboard/freezes",
            {"title": "x", "reason": "y", "environments": "*"},
            "lasts",
            "Choose how long it lasts",
        ),
        ("/dashboard/freezes", {**FREEZE, "environments": "moon"}, "environments", "unknown environment"),
        (
            "/dashboard/freezes",
            {**FREEZE, "exempt_services": "A!", "exempt_changes": "rollback"},
            "exempt_services",
            "a name is",
        ),
        (
            "/dashboard/freezes",
            {**FREEZE, "starts_at": "yesterday"},
            "starts_at",
            "write it as 2026-11-27T14:00",
        ),
        ("/dashboard/freezes", {**FREEZE, "starts_at": "2026-01-01T00:00"}, "starts_at", "lies in the past"),
        ("/dashboard/freezes/frz_1/extend", {"ttl": "-2h"}, "ttl", "not a duration such as"),
        ("/dashboard/freezes/frz_1/extend", {}, "ttl", "Fill this in."),
        (
            "/dashboard/overrides",
            {"services": "api", "ttl": "99d", "reason": "Fix"},
            "environments",
            "Choose at least one.",
        ),
        ("/dashboard/overrides", {"max_uses": "many", "reason": "Fix"}, "max_uses", "must be a whole number"),
        (
            "/dashboard/overrides",
            {"services": "api", "environments": "staging", "reason": "Fix", "ttl": "90d"},
            "ttl",
            "a token may live for",
        ),
        (
            "/dashboard/overrides",
            {"services": "api", "environments": "staging", "reason": "Fix"},
            "expires",
            "Choose after how long it expires",
        ),
    ],
)
def test_a_form_that_is_refused_comes_back_filled_in_with_its_errors_beside_their_fields(
    gate: TestClient, ops: Page, path: str, data: dict[str, str], field: str, told: str
) -> None:
    reply = gate.post(path, data={**data, "proof": ops.value("proof")})
    page = Page(reply.text)
    assert reply.status_code == 422
    assert page.unclosed == []
    errors = errors_of(page, reply.text)
    assert told in errors[field]
    focused = [each.get("name") for each in page.named("input") if "autofocus" in each]
    assert focused == [next(iter(errors))], "the focus goes to the first of them"
    assert path in {form.get("action") for form in page.named("form")}
    for name, value in data.items():
        if name == "confirmed":
            continue  # what is changed is to be confirmed again
        # What is no environment has no box to be ticked.
        assert page.filled(name) == value.replace("moon", "")
    again = gate.post(path, data={"proof": page.value("proof")})
    assert again.status_code == 422, "the form that comes back is as good as the one before"


def test_all_errors_of_a_freeze_are_told_at_once_each_beside_its_own_field(
    gate: TestClient, ops: Page
) -> None:
    data = {"proof": ops.value("proof"), **FREEZE}
    wrong = {"environments": "", "ttl": "soon", "exempt_changes": ["rollback", "A!"], "exempt_services": "B!"}
    html = gate.post("/dashboard/freezes", data={**data, **wrong}).text
    errors = errors_of(Page(html), html)
    assert list(errors) == ["environments", "ttl", "exempt_services", "exempt_changes"]
    # Which entry of the API's list it is says nothing to those who see a form.
    assert errors["exempt_services"].startswith("a name is")
    assert errors["exempt_changes"].startswith("a name is")
    html = gate.post("/dashboard/freezes", data={**data, "exempt_changes": "nope"}).text
    (error,) = errors_of(Page(html), html).items()
    assert error[0] == "exempt_changes"
    assert error[1].startswith("unknown kind of change")


def test_an_error_that_is_about_no_field_stands_above_the_form(gate: TestClient, ops: Page) -> None:
    data = {"services": "*", "environments": "staging", "reason": "Fix", "ttl": "1h"}
    reply = gate.post("/dashboard/overrides", data={**data, "proof": ops.value("proof")})
    page = Page(reply.text)
    assert reply.status_code == 403
    assert "admin" in page.text.partition("Sign out Not granted")[2].partition("Services Comma")[0]
    assert errors_of(page, reply.text) == {}


def test_every_field_that_can_be_wrong_is_on_its_form(gate: TestClient, ops: Page) -> None:
    frozen = gate.post("/dashboard/freezes", data={**FREEZE, "proof": ops.value("proof")}).text
    fields = {each.get("name") for each in Page(frozen).named("input")}
    for names in FIELDS.values():
        assert fields >= set(names)


def test_a_token_is_shown_to_nobody_but_who_granted_it_and_on_its_own_page_only(
    gate: TestClient, ops: Page, keys: dict[str, str]
) -> None:
    wanted = {"services": "api", "environments": "production", "reason": "Fix", "ttl": "1h"}
    data = {"proof": ops.value("proof"), **wanted}
    first, second = (gate.post("/dashboard/overrides", data=data, follow_redirects=False) for _ in range(2))
    place = first.headers["location"]
    (cookie,) = _cookies(first)
    assert {f"Path={place}", "HttpOnly", "Max-Age=60", "SameSite=strict"} <= set(cookie.split("; "))
    assert re.search(r"fzo_\w+", first.text) is None
    others = re.search(r"fzo_\w+", str(_cookies(second)))
    assert others is not None
    session = gate.cookies["freezegate_session"]
    planted = {"Cookie": f"freezegate_session={session}; freezegate_token={others[0]}"}
    gate.cookies.clear()
    assert "fzo_" not in gate.get(place, headers=planted).text
    assert "The token was shown once" in gate.get(place, headers=planted).text
    gate.cookies.set("freezegate_session", session)
    assert gate.get("/dashboard/overrides/ovr_nothing/granted").status_code == 404
    gate.cookies.clear()
    assert gate.get(place, follow_redirects=False).headers["location"] == "/dashboard/sign-in"
    sign_in(gate, keys["viewer"])
    assert gate.get(place).status_code == 403


FORMS = [
    "/dashboard/freezes",
    "/dashboard/freezes/frz_1/change",
    "/dashboard/freezes/frz_1/extend",
    "/dashboard/freezes/frz_1/lift",
    "/dashboard/overrides",
    "/dashboard/overrides/ovr_1/approve",
    "/dashboard/overrides/ovr_1/revoke",
    "/dashboard/holds/hld_1/cancel",
    "/dashboard/sign-out",
    "/dashboard/sessions/ses_1/revoke",
]


@pytest.mark.parametrize("path", FORMS)
def test_no_form_is_taken_without_a_session_a_proof_and_the_same_site(
    gate: TestClient, keys: dict[str, str], path: str
) -> None:
    assert gate.post(path, data=FREEZE).status_code == 401
    assert gate.post(path, data=FREEZE, headers=bearer(keys["admin"])).status_code == 401
    proof = sign_in(gate, keys["admin"]).value("proof")
    assert gate.post(path, data=FREEZE).status_code == 403
    assert gate.post(path, data={**FREEZE, "proof": proof[::-1]}).status_code == 403
    crossing = {"Sec-Fetch-Site": "cross-site"}
    assert gate.post(path, data={**FREEZE, "proof": proof}, headers=crossing).status_code == 403
    assert gate.post(path, json={**FREEZE, "proof": proof}).status_code == 415
    assert gate.get("/freezes").json()["freezes"] == []


@pytest.mark.parametrize("path", FORMS[:6])
def test_operations_are_for_ops(gate: TestClient, keys: dict[str, str], path: str) -> None:
    proof = sign_in(gate, keys["ci"]).value("proof")
    assert gate.post(path, data={"proof": proof}).status_code == 403
    assert "Freeze now" not in gate.get("/").text


def test_a_cookie_is_no_credential_for_the_api_where_something_is_changed(
    gate: TestClient, ops: Page
) -> None:
    assert gate.get("/overrides").status_code == 200
    freeze = {"title": "t", "reason": "r", "ttl": "1h"}
    assert gate.post("/freezes", json=freeze).status_code == 401
    assert gate.post("/overrides/ovr_1/approve", json={}).status_code == 401
    assert gate.delete("/overrides/ovr_1").status_code == 401


def test_every_page_says_who_is_signed_in(gate: TestClient, ops: Page) -> None:
    for path in ("/", "/docs", "/dashboard/insights", "/dashboard/sessions", "/dashboard/insights?days=7"):
        page = Page(gate.get(path).text)
        assert "ops person ops" in page.text, path
        assert "Sign out" in page.text, path
    refused = gate.post("/dashboard/freezes/frz_nothing/lift", data={"proof": ops.value("proof")})
    assert "ops person ops" in Page(refused.text).text
    gate.cookies.clear()
    for path in ("/docs", "/dashboard/insights?days=7"):
        assert "ops person" not in Page(gate.get(path).text).text
    gate.cookies.set("freezegate_session", "fzs_made-up")
    assert "Sign in" in Page(gate.get("/docs").text).text


def test_sessions_are_listed_and_revoked(
    gate: TestClient, keys: dict[str, str], clock: FakeClock, ops: Page
) -> None:
    first = dict(gate.cookies)
    gate.cookies.clear()
    clock.at += 1
    proof = sign_in(gate, keys["ops"]).value("proof")
    listed = gate.get("/dashboard/sessions").text
    assert listed.count("<strong><bdi>ops person</bdi></strong>") == 2
    sessions = re.findall(r"/dashboard/sessions/(ses_\w+)/revoke", listed)
    gate.post(f"/dashboard/sessions/{sessions[1]}/revoke", data={"proof": proof})
    gate.cookies.clear()
    gate.cookies.update(first)
    assert "Freeze now" not in gate.get("/").text
    assert "fzs_" not in listed


def test_an_admin_sees_everybodys_sessions_and_others_only_their_own(
    gate: TestClient, keys: dict[str, str], ops: Page
) -> None:
    gate.cookies.clear()
    sign_in(gate, keys["viewer"])
    assert "ops person" not in gate.get("/dashboard/sessions").text
    gate.cookies.clear()
    sign_in(gate, keys["admin"])
    assert "ops person" in gate.get("/dashboard/sessions").text


def test_a_session_ends_with_its_key_its_time_and_signing_out(
    gate: TestClient, keys: dict[str, str], clock: FakeClock, ops: Page
) -> None:
    assert "Freeze now" in gate.get("/").text
    clock.at += LIFETIME
    assert "Freeze now" not in gate.get("/").text
    page = sign_in(gate, keys["ops"])
    kept = dict(gate.cookies)
    assert "Freeze now" in page.text
    gate.post("/dashboard/sign-out", data={"proof": page.value("proof")})
    gate.cookies.update(kept)
    assert "Freeze now" not in gate.get("/").text
    sign_in(gate, keys["ops"])
    context = gate.app.state.context  # type: ignore[attr-defined]
    known = context.gate._store.query(lambda view: view.keys())
    own = next(each for each in known if each.name == "ops person")
    context.gate._store.transact(lambda transaction: transaction.revoke_key(own.id, clock.at))
    context.cache.load()
    assert "Freeze now" not in gate.get("/").text


def test_signing_in_and_out_goes_into_the_record(gate: TestClient, keys: dict[str, str], ops: Page) -> None:
    gate.post("/dashboard/sign-out", data={"proof": ops.value("proof")})
    events = gate.get("/audit", headers=bearer(keys["admin"])).json()["events"]
    kinds = [(event["kind"], event["actor"]) for event in events]
    assert kinds[:2] == [("session-closed", "ops person"), ("session-opened", "ops person")]


def test_where_nobody_may_look_without_credentials_the_dashboard_asks_to_sign_in(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text("version: 1\npolicies: []\n")
    settings = Settings(
        policies=tmp_path / "policies.yaml",
        database_url=SecretStr(f"sqlite:///{tmp_path / 'gate.db'}"),
        anonymous_role="none",
    )
    with TestClient(create_app(settings, clock=FakeClock(1_795_784_700))) as client:
        reply = client.get("/")
        assert reply.url.path == "/dashboard/sign-in"
        assert client.get("/status").status_code == 401
        sign_in(client, key_for(client, KeyRequest("somebody", Role.VIEWER)))
        assert "OPEN" in client.get("/").text
        assert client.get("/status").status_code == 200
        assert client.get("/can-deploy?service=api").status_code == 200
        client.cookies.clear()
        assert client.get("/can-deploy?service=api").status_code == 401


def test_while_the_store_is_away_who_has_signed_in_sees_on_and_nobody_is_sent_away(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text("version: 1\npolicies: []\n")
    settings = Settings(policies=tmp_path / "policies.yaml", anonymous_role="none")
    with TestClient(create_app(settings, clock=FakeClock(1_795_784_700))) as client:
        key = key_for(client, KeyRequest("somebody", Role.OPS))
        sign_in(client, key)
        unseen = dict(client.cookies)
        client.cookies.clear()
        proof = sign_in(client, key).value("proof")
        client.app.state.context.sessions._seen.pop(digest(unseen["freezegate_session"]))  # type: ignore[attr-defined]
        (tmp_path / "freezegate.db").rename(tmp_path / "away.db")
        assert client.portal is not None
        refresh: Callable[[], Any] = client.app.state.context.cache.refresh  # type: ignore[attr-defined]
        client.portal.call(refresh)
        reply = client.get("/", follow_redirects=False)
        assert reply.status_code == 200
        assert "The store has not been reached since" in Page(reply.text).text
        assert client.get("/status").status_code == 200
        refused = client.post("/dashboard/freezes", data={**FREEZE, "proof": proof})
        assert refused.status_code == 503
        client.cookies.clear()
        client.cookies.update(unseen)
        away = client.get("/", follow_redirects=False)
        assert (away.status_code, away.headers["retry-after"]) == (503, "2")
        (tmp_path / "away.db").rename(tmp_path / "freezegate.db")
        assert client.get("/", follow_redirects=False).status_code == 200


def test_a_session_that_can_not_be_looked_up_keeps_nobody_from_what_anybody_may_see(
    gate: TestClient, folder: Path, ops: Page
) -> None:
    gate.app.state.context.sessions._seen.clear()  # type: ignore[attr-defined]
    away = (folder / "gate.db").rename(folder / "away.db")
    reply = gate.get("/")
    away.rename(folder / "gate.db")
    assert reply.status_code == 200
    assert "Freeze now" not in reply.text


def test_the_documents_name_every_route_and_load_no_script(gate: TestClient) -> None:
    page = Page(gate.get("/docs").text)
    document = gate.get("/openapi.json").json()
    for path in document["paths"]:
        assert path in page.text
    assert not page.named("script")
    assert "X-Override-Token" in page.text


# Each page and form and who may use it: written down here by hand, so that what is there is held against it.
PAGES = {
    "GET /": "viewer",
    "GET /docs": "anyone",
    "GET /openapi.json": "anyone",
    "GET /static/{name}": "anyone",
    "GET /dashboard/insights": "viewer",
    "GET /dashboard/policies": "viewer",
    "GET /dashboard/policies/{policy_id}": "viewer",
    "GET /dashboard/propose": "viewer",
    "POST /dashboard/propose": "viewer",
    "GET /dashboard/year": "viewer",
    "GET /dashboard/calendar": "viewer",
    "GET /dashboard/past": "viewer",
    "GET /dashboard/decisions": "viewer",
    "GET /dashboard/decisions/{decision_id}": "viewer",
    "GET /services": "viewer",
    "GET /services/{name:path}": "viewer",
    "GET /dashboard/sign-in": "anyone",
    "POST /dashboard/sign-in": "anyone",
    "GET /dashboard/sign-in/{issuer_id}": "anyone",
    "GET /dashboard/sign-in/{issuer_id}/callback": "anyone",
    "GET /dashboard/signed-out": "anyone",
    "POST /dashboard/sign-out": "viewer",
    "GET /dashboard/sessions": "viewer",
    "POST /dashboard/sessions/{session_id}/revoke": "viewer",
    "POST /dashboard/overrides": "ops",
    "GET /dashboard/overrides/{override_id}/granted": "ops",
    "POST /dashboard/overrides/{override_id}/approve": "ops",
    "POST /dashboard/overrides/{override_id}/revoke": "ops",
    "POST /dashboard/freezes": "ops",
    "POST /dashboard/freezes/{freeze_id}/change": "ops",
    "POST /dashboard/freezes/{freeze_id}/extend": "ops",
    "POST /dashboard/freezes/{freeze_id}/lift": "ops",
    "POST /dashboard/freezes/{freeze_id}/again": "ops",
    "POST /dashboard/holds/{hold_id}/cancel": "ops",
}


def test_every_route_outside_the_api_document_has_a_row(gate: TestClient) -> None:
    documented = {
        f"{method.upper()} {path}"
        for path, methods in gate.get("/openapi.json").json()["paths"].items()
        for method in methods
    }
    there = {
        f"{method} {route.path}"
        for route in iter_route_contexts(gate.app.routes)  # type: ignore[attr-defined]
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert there - documented == PAGES.keys()


@pytest.mark.parametrize("page", [name for name, role in PAGES.items() if role != "anyone"])
def test_no_page_is_for_anybody_where_the_settings_say_so(tmp_path: Path, page: str) -> None:
    (tmp_path / "policies.yaml").write_text("version: 1\npolicies: []\n")
    settings = Settings(policies=tmp_path / "policies.yaml", anonymous_role="none")
    method, path = page.split()
    with TestClient(create_app(settings, clock=FakeClock(1_795_784_700))) as client:
        reply = client.request(method, re.sub(r"\{[\w:]+\}", "nothing", path), follow_redirects=False)
        assert reply.status_code == (401 if method == "POST" else 303)
        assert method == "POST" or reply.headers["location"] == "/dashboard/sign-in"


def test_hostile_texts_stay_texts_on_the_page(
    gate: TestClient, keys: dict[str, str], clock: FakeClock
) -> None:
    plain = [
        tag for tag, _ in Page(gate.get("/").text).elements if tag in ("script", "iframe", "base", "style")
    ]
    ops = bearer(keys["ops"])
    for start in range(0, len(HOSTILE), 20):
        texts = HOSTILE[start : start + 20]
        for text in texts:
            gate.post("/can-deploy", json={"service": "api", "actor": text, "ref": text})
        freezes = [
            gate.post(
                "/freezes",
                json={"title": text, "reason": text, "contact": text, "services": ["docs-site"], "ttl": "1h"},
                headers=ops,
            )
            for text in texts
        ]
        clock.at += 1
        reply = gate.get("/")
        assert not DIRECTIONS.search(reply.text)
        page = Page(reply.text)
        assert page.unclosed == []
        assert [tag for tag, _ in page.elements if tag in ("script", "iframe", "base", "style")] == plain
        for tag, attributes in page.elements:
            assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
            assert not str(attributes.get("href", "")).startswith(("javascript:", "data:", "//")), attributes
        written = "".join(page.words)
        isolated = [each.strip() for each in page.isolated]
        for text, reply in zip(texts, freezes, strict=True):
            assert reply.status_code == 201, text
            cleaned = undirected(text).strip()
            # As title, reason and contact of the freeze, as actor and ref of the decision.
            assert isolated.count(cleaned) >= 5, text
            assert cleaned in written
            gate.delete(f"/freezes/{reply.json()['id']}", headers=ops)


BY_SOMEBODY = """\
version: 1
environments: [production]
policies:
  - id: frozen
    title: "ABC\u202e."
    reason: "ABC\u202b"
    contact: "ABC\u2067"
    when: [{always: true}]
  - id: warning
    title: "ABC\u202e"
    reason: "ABC\u202e"
    contact: "ABC\u2069\u202e"
    effect: warn
    when: [{always: true}]
  - id: coming
    title: "ABC\u202e"
    reason: "ABC\u202e"
    when: [{yearly: {from: 12-01, to: 12-02}}]
"""


def test_no_text_of_somebodys_turns_round_the_words_beside_it(
    gate: TestClient, folder: Path, keys: dict[str, str]
) -> None:
    context = gate.app.state.context  # type: ignore[attr-defined]
    (folder / "policies.yaml").write_text(BY_SOMEBODY)
    reload(context.policies, context.clock.now())
    assert context.policies.last_error is None
    text = "ABC\u202e"
    admin = bearer(key_for(gate, KeyRequest("ABC", Role.ADMIN)))
    freeze = {"title": text, "reason": text, "contact": text, "open_ended": True}
    gate.post("/freezes", json={**freeze, "starts_at": "2026-11-25T00:00:00Z"}, headers=admin)
    wanted = {
        "services": ["api"],
        "environments": ["production"],
        "reason": text,
        "ticket": text,
        "ttl": "1h",
    }
    token = gate.post("/overrides", json=wanted, headers=admin).json()["token"]
    claimed = gate.post(
        "/can-deploy",
        json={"service": "api", "actor": text, "ref": text},
        headers={"X-Override-Token": token},
    ).json()
    gate.post("/can-deploy", json={"service": "api", "actor": text, "ref": text, "run_url": text})
    outcome = {"result": "failed", "incident": text}
    gate.post(f"/decisions/{claimed['decision_id']}/outcome", json=outcome, headers=admin)
    (folder / "policies.yaml").write_text(BY_SOMEBODY.replace("when", "ABC\u202e"))
    reload(context.policies, context.clock.now())
    sign_in(gate, key_for(gate, KeyRequest("ABC again", Role.ADMIN)))
    for path in ("/", "/?wall", "/?service=api", "/dashboard/insights", "/dashboard/sessions", "/docs"):
        reply = gate.get(path)
        assert not DIRECTIONS.search(reply.text), path
        page = Page(reply.text)
        assert any("ABC" in each for each in page.isolated), path
        assert not [each for each in page.exposed if "ABC" in each], path


def test_a_policy_of_another_zone_tells_the_time_there(gate: TestClient, folder: Path) -> None:
    context = gate.app.state.context  # type: ignore[attr-defined]
    (folder / "policies.yaml").write_text(
        "version: 1\ntimezone: Europe/Amsterdam\npolicies:\n"
        "  - {id: ny, title: New York wakes up, reason: x, timezone: America/New_York, "
        "when: [{daily: {from: '08:00', to: '10:00'}}]}\n"
        "  - {id: ny-2, title: New York trades, reason: x, timezone: America/New_York, "
        "when: [{daily: {from: '11:00', to: '16:00'}}]}\n"
    )
    reload(context.policies, context.clock.now())
    text = Page(gate.get("/").text).text
    assert "Opens in 1 h 55 min Fri 27 Nov 10:00 EST and closes again Fri 27 Nov 11:00 EST" in text
    assert "New York trades in 2 h 55 min Fri 27 Nov 11:00 EST to Fri 27 Nov 16:00 EST" in text
    labels = [
        each["aria-label"] or "" for each in Page(gate.get("/").text).named("g") if "aria-label" in each
    ]
    assert labels[0] == "New York wakes up: from Fri 27 Nov 08:00 EST to Fri 27 Nov 10:00 EST. x"
    assert "opens in 1 h 55 min Fri 27 Nov 10:00 EST" in Page(gate.get("/?wall").text).text


def test_a_warning_says_whom_to_ask_and_where_to_read_more(gate: TestClient, folder: Path) -> None:
    context = gate.app.state.context  # type: ignore[attr-defined]
    (folder / "policies.yaml").write_text(
        "version: 1\npolicies:\n  - {id: late, title: It is late, reason: Nobody watches., effect: warn, "
        "contact: '#oncall', link: 'https://example.org/late', when: [{always: true}]}\n"
    )
    reload(context.policies, context.clock.now())
    page = Page(gate.get("/").text)
    assert "production ✓OPEN warning It is late: Nobody watches. Ask #oncall · Read more" in page.text
    assert "https://example.org/late" in [each.get("href") for each in page.named("a")]
    assert "It is late Nobody watches. Ask #oncall" in Page(gate.get("/?wall").text).text


def test_what_is_wrong_with_the_gate_is_shown_on_the_wall_as_well(gate: TestClient, folder: Path) -> None:
    context = gate.app.state.context  # type: ignore[attr-defined]
    (folder / "policies.yaml").write_text("version: 1\npolicies: []\n")
    reload(context.policies, context.clock.now())
    (folder / "policies.yaml").write_text("version: 1\npolcies: []\n")
    reload(context.policies, context.clock.now())
    for path in ("/", "/?wall"):
        text = Page(gate.get(path).text).text
        assert "There are no policies: nothing is ever frozen." in text
        assert "The changed policy file was rejected. The previous policies stay in force." in text
        assert "did you mean" in text


def test_what_ops_do_stands_before_everything_else(gate: TestClient, ops: Page) -> None:
    text = Page(gate.get("/").text).text
    assert text.index("Freeze now") < text.index("production ❄FROZEN")
    assert text.index("Grant an override") < text.index("production ❄FROZEN")


def test_environments_are_ticked(gate: TestClient, ops: Page, keys: dict[str, str]) -> None:
    boxes = [each for each in Page(gate.get("/").text).named("input") if each.get("name") == "environments"]
    assert [(each["value"], "checked" in each) for each in boxes] == [
        ("*", False),
        ("production", True),
        ("staging", False),
        ("production", True),
        ("staging", False),
    ]
    form = {**FREEZE, "proof": ops.value("proof")}
    gate.post("/dashboard/freezes", data={**form, "environments": ["staging", "production"]})
    gate.post("/dashboard/freezes", data={**form, "environments": "staging"})
    gate.post("/dashboard/freezes", data=form)
    scopes = {str(each["environments"]) for each in gate.get("/freezes").json()["freezes"]}
    assert scopes == {"None", "['staging']", "['staging', 'production']"}
    for chosen, why in (
        ("", "choose everything, or some"),
        (["*", "staging"], "choose either everything, or some"),
    ):
        refused = gate.post("/dashboard/freezes", data={**form, "environments": chosen})
        assert why in errors_of(Page(refused.text), refused.text)["environments"]
    assert len(gate.get("/freezes").json()["freezes"]) == 3
    twice = gate.post("/dashboard/freezes", data={**form, "title": ["a", "b"]})
    assert twice.status_code == 422
    assert "title: is given more than once" in Page(twice.text).text


def test_a_picture_is_one_stop_for_the_tab_key(gate: TestClient) -> None:
    page = Page(gate.get("/").text)
    stretches = [each for each in page.named("g") if "tabindex" in each]
    assert len(stretches) > 4
    assert {each["tabindex"] for each in stretches} == {"-1"}
    regions = [each for each in page.named("div") if each.get("class") == "scroll"]
    assert [each["tabindex"] for each in regions] == ["0"]


def test_a_policy_of_every_minute_leaves_the_page_small(tmp_path: Path) -> None:
    every_minute = "{id: jobs, title: Jobs, reason: R., when: [{cron: {start: '* * * * *', duration: 30s}}]}"
    (tmp_path / "policies.yaml").write_text(f"version: 1\npolicies:\n  - {every_minute}\n")
    with TestClient(
        create_app(Settings(policies=tmp_path / "policies.yaml"), clock=FakeClock(1_795_784_700))
    ) as gate:
        page = gate.get("/").text
    assert "production changes too often to draw" in Page(page).text
    assert len(page) < 100_000


HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("path", ["/nowhere", "/dashboard/nothing", "/static/other.js", "/policies/nothing"])
def test_a_browser_that_follows_a_wrong_link_gets_a_page(gate: TestClient, path: str) -> None:
    reply = gate.get(path, headers={"Accept": HTML})
    assert (reply.status_code, reply.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Page not found There is no such page." in " ".join(Page(reply.text).text.split())
    assert reply.headers["content-security-policy"]
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/html", "text/plain"])
def test_everybody_else_gets_the_problem_document(gate: TestClient, accept: str) -> None:
    reply = gate.get("/nowhere", headers={"Accept": accept})
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")
    assert (
        gate.post("/nowhere", headers={"Accept": HTML}).headers["content-type"] == "application/problem+json"
    )


def test_letters_are_shipped_and_a_stylesheet_names_their_versions(gate: TestClient) -> None:
    sheet = gate.get("/static/base.css").text
    letters = re.findall(r'url\("([^"]+)"\)', sheet)
    assert len(letters) >= 3
    for name in letters:
        found = gate.get(f"/static/{name}")
        assert found.headers["content-type"] == "font/woff2"
        assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert found.content.startswith(b"wOF2")
