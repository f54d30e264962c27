import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.core.policy import PolicySet
from app.gate import keys
from app.gate.errors import InvalidFieldError, UnknownRecordError
from app.gate.keys import KeyRequest
from app.gate.store_cache import caller_of
from app.identity.caller import Role
from app.identity.credentials import digest, is_key, new_key
from app.identity.oidc.vendors import person_of, vendor_of
from app.main import create_app
from app.settings import Settings, SettingsError
from app.store.records import KeyRecord
from app.store.store import Store
from tests.api.fakes import FakeClock
from tests.gate.conftest import AFTER, Gate
from tests.store.records import assert_whole

pytestmark = pytest.mark.anyio


async def test_a_key_is_made_for_somebody_and_known_by_its_hash_only(gate: Gate) -> None:
    wanted = KeyRequest(" pipeline ", Role.CI, ("api",), AFTER + 60, " Ada Lovelace ", ("team-*",))
    record, key = keys.create(gate.store, gate.clock, wanted, "alice")
    assert is_key(key)
    await gate.cache.refresh()
    assert gate.cache.key(digest(key)) == record
    assert record[1:] == (
        "pipeline",
        "ci",
        ("api",),
        "alice",
        AFTER,
        AFTER + 60,
        None,
        "Ada Lovelace",
        ("team-*",),
    )
    assert_whole(gate.store)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (KeyRequest("", Role.CI), "name"),
        (KeyRequest("  ", Role.CI), "name"),
        (KeyRequest("a\x00b", Role.CI), "name"),
        (KeyRequest("alice", Role.VIEWER, ("api",)), "services"),
        (KeyRequest("alice", Role.VIEWER, tags=("tier-1",)), "tags"),
        (KeyRequest("alice", Role.OPS, ("Team A",)), "services"),
        (KeyRequest("alice", Role.OPS, tags=("",)), "tags"),
        (KeyRequest("alice", Role.OPS, None, AFTER), "expires_at"),
        (KeyRequest("alice", Role.OPS, person=" "), "person"),
        (KeyRequest("alice", Role.OPS, person="a\u200bda"), "person"),
        (KeyRequest("alice", Role.OPS, person="a" * 257), "person"),
        # Of somebody who means the person of an identity token, and would be another one.
        (KeyRequest("alice", Role.OPS, person="https://token.actions.githubusercontent.com"), "person"),
        (KeyRequest("alice", Role.OPS, person="https://token.actions.githubusercontent.com#1234"), "person"),
        (KeyRequest("alice", Role.OPS, person="https://gitlab.example#actor=ada"), "person"),
        (KeyRequest("alice", Role.OPS, person="http://gitlab.example#user_id=1"), "person"),
        (KeyRequest("alice", Role.OPS, person="token.actions.githubusercontent.com#actor_id=1"), "person"),
        (KeyRequest("alice", Role.OPS, person="GitHub:acme/checkout@ada"), "person"),
    ],
)
async def test_a_key_makes_sense(gate: Gate, wanted: KeyRequest, field: str) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        keys.create(gate.store, gate.clock, wanted, "alice")
    assert caught.value.field == field
    assert keys.all_of_them(gate.store) == []


async def test_a_key_is_revoked_once_and_stays_on_record(gate: Gate) -> None:
    record, _ = keys.create(gate.store, gate.clock, KeyRequest("alice", Role.OPS), "root")
    revoked = keys.revoke(gate.store, gate.clock, record.id, "root")
    gate.clock.at += 60
    assert keys.revoke(gate.store, gate.clock, record.id, "root") == revoked
    assert keys.all_of_them(gate.store) == [revoked]
    with pytest.raises(UnknownRecordError):
        keys.revoke(gate.store, gate.clock, "key_0", "root")


async def test_the_first_start_makes_an_admin_key_and_shows_it_once(gate: Gate) -> None:
    shown: list[str] = []
    assert keys.begin(gate.store, gate.clock, None, shown.append)
    assert keys.begin(gate.store, gate.clock, None, shown.append)
    (key,) = shown
    (record,) = keys.all_of_them(gate.store)
    assert (record.name, record.role) == ("admin", "admin")
    await gate.cache.refresh()
    assert gate.cache.key(digest(key)) == record


async def test_a_key_that_the_settings_give_is_taken_once_and_not_shown(gate: Gate) -> None:
    given, shown = new_key(), list[str]()
    assert keys.begin(gate.store, gate.clock, given, shown.append)
    assert keys.begin(gate.store, gate.clock, new_key(), shown.append)
    assert shown == []
    await gate.cache.refresh()
    assert gate.cache.key(digest(given)) is not None
    assert len(keys.all_of_them(gate.store)) == 1


async def test_where_nobody_would_see_it_no_key_is_made(gate: Gate) -> None:
    assert not keys.begin(gate.store, gate.clock, None, None)
    assert keys.all_of_them(gate.store) == []


@pytest.mark.parametrize("given", ["secret", "fzk_" + "0" * 39, "fzo_" + "0" * 39])
async def test_what_is_no_key_is_not_taken_for_one(gate: Gate, given: Any) -> None:
    with pytest.raises(SettingsError, match="FREEZEGATE_ADMIN_KEY is not an API key") as caught:
        keys.begin(gate.store, gate.clock, given, None)
    assert given not in str(caught.value)


async def test_a_key_of_somebody_who_has_an_identity_token_too_is_of_the_same_person(gate: Gate) -> None:
    claims = {"repository": "acme/checkout", "actor_id": "1234"}
    person = person_of(vendor_of(claims), claims, "https://GitHub.example")
    wanted = KeyRequest("alice", Role.OPS, person="https://GitHub.example#actor_id=1234")
    record, _ = keys.create(gate.store, gate.clock, wanted, "root")
    assert caller_of(record).person == person
    assert keys.is_of_a_token(str(person))


@pytest.mark.parametrize("identity", [None, "ci", "ops"])
async def test_where_approvals_are_asked_for_a_start_names_keys_that_can_hardly_approve(
    tmp_path: Path, policy_file: Path, caplog: pytest.LogCaptureFixture, identity: str | None
) -> None:
    url = f"sqlite:///{tmp_path / 'gate.db'}"
    store = Store.open(url)
    given = {
        "nobody": KeyRequest("nobody", Role.OPS),
        "boss": KeyRequest("boss", Role.ADMIN, person="The boss"),
        "both": KeyRequest("both", Role.OPS, person="https://ci.example#actor_id=1"),
        "pipeline": KeyRequest("pipeline", Role.CI),
        "expired": KeyRequest("expired", Role.OPS, expires_at=AFTER + 60),
        "revoked": KeyRequest("revoked", Role.OPS),
    }
    made = {name: keys.create(store, FakeClock(AFTER), each, "root")[0] for name, each in given.items()}
    keys.revoke(store, FakeClock(AFTER), made["revoked"].id, "root")
    store.let_go()
    settings = Settings(policies=policy_file, database_url=SecretStr(url))
    if identity is not None:
        file = tmp_path / "identity.yaml"
        rule = f"{{claims: {{repository: acme/checkout}}, role: {identity}}}"
        file.write_text(f"issuers:\n  - {{issuer: 'https://ci.example', audience: gate, rules: [{rule}]}}\n")
        settings = settings.model_copy(update={"identity": file})
    with caplog.at_level(logging.WARNING):
        application = create_app(settings, clock=FakeClock(AFTER + 60))
        async with application.router.lifespan_context(application):
            pass
    told = {
        name: each.__dict__["fields"]["keys"]
        for each in caplog.records
        for name in ("belong to no person", "other people there")
        if name in each.message
    }
    expected = {"belong to no person": ["nobody"]}
    assert told == expected | ({"other people there": ["boss"]} if identity == "ops" else {})


@pytest.mark.parametrize(
    ("role", "claim", "doubtful"),
    [
        ("ops", "sub", ["by name", "elsewhere", "other claim"]),
        ("ops", "user_id", ["by name", "elsewhere", "right"]),
        ("viewer", "sub", None),
    ],
)
async def test_where_people_sign_in_a_start_names_keys_of_other_people_than_those(
    tmp_path: Path,
    policy_file: Path,
    caplog: pytest.LogCaptureFixture,
    role: str,
    claim: str,
    doubtful: list[str] | None,
) -> None:
    url = f"sqlite:///{tmp_path / 'gate.db'}"
    store = Store.open(url)
    given = {
        "by name": "ada@example.com",
        "elsewhere": "https://token.actions.githubusercontent.com#actor_id=7",
        "other claim": "https://ID.example#user_id=7",
        "right": "https://ID.example#sub=7",
    }
    for name, person in given.items():
        keys.create(store, FakeClock(AFTER), KeyRequest(name, Role.OPS, person=person), "root")
    store.let_go()
    rule = f"{{groups: [sre], role: {role}}}"
    named = "id: acme, name: A, issuer: 'https://id.example', client_id: c"
    section = f"{{{named}, person_claim: {claim}, rules: [{rule}]}}"
    (tmp_path / "identity.yaml").write_text(f"sign_in:\n  - {section}\n")
    settings = Settings(
        policies=policy_file, database_url=SecretStr(url), identity=tmp_path / "identity.yaml"
    )
    with caplog.at_level(logging.WARNING):
        application = create_app(settings, clock=FakeClock(AFTER + 60))
        async with application.router.lifespan_context(application):
            pass
    told = [each.__dict__["fields"] for each in caplog.records if "other people there" in each.message]
    if doubtful is None:
        assert told == []
    else:
        assert told == [{"keys": doubtful, "persons": [f"https://id.example#{claim}=ID"]}]


def test_where_no_approvals_are_asked_for_no_key_is_doubtful() -> None:
    key = KeyRecord("key_1", "alice", "ops", None, "", AFTER, None, None)
    asking = PolicySet.model_validate({"version": 1, "policies": [], "overrides": {"approvals": 1}})
    assert keys.doubtful_approvers([key], asking, AFTER).without_person == ["alice"]
    quiet = PolicySet.model_validate({"version": 1, "policies": [], "overrides": {"approvals": 0}})
    assert keys.doubtful_approvers([key], quiet, AFTER) == ([], [])
