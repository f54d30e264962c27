"""Sign in at a real issuer, over the pages: the whole way, and everything that goes wrong on it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from app.gate.record import verify
from app.identity.credentials import new_key
from app.identity.oidc.login import LIFETIME
from app.main import create_app
from app.server.context import FAILURES, MOST_SIGN_INS_OF_ADDRESS, Context
from app.settings import Settings
from tests.api.conftest import POLICIES
from tests.api.fakes import FakeClock
from tests.identity.issuer import NOW
from tests.identity.person_issuer import CLIENT, SECRET, PersonIssuer
from tests.web.pages import Page

RULES: list[dict[str, Any]] = [
    {"groups": ["sre"], "role": "admin"},
    {"groups": ["team-docs"], "role": "ops", "services": ["docs-*"]},
]


@pytest.fixture
def issuer() -> Iterator[PersonIssuer]:
    made = PersonIssuer()
    yield made
    made.hangs.set()
    made.close()


def gate_at(
    folder: Path,
    issuer: PersonIssuer,
    changes: Mapping[str, Any] | None = MappingProxyType({}),
    **settings: Any,
) -> TestClient:
    """Return a gate with an issuer, with changes of its section; without any, if those are None."""
    (folder / "policies.yaml").write_text(POLICIES)
    (folder / "secret").write_text(SECRET)
    section = {
        "id": "acme",
        "name": "Acme",
        "issuer": issuer.url,
        "client_id": CLIENT,
        "client_secret_file": "secret",
        "rules": RULES,
        **(changes or {}),
    }
    (folder / "identity.yaml").write_text(json.dumps({"sign_in": [section]}))
    given = Settings(
        policies=folder / "policies.yaml",
        identity=None if changes is None else folder / "identity.yaml",
        anonymous_role="none",
        **settings,
    )
    app = create_app(given, clock=FakeClock(NOW))
    return TestClient(app, base_url="https://gate.example", follow_redirects=False)


@pytest.fixture
def gate(tmp_path: Path, issuer: PersonIssuer) -> Iterator[TestClient]:
    with gate_at(tmp_path, issuer) as client:
        client.app.state.context.people._deadline = 60  # type: ignore[attr-defined]
        yield client


def begun(gate: TestClient, issuer: PersonIssuer, place: str = "") -> str:
    """Click on the button, and on all that the issuer asks; the URL that the browser is sent back to."""
    reply = gate.get(f"/dashboard/sign-in/acme{place}")
    assert reply.status_code == 303, reply.text
    assert reply.headers["location"].startswith(f"{issuer.url}/authorize?")
    back = httpx.get(reply.headers["location"], timeout=60)
    assert back.status_code == 302, back.text
    return back.headers["location"]


def test_a_person_signs_in_and_is_in_the_record(gate: TestClient, issuer: PersonIssuer) -> None:
    issuer.redirects = {"https://gate.example/dashboard/sign-in/acme/callback"}
    page = Page(gate.get("/dashboard/sign-in").text)
    assert "Sign in with Acme" in page.text
    assert "/dashboard/sign-in/acme" in [each.get("href") for each in page.named("a")]
    reply = gate.get(begun(gate, issuer))
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    page = Page(gate.get("/dashboard/sessions").text)
    assert "oidc:ada admin this one" in page.text
    form = {"proof": page.value("proof"), "title": "T", "reason": "R", "environments": "staging", "ttl": "1h"}
    assert gate.post("/dashboard/freezes", data=form).status_code == 303
    store = gate.app.state.context.gate._store  # type: ignore[attr-defined]
    (opened, frozen) = [
        link
        for link in store.query(lambda view: view.events_after(0, 100))
        if link.kind in ("session-opened", "freeze-started")
    ]
    told = json.loads(opened.data)
    assert (opened.actor, frozen.actor) == ("oidc:ada", "oidc:ada")
    assert (told["issuer"], told["person"], told["key"]) == (issuer.url, f"{issuer.url}#sub=7", None)
    assert (told["role"], told["services"], told["tags"]) == ("admin", None, None)
    assert verify(store.query).whole


def test_cookies_of_a_sign_in_are_bound_to_it(gate: TestClient, issuer: PersonIssuer) -> None:
    reply = gate.get("/dashboard/sign-in/acme")
    (cookie,) = reply.headers.get_list("set-cookie")
    assert cookie.startswith("freezegate_login=")
    attributes = {each.strip().lower() for each in cookie.split(";")[1:]}
    assert attributes == {
        "httponly",
        "secure",
        "samesite=lax",
        f"max-age={LIFETIME}",
        "path=/dashboard/sign-in/acme",
    }
    assert issuer.requests == []
    back = gate.get(begun(gate, issuer))
    cookies = {each.partition("=")[0]: each for each in back.headers.get_list("set-cookie")}
    assert cookies["freezegate_session"].startswith("freezegate_session=fzs_")
    assert "SameSite=lax" in cookies["freezegate_session"]
    assert "freezegate_done=signed-in" in cookies["freezegate_done"]
    assert "Max-Age=0" in cookies["freezegate_login"]
    assert "freezegate_login" not in gate.cookies


@pytest.mark.parametrize(
    ("place", "location"),
    [
        ("?next=/dashboard/insights", "/dashboard/insights"),
        ("?next=/dashboard/year%3Fyear%3D2027", "/dashboard/year?year=2027"),
        ("?next=//evil.example", "/"),
        ("?next=https://evil.example", "/"),
        ("?next=/%5Cevil.example", "/"),
        ("?next=/%09/evil.example", "/"),
        ("?next=javascript:alert(1)", "/"),
    ],
)
def test_a_sign_in_leads_back_to_this_gate_alone(
    gate: TestClient, issuer: PersonIssuer, place: str, location: str
) -> None:
    assert gate.get(begun(gate, issuer, place)).headers["location"] == location


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://id.example"},
        {"rules": [{"groups": ["sre"], "role": "ops"}]},
        {"rules": [{"groups": ["sre"], "role": "admin", "services": ["docs-*"]}]},
        {"rules": [{"groups": ["sre"], "role": "admin", "tags": ["docs"]}]},
        {"person_claim": "user_id"},
        None,
    ],
)
def test_a_session_ends_with_the_issuer_or_the_rule_that_gave_it(
    tmp_path: Path, issuer: PersonIssuer, changes: dict[str, Any] | None
) -> None:
    database = f"sqlite:///{tmp_path / 'gate.db'}"
    with gate_at(tmp_path, issuer, database_url=database) as gate:
        gate.get(begun(gate, issuer))
        cookies = dict(gate.cookies)
    for there, changed in ((True, {"name": "Acme Inc."}), (False, changes), (True, {})):
        with gate_at(tmp_path, issuer, changed, database_url=database) as gate:
            gate.cookies.update(cookies)
            assert (gate.get("/dashboard/sessions").status_code == 200) is there


def test_the_form_for_a_key_leads_back_to_this_gate_alone(tmp_path: Path, issuer: PersonIssuer) -> None:
    key = new_key()
    with gate_at(tmp_path, issuer, admin_key=key) as gate:
        for place, location in (("/dashboard/insights", "/dashboard/insights"), ("//evil.example", "/")):
            page = Page(gate.get("/dashboard/sign-in", params={"next": place}).text)
            form = {"proof": page.value("proof"), "key": key, "next": place}
            assert gate.post("/dashboard/sign-in", data=form).headers["location"] == location
            hrefs = [each["href"] for each in page.named("a") if "/acme" in str(each.get("href"))]
            assert hrefs == [f"/dashboard/sign-in/acme{'' if location == '/' else f'?next={location}'}"]


def test_an_answer_without_the_cookie_of_its_browser_is_refused(
    gate: TestClient, issuer: PersonIssuer
) -> None:
    url = begun(gate, issuer)
    gate.cookies.clear()
    reply = gate.get(url)
    assert reply.status_code == 401
    assert "not begun in this browser, or took too long; start again" in Page(reply.text).text
    assert "Sign in with Acme" in Page(reply.text).text
    assert "freezegate_session" not in gate.cookies


def test_answers_that_another_page_makes_a_browser_send_do_not_lock_its_office_out(
    gate: TestClient, issuer: PersonIssuer
) -> None:
    # As `<img src=…>` of any page does: without the cookie, which no other site may set or send along.
    for _ in range(25):
        assert gate.get("/dashboard/sign-in/acme/callback?code=c&state=s").status_code == 401
    assert gate.get(begun(gate, issuer)).status_code == 303


def test_an_answer_counts_once(gate: TestClient, issuer: PersonIssuer) -> None:
    url = begun(gate, issuer)
    assert gate.get(url).status_code == 303
    assert gate.get(url).status_code == 401


def test_a_sign_in_that_takes_too_long_is_over(gate: TestClient, issuer: PersonIssuer) -> None:
    url = begun(gate, issuer)
    gate.app.state.context.clock.at += LIFETIME  # type: ignore[attr-defined]
    assert gate.get(url).status_code == 401


def test_the_answer_of_another_sign_in_is_refused(gate: TestClient, issuer: PersonIssuer) -> None:
    theirs = begun(gate, issuer)
    begun(gate, issuer)
    reply = gate.get(theirs)
    assert reply.status_code == 401
    assert "belongs to another sign-in" in Page(reply.text).text


def test_what_the_issuer_says_is_shown_as_text(gate: TestClient, issuer: PersonIssuer) -> None:
    issuer.refuses = "<script>alert(1)</script>"
    reply = gate.get(begun(gate, issuer))
    assert reply.status_code == 401
    assert "Acme says: <script>alert(1)</script>: Ada said no" in Page(reply.text).text
    assert "<script>alert" not in reply.text


def test_a_person_whom_no_rule_fits_is_refused_with_their_groups(
    gate: TestClient, issuer: PersonIssuer
) -> None:
    issuer.person["groups"] = ["guests"]
    reply = gate.get(begun(gate, issuer))
    assert reply.status_code == 403
    text = Page(reply.text).text
    assert "Acme signed you in as oidc:ada, and no rule of this gate gives that a role" in text
    assert "your groups (groups): guests" in text
    assert "freezegate_session" not in gate.cookies
    here: Context = gate.app.state.context  # type: ignore[attr-defined]
    assert gate.portal is not None
    gate.portal.call(here.gate.refusals.write)
    store = here.gate._store
    (refused,) = [
        link for link in store.query(lambda view: view.events_after(0, 9)) if link.kind == "request-refused"
    ]
    assert refused.actor == "oidc:ada"


def test_failed_sign_ins_are_limited_before_the_issuer_is_asked(
    gate: TestClient, issuer: PersonIssuer
) -> None:
    issuer.changed = {"nonce": "another"}
    most = int(FAILURES.partition("/")[0])
    statuses = [gate.get(begun(gate, issuer)).status_code for _ in range(most + 1)]
    assert statuses == [401] * most + [429]
    asked = len(issuer.fetched)
    issuer.changed = {}
    url = begun(gate, issuer)
    assert len(issuer.fetched) == asked + 1
    reply = gate.get(url)
    assert reply.status_code == 429
    assert 0 < int(reply.headers["retry-after"]) <= 60
    assert len(issuer.fetched) == asked + 1, "no token was asked for"
    gate.app.state.context.clock.at += 61  # type: ignore[attr-defined]
    issuer.now = lambda: NOW + 61
    assert gate.get(begun(gate, issuer)).status_code == 303


def test_an_issuer_that_is_down_is_503_and_no_failure_of_the_person(
    gate: TestClient, issuer: PersonIssuer
) -> None:
    url = begun(gate, issuer)
    issuer.replies["/token"] = (503, b"")
    for _ in range(25):
        reply = gate.get(url)
        assert reply.status_code == 503
    assert "Acme fails; try again" in Page(reply.text).text
    del issuer.replies["/token"]
    assert gate.get(url).status_code == 303


def test_an_issuer_that_cannot_be_reached_says_so_at_the_button(tmp_path: Path, issuer: PersonIssuer) -> None:
    issuer.replies["/.well-known/openid-configuration"] = (500, b"")
    with gate_at(tmp_path, issuer) as gate:
        reply = gate.get("/dashboard/sign-in/acme")
        assert reply.status_code == 503
        assert "can't be reached" in Page(reply.text).text


def test_sign_ins_that_hang_are_limited(gate: TestClient, issuer: PersonIssuer) -> None:
    url = begun(gate, issuer)
    limit = gate.app.state.context.sign_ins  # type: ignore[attr-defined]
    limit._of_network["testclient"] = MOST_SIGN_INS_OF_ADDRESS
    assert gate.get(url).status_code == 429
    del limit._of_network["testclient"]
    assert gate.get(url).status_code == 303


def test_there_is_no_other_issuer(gate: TestClient) -> None:
    for path in ("other", "other/callback", "%2e%2e"):
        assert gate.get(f"/dashboard/sign-in/{path}").status_code == 404


def test_signing_out_closes_the_session_and_offers_the_issuer(gate: TestClient, issuer: PersonIssuer) -> None:
    gate.get(begun(gate, issuer))
    page = Page(gate.get("/dashboard/sessions").text)
    reply = gate.post("/dashboard/sign-out", data={"proof": page.value("proof")})
    assert reply.headers["location"] == "/dashboard/signed-out?issuer=acme"
    assert gate.get("/dashboard/sessions").headers["location"] == "/dashboard/sign-in"
    page = Page(gate.get("/dashboard/signed-out?issuer=acme").text)
    (leave,) = [each["href"] for each in page.named("a") if "logout" in str(each.get("href"))]
    assert leave == (
        f"{issuer.url}/logout?client_id=freezegate"
        "&post_logout_redirect_uri=https%3A%2F%2Fgate.example%2Fdashboard%2Fsign-in"
    )
    for other in ("", "?issuer=other", "?issuer=//evil.example"):
        page = Page(gate.get(f"/dashboard/signed-out{other}").text)
        assert "Signed out" in page.text
        assert [each["href"] for each in page.named("a") if "//" in str(each.get("href"))] == []


def test_a_person_with_a_scope_is_offered_and_allowed_their_own(
    gate: TestClient, issuer: PersonIssuer
) -> None:
    issuer.person["groups"] = ["team-docs"]
    gate.get(begun(gate, issuer))
    proof = Page(gate.get("/dashboard/sessions").text).value("proof")
    form = {"proof": proof, "title": "T", "reason": "R", "environments": "staging", "ttl": "1h"}
    refused = gate.post("/dashboard/freezes", data={**form, "services": "checkout"})
    assert refused.status_code == 403
    assert "oidc:ada may act only on the services docs-*" in Page(refused.text).text
    assert gate.post("/dashboard/freezes", data=form).status_code == 403
    assert gate.post("/dashboard/freezes", data={**form, "services": "docs-site"}).status_code == 303


def test_everything_stays_below_the_root_path(tmp_path: Path, issuer: PersonIssuer) -> None:
    issuer.redirects = {"https://gate.example/tools/gate/dashboard/sign-in/acme/callback"}
    with gate_at(tmp_path, issuer, root_path="/tools/gate") as gate:
        reply = gate.get("/tools/gate/dashboard/sign-in/acme?next=/dashboard/insights")
        assert "path=/tools/gate/dashboard/sign-in/acme" in reply.headers["set-cookie"].lower()
        back = httpx.get(reply.headers["location"], timeout=60).headers["location"]
        assert urlsplit(back).path == "/tools/gate/dashboard/sign-in/acme/callback"
        assert gate.get(back).headers["location"] == "/tools/gate/dashboard/insights"


def test_without_a_section_there_are_no_buttons(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    with TestClient(create_app(Settings(policies=tmp_path / "policies.yaml"), clock=FakeClock(NOW))) as gate:
        assert "Sign in with" not in gate.get("/dashboard/sign-in").text
        assert gate.get("/dashboard/sign-in/acme").status_code == 404
        assert "Signed out" in gate.get("/dashboard/signed-out?issuer=acme").text
