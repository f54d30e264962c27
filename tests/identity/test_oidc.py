"""Identity tokens against a real issuer: the good ones, some fifty forged ones, and an issuer in trouble."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from app.identity.caller import Caller, Role
from app.identity.oidc import (
    CredentialsError,
    IdentityFileError,
    IdentityProviders,
    Issuer,
    IssuerUnavailableError,
    read_identity_file,
)
from app.identity.oidc.keyring import FRESH_FOR, KEPT_FOR, RETRY_AFTER, TRUSTED_FOR, fetch
from app.identity.oidc.vendors import person_of, vendor_of
from app.outbound import Outbound
from tests.identity.issuer import AUDIENCE, NOW, LocalIssuer, raw

pytestmark = pytest.mark.anyio

RULES: list[dict[str, Any]] = [
    {
        "claims": {"repository": "acme/checkout", "ref": "refs/heads/main"},
        "role": "ci",
        "services": ["checkout"],
    },
    {"claims": {"repository_id": 7}, "role": "viewer"},
    {"claims": {"project_path": "acme/shop"}, "role": "ci"},
    {"claims": {"repository": "acme/preview", "event_name": "pull_request"}, "role": "viewer"},
    {"claims": {"sub": "robot"}, "role": "ops"},
]


@pytest.fixture(scope="module")
def shared() -> Iterator[LocalIssuer]:
    made = LocalIssuer()
    made.add_key("one")
    made.add_key("curve", "ES256")
    made.add_key("edwards", "EdDSA")
    yield made
    made.close()


@pytest.fixture
def issuer(shared: LocalIssuer) -> LocalIssuer:
    shared.fetched.clear()
    shared.replies.clear()
    shared.discovered.clear()
    return shared


@pytest.fixture(scope="module")
def stranger() -> Iterator[LocalIssuer]:
    made = LocalIssuer()
    made.add_key("one")
    yield made
    made.close()


def configured(issuer: LocalIssuer, **more: Any) -> Issuer:
    return Issuer.model_validate({"issuer": issuer.url, "audience": AUDIENCE, "rules": RULES, **more})


@pytest.fixture
def providers(issuer: LocalIssuer) -> IdentityProviders:
    return IdentityProviders([configured(issuer)])


@pytest.mark.parametrize("key_id", ["one", "curve", "edwards"])
async def test_a_job_on_the_main_branch_is_let_in(
    issuer: LocalIssuer, providers: IdentityProviders, key_id: str
) -> None:
    caller = await providers.authenticate(issuer.token(key_id), NOW)
    assert caller == Caller("github:acme/checkout@alice", Role.CI, ("checkout",))


async def test_a_gitlab_job_is_let_in(issuer: LocalIssuer, providers: IdentityProviders) -> None:
    token = issuer.token(
        repository=None,
        project_path="acme/shop",
        user_login="bob",
        ref_protected="true",
        pipeline_source="push",
    )
    assert await providers.authenticate(token, NOW) == Caller("gitlab:acme/shop@bob", Role.CI)


async def test_any_other_issuer_is_named_by_its_subject(
    issuer: LocalIssuer, providers: IdentityProviders
) -> None:
    token = issuer.token(repository=None, sub="robot")
    assert await providers.authenticate(token, NOW) == Caller(
        "oidc:robot", Role.OPS, person=f"{issuer.url}#sub=robot"
    )


async def test_the_person_is_the_issuers_number_of_the_user_whatever_the_repository(
    issuer: LocalIssuer, providers: IdentityProviders
) -> None:
    one = await providers.authenticate(issuer.token(actor_id="7"), NOW)
    renamed = await providers.authenticate(issuer.token(actor_id="7", actor="alice-2"), NOW)
    number = await providers.authenticate(issuer.token(actor_id=7), NOW)
    another = await providers.authenticate(issuer.token(actor_id="8"), NOW)
    assert one.person == renamed.person == number.person == f"{issuer.url}#actor_id=7"
    assert another.person == f"{issuer.url}#actor_id=8"


@pytest.mark.parametrize("actor_id", [None, "", True, ["7"], {"id": 7}, 7.5])
async def test_a_token_that_does_not_tell_its_user_is_nobodys(
    issuer: LocalIssuer, providers: IdentityProviders, actor_id: Any
) -> None:
    assert (await providers.authenticate(issuer.token(actor_id=actor_id), NOW)).person is None


def test_the_person_of_other_issuers_is_their_user_or_subject() -> None:
    issuer = "https://ci.example"
    for claims, person in (
        ({"project_path": "acme/shop", "user_id": "12", "user_login": "a"}, f"{issuer}#user_id=12"),
        ({"sub": "Robot"}, f"{issuer}#sub=robot"),
        ({}, None),
    ):
        assert person_of(vendor_of(claims), claims, issuer) == person


@pytest.mark.parametrize("sub", ["x" * 300, "a\nb", "\x00"])
def test_an_odd_subject_is_a_person_still_and_can_be_recorded(sub: str) -> None:
    found = person_of(vendor_of({}), {"sub": sub}, "https://ci.example")
    assert found is not None
    assert len(found) <= 256
    assert found.isprintable()
    assert found != person_of(vendor_of({}), {"sub": sub + "2"}, "https://ci.example")


async def test_the_first_rule_that_fits_counts(issuer: LocalIssuer, providers: IdentityProviders) -> None:
    caller = await providers.authenticate(issuer.token(repository_id=7), NOW)
    assert caller.role is Role.CI


async def test_a_rule_may_ask_for_pull_requests_by_name(
    issuer: LocalIssuer, providers: IdentityProviders
) -> None:
    token = issuer.token(repository="acme/preview", event_name="pull_request")
    assert (await providers.authenticate(token, NOW)).role is Role.VIEWER


@pytest.mark.parametrize("offset", [-29, 0, 329])
async def test_clocks_may_differ_by_half_a_minute(
    issuer: LocalIssuer, providers: IdentityProviders, offset: int
) -> None:
    token = issuer.token(iat=NOW, nbf=NOW)
    assert (await providers.authenticate(token, NOW + offset)).role is Role.CI


def signed_with_the_public_key(issuer: LocalIssuer) -> str:
    """HS256 over the public key as a secret: what a verifier that trusts the header would take."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = issuer.keys["one"][1].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, claims, _ = raw({"alg": "HS256", "typ": "JWT", "kid": "one"}, issuer.claims(), b"x").split(".")
    mac = hmac.new(pem, f"{head}.{claims}".encode(), hashlib.sha256).digest()
    return f"{head}.{claims}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def tampered(issuer: LocalIssuer, **changes: Any) -> str:
    head, _, signature = issuer.token().split(".")
    return f"{head}.{raw({}, issuer.claims(**changes)).split('.')[1]}.{signature}"


def relabelled(issuer: LocalIssuer, **header: Any) -> str:
    _, claims, signature = issuer.token().split(".")
    return f"{raw(header, b'').split('.')[0]}.{claims}.{signature}"


Forge = Callable[[LocalIssuer, LocalIssuer], str]
FORGED: dict[str, Forge] = {
    "alg none": lambda i, _: raw({"alg": "none", "kid": "one"}, i.claims(), b"x"),
    "alg None": lambda i, _: raw({"alg": "None", "kid": "one"}, i.claims(), b"x"),
    "alg none without signature": lambda i, _: raw({"alg": "none", "kid": "one"}, i.claims()),
    "no alg": lambda i, _: raw({"kid": "one"}, i.claims(), b"x"),
    "alg is a list": lambda i, _: raw({"alg": ["RS256"], "kid": "one"}, i.claims(), b"x"),
    "HS256 with the public key": lambda i, _: signed_with_the_public_key(i),
    "HS256 with an empty secret": lambda i, _: raw({"alg": "HS256", "kid": "one"}, i.claims(), b"x"),
    "relabelled as ES256": lambda i, _: relabelled(i, alg="ES256", kid="one"),
    "relabelled to another key": lambda i, _: relabelled(i, alg="RS256", kid="curve"),
    "wrong audience": lambda i, _: i.token(aud="another"),
    "audience in a list": lambda i, _: i.token(aud=[AUDIENCE]),
    "audience among others": lambda i, _: i.token(aud=["another", AUDIENCE]),
    "audience in other letters": lambda i, _: i.token(aud=AUDIENCE.upper()),
    "no audience": lambda i, _: i.token(aud=None),
    "expired": lambda i, _: i.token(exp=NOW - 31),
    "expired half a minute ago": lambda i, _: i.token(exp=NOW - 30),
    "not yet valid": lambda i, _: i.token(nbf=NOW + 31),
    "issued in the future": lambda i, _: i.token(iat=NOW + 31, exp=NOW + 600),
    "lives for two days": lambda i, _: i.token(exp=NOW + 2 * 86_400),
    "no expiry": lambda i, _: i.token(exp=None),
    "no time of issue": lambda i, _: i.token(iat=None),
    "expiry in words": lambda i, _: i.token(exp="tomorrow"),
    "expiry as text": lambda i, _: i.token(exp=str(NOW + 300)),
    "expiry true": lambda i, _: i.token(exp=True),
    "expiry NaN": lambda i, _: i.token(exp=float("nan")),
    "expiry infinite": lambda i, _: i.token(exp=float("inf")),
    "expiry huge": lambda i, _: i.token(exp=10**400, iat=NOW),
    "expiry negative": lambda i, _: i.token(exp=-5),
    "time of issue in a list": lambda i, _: i.token(iat=[NOW]),
    "other repository": lambda i, _: i.token(repository="acme/other"),
    "repository in other letters": lambda i, _: i.token(repository="ACME/checkout"),
    "repository in a list": lambda i, _: i.token(repository=["acme/checkout"]),
    "no repository": lambda i, _: i.token(repository=None),
    "other branch": lambda i, _: i.token(ref="refs/heads/feature"),
    "branch that begins alike": lambda i, _: i.token(ref="refs/heads/main-2"),
    "number as text": lambda i, _: i.token(repository="x/y", repository_id="7"),
    "number as float": lambda i, _: i.token(repository="x/y", repository_id=7.0),
    "pull request": lambda i, _: i.token(event_name="pull_request"),
    "pull request from a fork": lambda i, _: i.token(event_name="pull_request_target"),
    "comment on an issue": lambda i, _: i.token(event_name="issue_comment"),
    "merge request": lambda i, _: i.token(
        repository=None, project_path="acme/shop", pipeline_source="merge_request_event"
    ),
    "unprotected branch": lambda i, _: i.token(
        repository=None, project_path="acme/shop", ref_protected="false"
    ),
    "unprotected branch as bool": lambda i, _: i.token(
        repository=None, project_path="acme/shop", ref_protected=False
    ),
    "unknown key": lambda i, _: i.token(header={"kid": "two"}),
    "no key": lambda i, _: raw({"alg": "RS256"}, i.claims(), b"x"),
    "key is a number": lambda i, _: raw({"alg": "RS256", "kid": 1}, i.claims(), b"x"),
    "key of another issuer": lambda i, s: jwt.encode(i.claims(), s.keys["one"][1], "RS256", {"kid": "one"}),
    "another issuer": lambda _, s: s.token(),
    "issuer with a slash": lambda i, _: i.token(iss=i.url + "/"),
    "no issuer": lambda i, _: i.token(iss=None),
    "issuer in a list": lambda i, _: raw({"alg": "RS256", "kid": "one"}, i.claims(iss=[i.url]), b"x"),
    "tampered claim": lambda i, _: tampered(i, ref="refs/heads/feature", repository_id=7),
    "tampered audience": lambda i, _: tampered(i, actor="eve"),
    "tampered signature": lambda i, _: i.token()[:-8] + "AAAAAAAA",
    "no signature": lambda i, _: i.token().rsplit(".", 1)[0] + ".",
    "two parts": lambda i, _: i.token().rsplit(".", 1)[0],
    "four parts": lambda i, _: i.token() + ".AAAA",
    "critical extension": lambda i, _: i.token(header={"crit": ["b64"], "b64": False}),
    "key embedded in the header": lambda i, s: jwt.encode(
        i.claims(), s.keys["one"][1], "RS256", {"kid": "mine", "jwk": s.public("one")}
    ),
    "keys elsewhere by the header": lambda i, s: jwt.encode(
        i.claims(), s.keys["one"][1], "RS256", {"kid": "mine", "jku": f"{s.url}/keys"}
    ),
    "claims are a list": lambda _, __: raw({"alg": "RS256", "kid": "one"}, b"[]", b"x"),
    "claims are no JSON": lambda _, __: raw({"alg": "RS256", "kid": "one"}, b"nonsense", b"x"),
    "claims nest without end": lambda _, __: raw({"alg": "RS256", "kid": "one"}, b"[" * 9_000, b"x"),
    "header is no JSON": lambda i, _: "AAAA" + i.token()[4:],
    "larger than 16 KiB": lambda i, _: i.token(more="x" * 17_000),
    "empty": lambda _, __: "",
    "dots": lambda _, __: "..",
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_is_refused_and_not_repeated(
    issuer: LocalIssuer, stranger: LocalIssuer, providers: IdentityProviders, name: str
) -> None:
    token = FORGED[name](issuer, stranger)
    stranger.fetched.clear()
    with pytest.raises(CredentialsError) as caught:
        await providers.authenticate(token, NOW)
    told = str(caught.value)
    assert not any(part in told for part in (*token.split("."), "acme", "eve") if part)
    assert stranger.fetched == []
    # And the same providers still take a good one.
    assert (await providers.authenticate(issuer.token(), NOW + RETRY_AFTER)).role is Role.CI


def test_there_are_forty_forged_ones_at_least() -> None:
    assert len(FORGED) >= 40


async def test_keys_are_fetched_once_for_many(issuer: LocalIssuer, providers: IdentityProviders) -> None:
    await asyncio.gather(*(providers.authenticate(issuer.token(), NOW) for _ in range(20)))
    assert issuer.fetched == ["/.well-known/openid-configuration", "/keys"]


async def test_keys_that_are_named_in_the_file_need_no_discovery(issuer: LocalIssuer) -> None:
    providers = IdentityProviders([configured(issuer, jwks_url=f"{issuer.url}/keys")])
    await providers.authenticate(issuer.token(), NOW)
    assert issuer.fetched == ["/keys"]


async def test_a_new_key_is_found_and_one_that_is_gone_is_not_taken_for_long(issuer: LocalIssuer) -> None:
    providers = IdentityProviders([configured(issuer)])
    await providers.authenticate(issuer.token(), NOW)
    issuer.add_key("rotated")
    try:
        rotated = issuer.token("rotated")
        with pytest.raises(CredentialsError):
            await providers.authenticate(rotated, NOW + 1)
        assert (await providers.authenticate(rotated, NOW + RETRY_AFTER)).role is Role.CI
    finally:
        del issuer.keys["rotated"]
    later = NOW + RETRY_AFTER + TRUSTED_FOR
    with pytest.raises(CredentialsError, match="does not have"):
        await providers.authenticate(rotated, later)


async def test_unknown_keys_do_not_make_us_fetch_over_and_over(issuer: LocalIssuer) -> None:
    providers = IdentityProviders([configured(issuer)])
    for number in range(20):
        with pytest.raises(CredentialsError):
            await providers.authenticate(issuer.token(header={"kid": f"k{number}"}), NOW + number)
    assert issuer.fetched.count("/keys") == 1


@pytest.mark.parametrize(
    "reply",
    [(500, b""), (302, b""), (200, b"nonsense"), (200, b'{"keys": []}'), (200, b'{"keys": [{"kty": "oct"}]}'),
     (200, b"x" * (1024 * 1024 + 1))],
    ids=["error", "redirect", "nonsense", "no keys", "secret key", "endless"],
)  # fmt: skip
async def test_the_last_good_keys_are_kept_while_the_issuer_is_in_trouble(
    issuer: LocalIssuer, reply: tuple[int, bytes]
) -> None:
    providers = IdentityProviders([configured(issuer)])
    await providers.authenticate(issuer.token(), NOW)
    issuer.replies["/keys"] = reply
    later = NOW + FRESH_FOR
    assert (await providers.authenticate(issuer.token(iat=later, exp=later + 60), later)).role is Role.CI
    while issuer.fetched.count("/keys") < 2:  # noqa: ASYNC110 - the server has a thread of its own
        # The request did not wait for it; it comes, or this test never ends.
        await asyncio.sleep(0.01)
    assert "/elsewhere" not in issuer.fetched


async def test_keys_count_for_a_day_while_the_issuer_is_down_and_no_longer(issuer: LocalIssuer) -> None:
    providers = IdentityProviders([configured(issuer)])
    await providers.authenticate(issuer.token(), NOW)
    issuer.replies["/keys"] = (500, b"")
    last = NOW + KEPT_FOR - 1
    assert (await providers.authenticate(issuer.token(iat=last, exp=last + 60), last)).role is Role.CI
    for later in (NOW + KEPT_FOR, NOW + 7 * KEPT_FOR):
        with pytest.raises(IssuerUnavailableError):
            await providers.authenticate(issuer.token(iat=later, exp=later + 60), later)
    del issuer.replies["/keys"]
    back = NOW + 7 * KEPT_FOR + RETRY_AFTER
    assert (await providers.authenticate(issuer.token(iat=back, exp=back + 60), back)).role is Role.CI


@pytest.mark.parametrize(
    ("discovered", "replies"),
    [
        ({}, {"/keys": (500, b"")}),
        ({}, {"/.well-known/openid-configuration": (404, b"")}),
        ({"issuer": "https://another.example"}, {}),
        ({"jwks_uri": "http://another.example/keys"}, {}),
        ({"jwks_uri": "file:///etc/passwd"}, {}),
        ({"jwks_uri": 5}, {}),
    ],
)
async def test_without_any_keys_it_is_said_that_the_issuer_is_away(
    issuer: LocalIssuer, discovered: dict[str, Any], replies: dict[str, tuple[int, bytes]]
) -> None:
    issuer.discovered.update(discovered)
    issuer.replies.update(replies)
    with pytest.raises(IssuerUnavailableError):
        await IdentityProviders([configured(issuer)]).authenticate(issuer.token(), NOW)


async def test_an_issuer_that_is_not_there_is_away() -> None:
    gone = LocalIssuer()
    gone.add_key("one")
    gone.close()
    with pytest.raises(IssuerUnavailableError):
        await IdentityProviders([configured(gone)]).authenticate(gone.token(), NOW)


async def test_fetching_follows_no_redirect(issuer: LocalIssuer) -> None:
    issuer.replies["/keys"] = (302, b"")
    with pytest.raises(ValueError, match="302"):
        await fetch(Outbound(), f"{issuer.url}/keys")


GOOD = {
    "issuers": [
        {"issuer": "https://x.example", "audience": "a", "rules": [{"claims": {"sub": "x"}, "role": "ci"}]}
    ]
}

FILE = """\
issuers:
  - issuer: https://x.example
    audience: a
    rules:
      - claims:
          sub: x
        role: ci
"""


PEOPLE = """\
sign_in:
  - id: acme
    name: Acme
    issuer: https://id.example
    client_id: freezegate
    rules:
      - groups: [sre]
        role: ops
"""


def test_the_issuers_that_people_sign_in_at_are_read(tmp_path: Path) -> None:
    file = tmp_path / "identity.yaml"
    file.write_text(PEOPLE)
    read = read_identity_file(file, {})
    assert read.issuers == []
    (issuer,) = read.sign_in
    assert issuer.scopes == ["openid", "profile", "email"]
    assert issuer.client_secret(tmp_path, {}) is None
    (tmp_path / "secret").write_text("s e c\n")
    file.write_text(f"{PEOPLE}    client_secret_file: secret\n")
    (issuer,) = read_identity_file(file, {}).sign_in
    assert issuer.client_secret(tmp_path, {}) == "s e c"
    file.write_text(f"{PEOPLE}    client_secret_env: ACME\n")
    (issuer,) = read_identity_file(file, {"ACME": "x"}).sign_in
    assert issuer.client_secret(tmp_path, {"ACME": "x"}) == "x"


def test_the_file_of_issuers_is_read(tmp_path: Path) -> None:
    file = tmp_path / "identity.yaml"
    file.write_text(json.dumps(GOOD))
    (read,) = read_identity_file(file, {}).issuers
    assert (read.issuer, read.rules[0].role) == ("https://x.example", Role.CI)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("issuers: [", r"identity\.yaml:2:1: the file ends here"),
        ("", "identity.yaml:1:1: the file is empty"),
        ("issuers: []", "1:10: issuers: an empty list"),
        ("issuer: {}", 'unknown key "issuer"; did you mean "issuers"'),
        (
            FILE.replace("audience: a", "audience: a\n    audience: b"),
            '4:5: .*"audience" is here twice, first in line 3',
        ),
        (FILE.replace("audience", "audiance"), r'3:5: issuers\[0\]\.audiance: .* did you mean "audience"'),
        (
            FILE.replace("role: ci", "role: cI"),
            r'7:15: .*role: "cI" is not one of viewer, ci, .* did you mean "ci"',
        ),
        (FILE + "        services:\n", r"8:18: .*\.services: nothing stands behind this key"),
        (FILE + "        services: checkout\n", r"services: expected a list, not a text; write \[checkout\]"),
        (FILE + "        services: [Check out]\n", r"services\[0\]: .*can't be used: a name is 1 to 128"),
        (
            FILE.replace("sub: x", "sub: [x]"),
            r"claims\.sub: must be a text, a whole number, or true or false",
        ),
        (FILE.replace("sub: x", "sub: ~"), r"claims\.sub: nothing stands behind this key"),
        (FILE.replace("sub: x", "sub: !!str x"), "tags such as !name have no meaning here"),
        (FILE.replace("https://", ""), r"2:13: issuers\[0\]\.issuer: must begin with https://"),
        (FILE + FILE.removeprefix("issuers:\n"), r"8:13: issuers\[1\]\.issuer: .*stands in line 2 already"),
        (json.dumps(GOOD).replace("https:", "http:"), "must begin with https"),
        (json.dumps(GOOD).replace("audience", "audiance"), "audiance"),
        (json.dumps(GOOD).replace('"ci"', '"boss"'), "role"),
        (json.dumps(GOOD).replace('{"sub": "x"}', "{}"), "claims"),
        (json.dumps(GOOD).replace('{"sub": "x"}', '{"sub": 1.5}'), "claims"),
        (json.dumps({"issuers": GOOD["issuers"] * 2}), "stands in line 1 already"),
        ("{}", "name issuers, sign_in or both"),
        (
            PEOPLE + PEOPLE.removeprefix("sign_in:\n"),
            r"sign_in\[1\]\.id: .*stands in line 2 already; give each",
        ),
        (
            PEOPLE.replace("groups: [sre]", "role: ops").replace("\n        role: ops", ""),
            "name claims or groups",
        ),
        (PEOPLE.replace("groups: [sre]", "groups: []"), "groups: an empty list"),
        (PEOPLE + "    scopes: [profile]\n", "scopes must include openid"),
        (PEOPLE + "    scopes: [openid, a b]\n", r"scopes\[1\]"),
        (
            PEOPLE + "    client_secret_env: FREEZEGATE_X\n",
            "variables that begin with FREEZEGATE_ are settings",
        ),
        (
            PEOPLE + "    client_secret_env: NOT_THERE\n",
            r"sign_in\[0\]: the variable NOT_THERE is empty or not set",
        ),
        (
            PEOPLE + "    client_secret_file: none\n",
            r"sign_in\[0\]: the file none can't be read: No such file",
        ),
        (PEOPLE + "    client_secret_file: a\n    client_secret_env: B\n", "not both"),
        (PEOPLE.replace("id: acme", "id: A/B"), r"sign_in\[0\]\.id: .*can't be used: an id is 1 to 64"),
        (PEOPLE.replace("https://", "http://"), "must begin with https://"),
    ],
)
def test_a_wrong_file_of_issuers_says_where(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "identity.yaml"
    file.write_text(content)
    with pytest.raises(IdentityFileError, match=said) as raised:
        read_identity_file(file, {})
    assert "pydantic" not in str(raised.value)
    assert "Input should" not in str(raised.value)


def test_every_mistake_of_a_file_of_issuers_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "identity.yaml"
    file.write_text(FILE.replace("audience", "audiance").replace("role: ci", "role: boss"))
    with pytest.raises(IdentityFileError) as raised:
        read_identity_file(file, {})
    assert [problem.line for problem in raised.value.problems] == [3, 7]


def test_claims_are_read_as_yaml_1_2(tmp_path: Path) -> None:
    file = tmp_path / "identity.yaml"
    file.write_text(
        FILE.replace(
            "sub: x", "a: NO\n          b: 12:30\n          on: yes\n          c: 0123\n          d: '0123'"
        )
    )
    (read,) = read_identity_file(file, {}).issuers
    assert read.rules[0].claims == {"a": "NO", "b": "12:30", "on": "yes", "c": 123, "d": "0123"}


def test_a_file_of_issuers_that_is_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "identity.yaml"
    file.write_bytes(b"issuers:\n  - \xff\n")
    with pytest.raises(IdentityFileError, match=":2:1: the file is not UTF-8 from here on"):
        read_identity_file(file, {})


def test_the_example_of_the_page_is_good(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/ci/without-a-secret.md").read_text()
    file = tmp_path / "identity.yaml"
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    assert [issuer.audience for issuer in read_identity_file(file, {}).issuers] == [
        "freezegate",
        "freezegate",
    ]


def test_the_sections_of_the_page_about_signing_in_are_good(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/sign-in.md").read_text()
    examples = [part.partition("```")[0] for part in page.split("```yaml\n")[1:]]
    assert len(examples) == 7
    for example in examples:
        (tmp_path / "identity.yaml").write_text(example)
        (issuer,) = read_identity_file(tmp_path / "identity.yaml", {"OIDC_CLIENT_SECRET": "x"}).sign_in
        assert issuer.rules


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(IdentityFileError, match="can't be read"):
        read_identity_file(tmp_path / "identity.yaml", {})
