"""People who sign in at a real issuer: the good case, the forged ones, and an issuer in trouble."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from app.identity.caller import Caller, Role
from app.identity.oidc import CredentialsError, IssuerUnavailableError, Login, NoRuleError, People
from app.identity.oidc.discovery import Discovery
from app.identity.oidc.keyring import FRESH_FOR, KEPT_FOR
from app.identity.oidc.login import LIFETIME, local_path
from app.identity.oidc.sign_in_section import SignInIssuer
from tests.identity.issuer import NOW
from tests.identity.person_issuer import CLIENT, SECRET, PersonIssuer

pytestmark = pytest.mark.anyio

BACK = "https://gate.example/dashboard/sign-in/acme/callback"
RULES: list[dict[str, Any]] = [
    {"groups": ["boss"], "role": "admin"},
    {"groups": ["sre", "oncall"], "role": "ops"},
    {
        "groups": ["shop"],
        "claims": {"hd": "example.com"},
        "role": "ops",
        "services": ["shop/*"],
        "tags": ["shop"],
    },
    {"claims": {"hd": "example.com"}, "role": "viewer"},
]


@pytest.fixture
def issuer() -> Iterator[PersonIssuer]:
    made = PersonIssuer()
    yield made
    made.hangs.set()
    made.close()


def people(issuer: PersonIssuer, deadline: float = 60, **changes: Any) -> People:
    given = {
        "id": "acme",
        "name": "Acme",
        "issuer": issuer.url,
        "client_id": CLIENT,
        "client_secret_env": "ACME",
        "rules": RULES,
        **changes,
    }
    section = SignInIssuer.model_validate({name: value for name, value in given.items() if value is not None})
    return People([section], Path(), {"ACME": SECRET}, deadline=deadline)


async def asked(gate: People, login: Login, now: int = NOW) -> dict[str, str]:
    """Go to the issuer as a browser does; what it sends back."""
    url = await gate.begin(login, BACK, now)
    async with httpx.AsyncClient() as browser:
        reply = await browser.get(url)
    assert reply.status_code == 302, reply.text
    assert reply.headers["location"].startswith(f"{BACK}?")
    return dict(parse_qsl(urlsplit(reply.headers["location"]).query))


async def signed_in(gate: People, now: int = NOW) -> Caller:
    login = Login.begin("acme", "/", now)
    return (await gate.finish(login, BACK, await asked(gate, login, now), now)).caller


async def test_a_person_signs_in_with_pkce_state_and_nonce(issuer: PersonIssuer) -> None:
    issuer.redirects = {BACK}
    gate = people(issuer)
    login = Login.begin("acme", "/dashboard/insights", NOW)
    found = await gate.finish(login, BACK, await asked(gate, login), NOW)
    assert found.caller == Caller("oidc:ada", Role.OPS, person=f"{issuer.url}#sub=7")
    assert (found.issuer, found.place) == (issuer.url, "/dashboard/insights")
    (request,) = issuer.requests
    assert request["scope"] == "openid profile email"
    assert request["kind"] == "person", "the query of the endpoint stays"
    derived = {login.state, login.nonce, login.verifier, login.challenge}
    assert len(derived) == 4
    assert all(len(each) == 43 for each in derived)
    assert login.verifier not in request.values()


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ({"groups": ["x", "boss", "sre"]}, ("admin", None, None)),
        ({"groups": "oncall"}, ("ops", None, None)),
        ({"groups": ["shop"], "hd": "example.com"}, ("ops", ("shop/*",), ("shop",))),
        ({"groups": ["shop"]}, None),
        ({"groups": ["shop"], "hd": "example.org"}, None),
        ({"groups": [], "hd": "example.com"}, ("viewer", None, None)),
        ({"groups": {"sre": 1}}, None),
        ({"groups": [["sre"], 7, None]}, None),
    ],
)
async def test_the_first_rule_that_fits_decides(
    issuer: PersonIssuer, person: dict[str, Any], expected: tuple[str, Any, Any] | None
) -> None:
    issuer.person.update(person)
    if expected is None:
        with pytest.raises(NoRuleError, match="signed you in as oidc:ada, and no rule of this gate gives"):
            await signed_in(people(issuer))
    else:
        caller = await signed_in(people(issuer))
        assert (caller.role, caller.services, caller.tags) == expected


@pytest.mark.parametrize(
    ("verified", "fits"), [(True, True), (False, False), ("true", False), (1, False), (None, False)]
)
async def test_a_rule_on_an_address_fits_only_one_that_the_issuer_has_verified(
    issuer: PersonIssuer, verified: object, *, fits: bool
) -> None:
    issuer.person["email"] = "ada@example.org"
    issuer.changed = {"email_verified": verified}
    gate = people(issuer, rules=[{"claims": {"email": "ada@example.org"}, "role": "ops"}])
    if fits:
        assert (await signed_in(gate)).role is Role.OPS
    else:
        with pytest.raises(NoRuleError, match=r"no rule of this gate gives that a role.*did not verify"):
            await signed_in(gate)


async def test_a_refusal_names_the_groups(issuer: PersonIssuer) -> None:
    issuer.person["groups"] = ["guests", "line\nbreak"]
    with pytest.raises(NoRuleError, match=r"your groups \(groups\): guests, line break\. Ask") as caught:
        await signed_in(people(issuer))
    assert caught.value.name == "oidc:ada"


@pytest.mark.parametrize(
    ("person", "name"),
    [
        ({"email": "ada@example.org", "email_verified": True}, "ada@example.org"),
        ({"email": "ada@example.org", "email_verified": False}, "oidc:ada"),
        ({"email": "ada@example.org", "email_verified": "true"}, "oidc:ada"),
        ({"email": "admin", "email_verified": True}, "oidc:ada"),
        ({"preferred_username": "line\nbreak"}, "oidc:line?break"),
        ({"preferred_username": ""}, "oidc:7"),
        ({"preferred_username": 7}, "oidc:7"),
    ],
)
async def test_nobody_chooses_the_name_of_a_key(
    issuer: PersonIssuer, person: dict[str, Any], name: str
) -> None:
    issuer.person.update(person)
    assert (await signed_in(people(issuer))).name == name


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"nonce": "another"}, "belongs to another sign-in"),
        ({"nonce": None}, "belongs to another sign-in"),
        ({"nonce": 7}, "belongs to another sign-in"),
        ({"aud": "another"}, "for another audience"),
        ({"aud": ["another"]}, "for another audience"),
        ({"aud": [CLIENT, "another"]}, "for another client"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "for another client"),
        ({"azp": "another"}, "for another client"),
        ({"iss": "https://other.example"}, "not well formed|signature"),
        ({"exp": NOW - 31, "iat": NOW - 60}, "has expired"),
        ({"iat": NOW + 60, "exp": NOW + 90}, "not valid yet"),
        ({"exp": NOW + 2 * 86_400}, "lives too long"),
        ({"exp": None}, "lacks a claim"),
        ({"sub": None}, "who it is"),
        ({"sub": ""}, "who it is"),
        ({"at_hash": "another"}, "another access token"),
    ],
)
async def test_an_id_token_that_is_not_as_it_should_be_is_refused(
    issuer: PersonIssuer, changed: dict[str, Any], why: str
) -> None:
    issuer.changed = changed
    with pytest.raises(CredentialsError, match=why):
        await signed_in(people(issuer))


@pytest.mark.parametrize(
    "changed", [{"aud": [CLIENT]}, {"aud": [CLIENT, "b"], "azp": CLIENT}, {"at_hash": None}]
)
async def test_an_id_token_may_have_several_audiences_and_no_hash(
    issuer: PersonIssuer, changed: dict[str, Any]
) -> None:
    issuer.changed = changed
    assert (await signed_in(people(issuer))).role is Role.OPS


async def test_a_person_is_the_one_of_the_same_issuers_jobs(issuer: PersonIssuer) -> None:
    assert (await signed_in(people(issuer, person_claim="user_id"))).person == f"{issuer.url}#user_id=7"


async def test_the_keys_of_the_issuer_may_rotate(issuer: PersonIssuer) -> None:
    gate = people(issuer)
    await signed_in(gate)
    issuer.keys.clear()
    issuer.add_key("two")
    assert (await signed_in(gate, NOW + 31)).role is Role.OPS


async def test_a_token_signed_by_a_stranger_is_refused(issuer: PersonIssuer) -> None:
    gate = people(issuer)
    await signed_in(gate)
    issuer.keys.clear()
    issuer.add_key("one", "ES256")
    with pytest.raises(CredentialsError, match="signature"):
        await signed_in(gate, NOW + 31)


async def test_a_code_counts_once(issuer: PersonIssuer) -> None:
    gate = people(issuer)
    login = Login.begin("acme", "/", NOW)
    answer = await asked(gate, login)
    await gate.finish(login, BACK, answer, NOW)
    with pytest.raises(CredentialsError, match="Acme gave no token: invalid_grant: no such code"):
        await gate.finish(login, BACK, answer, NOW)


async def test_a_code_of_another_browser_is_useless(issuer: PersonIssuer) -> None:
    gate = people(issuer)
    mine, theirs = Login.begin("acme", "/", NOW), Login.begin("acme", "/", NOW)
    stolen = await asked(gate, theirs)
    with pytest.raises(CredentialsError, match="belongs to another sign-in"):
        await gate.finish(mine, BACK, stolen, NOW)
    # Nor with my own state: the code was made for another verifier.
    with pytest.raises(CredentialsError, match="invalid_grant"):
        await gate.finish(mine, BACK, {**stolen, "state": mine.state}, NOW)


@pytest.mark.parametrize(
    ("sends", "why"),
    [
        ({"state": ""}, "another sign-in"),
        ({"state": "another"}, "another sign-in"),
        ({"iss": "https://other.example"}, "another issuer"),
        ({"code": "x" * 5_000}, "sent no code"),
        ({"error": "server_error"}, "Acme says: server_error"),
    ],
)
async def test_an_answer_that_is_not_as_it_should_be_is_refused(
    issuer: PersonIssuer, sends: dict[str, str], why: str
) -> None:
    issuer.sends = sends
    with pytest.raises(CredentialsError, match=why):
        await signed_in(people(issuer))


async def test_an_answer_without_its_issuer_is_refused_if_the_issuer_says_that_it_names_itself(
    issuer: PersonIssuer,
) -> None:
    gate = people(issuer)
    login = Login.begin("acme", "/", NOW)
    answer = await asked(gate, login)
    del answer["iss"]
    with pytest.raises(CredentialsError, match="another issuer"):
        await gate.finish(login, BACK, answer, NOW)
    issuer.discovered["authorization_response_iss_parameter_supported"] = False
    gate = people(issuer)
    assert (await gate.finish(login, BACK, answer, NOW)).caller.role is Role.OPS


async def test_what_the_issuer_says_is_shown(issuer: PersonIssuer) -> None:
    issuer.refuses = "access_denied"
    with pytest.raises(CredentialsError, match="Acme says: access_denied: Ada said no"):
        await signed_in(people(issuer))


@pytest.mark.parametrize(
    ("told", "why"),
    [({"id_token": None}, "no ID token"), ({"id_token": "a.b"}, "not an identity"), ({"error": "x"}, "x")],
)
async def test_tokens_that_are_missing_are_told(issuer: PersonIssuer, told: dict[str, Any], why: str) -> None:
    issuer.told = told
    with pytest.raises(CredentialsError, match=why):
        await signed_in(people(issuer))


async def test_a_client_authenticates_as_the_issuer_wants(issuer: PersonIssuer, tmp_path: Path) -> None:
    assert (await signed_in(people(issuer))).role is Role.OPS
    issuer.discovered["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    assert (await signed_in(people(issuer))).role is Role.OPS
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    file = str(tmp_path / "secret")
    gate = people(issuer, client_secret_env=None, client_secret_file=file)
    assert (await signed_in(gate)).role is Role.OPS
    (tmp_path / "secret").unlink()
    with pytest.raises(IssuerUnavailableError, match="secret of this gate can't be read"):
        await signed_in(gate)
    issuer.secret = None
    assert (await signed_in(people(issuer, client_secret_env=None))).role is Role.OPS
    issuer.secret = "another"  # noqa: S105 - of nobody
    with pytest.raises(CredentialsError, match="invalid_client"):
        await signed_in(people(issuer))


async def test_groups_may_come_from_the_userinfo_endpoint(issuer: PersonIssuer) -> None:
    del issuer.person["groups"]
    issuer.userinfo = {"sub": "7", "groups": ["boss"], "preferred_username": "eve"}
    caller = await signed_in(people(issuer))
    assert (caller.name, caller.role) == ("oidc:ada", Role.ADMIN)
    issuer.userinfo = {"sub": "8", "groups": ["boss"]}
    with pytest.raises(CredentialsError, match="says nothing about the groups"):
        await signed_in(people(issuer))
    issuer.userinfo = None
    with pytest.raises(CredentialsError, match="says nothing about the groups"):
        await signed_in(people(issuer))
    # It is not asked if no rule needs groups, and not missed if there is none.
    issuer.person["hd"] = "example.com"
    assert (await signed_in(people(issuer, rules=RULES[3:]))).role is Role.VIEWER
    del issuer.discovered["userinfo_endpoint"]
    assert (await signed_in(people(issuer))).role is Role.VIEWER


async def test_another_claim_may_have_the_groups(issuer: PersonIssuer) -> None:
    issuer.person["https://acme.example/roles"] = ["boss"]
    assert (await signed_in(people(issuer, groups_claim="https://acme.example/roles"))).role is Role.ADMIN


async def test_a_token_endpoint_that_hangs_ends_at_the_deadline(issuer: PersonIssuer) -> None:
    issuer.hangs.clear()
    started = time.monotonic()
    gate = people(issuer)
    login = Login.begin("acme", "/", NOW)
    answer = await asked(gate, login)
    gate._deadline = 0.2
    with pytest.raises(IssuerUnavailableError, match="Acme does not answer"):
        await gate.finish(login, BACK, answer, NOW)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ((200, b"x" * (1024 * 1024 + 1)), IssuerUnavailableError),
        ((500, b""), IssuerUnavailableError),
        ((302, b"/elsewhere"), CredentialsError),
        ((200, b"[]"), CredentialsError),
        ((200, b"["), CredentialsError),
        ((200, b"[" * 100_000), CredentialsError),
    ],
)
async def test_a_token_endpoint_in_trouble_lets_nobody_in(
    issuer: PersonIssuer, reply: tuple[int, bytes], error: type[Exception]
) -> None:
    issuer.replies["/token"] = reply
    with pytest.raises(error):
        await signed_in(people(issuer))


async def test_the_discovery_document_is_kept_while_the_issuer_is_down(issuer: PersonIssuer) -> None:
    gate = people(issuer)
    login = Login.begin("acme", "/", NOW)
    url = await gate.begin(login, BACK, NOW)
    assert [path for path in issuer.fetched if "well-known" in path] == ["/.well-known/openid-configuration"]
    await gate.begin(login, BACK, NOW + FRESH_FOR - 1)
    assert len(issuer.fetched) == 1
    issuer.replies["/.well-known/openid-configuration"] = (500, b"")
    assert await gate.begin(login, BACK, NOW + FRESH_FOR) == url
    assert await gate.begin(login, BACK, NOW + KEPT_FOR - 1) == url
    with pytest.raises(IssuerUnavailableError, match="can't be reached"):
        await gate.begin(login, BACK, NOW + KEPT_FOR)
    assert await gate.farewell("acme", BACK, NOW + KEPT_FOR) is None


@pytest.mark.parametrize(
    "document",
    [
        "[]",
        "{}",
        '{"issuer": "https://other.example"}',
        '{"issuer": "ISSUER", "token_endpoint": "https://a.example"}',
        '{"issuer": "ISSUER", "authorization_endpoint": "http://a.example", "token_endpoint": "https://a.example"}',
        "[" * 100_000,
    ],
)
async def test_a_discovery_document_that_cannot_be_used_is_refused(document: str) -> None:
    async def fetch(_: str) -> bytes:
        return document.replace("ISSUER", "https://id.example").encode()

    with pytest.raises(IssuerUnavailableError):
        await Discovery("https://id.example", fetch, 60).endpoints(NOW)


async def test_a_discovery_document_that_hangs_ends_at_the_deadline() -> None:
    async def fetch(_: str) -> bytes:
        await asyncio.Event().wait()
        return b""

    with pytest.raises(IssuerUnavailableError):
        await Discovery("https://id.example", fetch, deadline=0.05).endpoints(NOW)


async def test_signing_out_at_the_issuer_is_offered_if_it_is_possible(issuer: PersonIssuer) -> None:
    gate = people(issuer)
    url = await gate.farewell("acme", "https://gate.example/", NOW)
    assert (
        url
        == f"{issuer.url}/logout?client_id=freezegate&post_logout_redirect_uri=https%3A%2F%2Fgate.example%2F"
    )
    assert await gate.farewell("other", "https://gate.example/", NOW) is None
    del issuer.discovered["end_session_endpoint"]
    assert await people(issuer).farewell("acme", "https://gate.example/", NOW) is None
    assert (gate.id_of(issuer.url), gate.id_of("https://other.example"), gate.id_of(None)) == (
        "acme",
        None,
        None,
    )


def test_a_sign_in_under_way_is_read_from_its_cookie_until_its_end() -> None:
    login = Login.begin("acme", "/dashboard/year?year=2027#x", NOW)
    assert Login.of_cookie(login.cookie, "acme", NOW) == login
    assert Login.of_cookie(login.cookie, "acme", NOW + LIFETIME - 1) == login
    assert Login.of_cookie(login.cookie, "acme", NOW + LIFETIME) is None
    # Of another issuer, later or to another place, it is another sign-in.
    secret, end, place = login.cookie.split(".")
    for changed, issuer in (
        (login.cookie, "other"),
        (f"{secret}.{int(end) - 1}.{place}", "acme"),
        (f"{secret}.{end}.Lw", "acme"),
    ):
        another = Login.of_cookie(changed, issuer, NOW)
        assert another is not None
        assert not another.proves(login.state)
        assert another.nonce != login.nonce
    for nonsense in (
        "",
        "a.b.c",
        f"{secret}.{end}",
        f"{secret}.x.Lw",
        f"{secret}.{'9' * 13}.Lw",
        f"{secret}.{int(end) + 1}.Lw",
    ):
        assert Login.of_cookie(nonsense, "acme", NOW) is None, nonsense
    bare = Login.of_cookie(f"{secret}.{end}.!", "acme", NOW)
    assert bare is not None
    assert bare.place == "/"
    assert not login.proves("\ud800")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/", "/"),
        ("/dashboard/year?year=2027&day=2027-01-01#x", "/dashboard/year?year=2027&day=2027-01-01#x"),
        ("/services/shop%2Fcart", "/services/shop%2Fcart"),
        ("", "/"),
        ("//evil.example", "/"),
        ("///evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("https:evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        (" //evil.example", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("/é", "/"),
        ("/" + "a" * 501, "/"),
    ],
)
def test_a_link_leads_back_to_this_gate_alone(text: str, path: str) -> None:
    assert local_path(text) == path
