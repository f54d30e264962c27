from typing import Any

import pytest

from app.gate import keys
from app.gate.errors import InvalidFieldError, UnknownRecordError
from app.gate.keys import KeyRequest
from app.identity.caller import Role
from app.identity.credentials import digest, is_key, new_key
from app.settings import SettingsError
from tests.gate.conftest import AFTER, Gate
from tests.store.records import assert_whole

pytestmark = pytest.mark.anyio


async def test_a_key_is_made_for_somebody_and_known_by_its_hash_only(gate: Gate) -> None:
    wanted = KeyRequest(" pipeline ", Role.CI, ("api",), AFTER + 60, " Ada Lovelace ")
    record, key = keys.create(gate.store, gate.clock, wanted, "alice")
    assert is_key(key)
    await gate.replica.refresh()
    assert gate.replica.key(digest(key)) == record
    assert record[1:] == ("pipeline", "ci", ("api",), "alice", AFTER, AFTER + 60, None, "Ada Lovelace")
    assert_whole(gate.store)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (KeyRequest("", Role.CI), "name"),
        (KeyRequest("  ", Role.CI), "name"),
        (KeyRequest("a\x00b", Role.CI), "name"),
        (KeyRequest("alice", Role.OPS, ("api",)), "services"),
        (KeyRequest("alice", Role.OPS, None, AFTER), "expires_at"),
        (KeyRequest("alice", Role.OPS, person=" "), "person"),
        (KeyRequest("alice", Role.OPS, person="a\u200bda"), "person"),
        (KeyRequest("alice", Role.OPS, person="a" * 257), "person"),
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
    await gate.replica.refresh()
    assert gate.replica.key(digest(key)) == record


async def test_a_key_that_the_settings_give_is_taken_once_and_not_shown(gate: Gate) -> None:
    given, shown = new_key(), list[str]()
    assert keys.begin(gate.store, gate.clock, given, shown.append)
    assert keys.begin(gate.store, gate.clock, new_key(), shown.append)
    assert shown == []
    await gate.replica.refresh()
    assert gate.replica.key(digest(given)) is not None
    assert len(keys.all_of_them(gate.store)) == 1


async def test_where_nobody_would_see_it_no_key_is_made(gate: Gate) -> None:
    assert not keys.begin(gate.store, gate.clock, None, None)
    assert keys.all_of_them(gate.store) == []


@pytest.mark.parametrize("given", ["secret", "fzk_" + "0" * 39, "fzo_" + "0" * 39])
async def test_what_is_no_key_is_not_taken_for_one(gate: Gate, given: Any) -> None:
    with pytest.raises(SettingsError, match="FREEZEGATE_ADMIN_KEY is not an API key") as caught:
        keys.begin(gate.store, gate.clock, given, None)
    assert given not in str(caught.value)
