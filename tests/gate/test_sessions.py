"""Sessions on a real store: while it is away, and that a revoked one is over everywhere."""

from pathlib import Path

import pytest

from app.gate import keys
from app.gate.errors import StoreUnavailableError, UnauthenticatedError, UnknownRecordError
from app.gate.keys import KeyRequest
from app.gate.sessions import LIFETIME, MOST_REMEMBERED, Sessions
from app.gate.store_cache import caller_of
from app.identity.caller import Caller, Role
from app.identity.credentials import new_session
from tests.api.fakes import FakeClock
from tests.gate.conftest import ADMIN, Gate, gate_on

pytestmark = pytest.mark.anyio


async def opened(gate: Gate, sessions: Sessions) -> str:
    record, _ = keys.create(gate.store, gate.clock, KeyRequest("alice", Role.OPS), "test")
    gate.cache.load()
    return await sessions.open(caller_of(record), "a browser")


async def test_a_session_revoked_on_one_replica_is_over_on_the_other_at_once(gate: Gate, other: Gate) -> None:
    here = Sessions(gate.store, gate.cache)
    there = Sessions(other.store, other.cache)
    secret = await opened(gate, here)
    other.cache.load()
    caller = await there.caller(secret, from_memory=True)
    assert caller is not None
    assert caller.session_id is not None
    await here.close(caller, caller.session_id)
    assert await there.caller(secret, from_memory=True) is None
    assert await here.caller(secret, from_memory=True) is None


PERSON = Caller("ada@example.org", Role.OPS, ("shop/*",), person="https://id.example#sub=7", tags=("shop",))
ISSUER = "https://id.example"


def sessions_of_people(gate: Gate) -> Sessions:
    """Return sessions whose issuer and rules are all still there."""
    sessions = Sessions(gate.store, gate.cache)
    sessions.still_given = lambda _issuer, _caller: True
    return sessions


async def test_a_session_of_a_person_has_what_the_issuer_gave_and_lasts_twelve_hours(gate: Gate) -> None:
    sessions = sessions_of_people(gate)
    secret = await sessions.open_of_person(PERSON, ISSUER, "a browser")
    caller = await sessions.caller(secret, from_memory=False)
    assert caller is not None
    assert caller == PERSON._replace(session_id=caller.session_id)
    gate.clock.at += LIFETIME - 1
    assert await sessions.caller(secret, from_memory=False) == caller
    gate.clock.at += 1
    assert await sessions.caller(secret, from_memory=False) is None


async def test_sessions_of_people_are_seen_and_closed_by_themselves_and_by_admins(gate: Gate) -> None:
    sessions = sessions_of_people(gate)
    eve = Caller("eve", Role.ADMIN, ("api",), person="https://id.example#sub=8")
    secrets = [await sessions.open_of_person(each, ISSUER, "") for each in (PERSON, PERSON, eve)]
    key_secret = await opened(gate, sessions)
    ada, _, scoped = [await sessions.caller(each, from_memory=False) for each in secrets]
    of_key = await sessions.caller(key_secret, from_memory=False)
    assert ada is not None
    assert scoped is not None
    assert of_key is not None
    # An admin of a team is no admin of the sessions of others.
    assert [len(await sessions.listed(each)) for each in (ada, scoped, of_key, ADMIN)] == [2, 1, 1, 4]
    assert {(each.name, each.role) for each in await sessions.listed(ada)} == {("ada@example.org", "ops")}
    for stranger in (scoped, of_key):
        with pytest.raises(UnknownRecordError):
            await sessions.close(stranger, str(ada.session_id))
    await sessions.close(ada, str(ada.session_id))
    await sessions.close(ADMIN, str(scoped.session_id))
    assert [await sessions.caller(each, from_memory=False) is None for each in secrets] == [True, False, True]


async def test_the_person_of_a_key_and_of_an_issuer_are_one_if_the_key_names_it(gate: Gate) -> None:
    sessions = sessions_of_people(gate)
    wanted = KeyRequest("ada-laptop", Role.OPS, person="https://id.example#sub=7")
    record, _ = keys.create(gate.store, gate.clock, wanted, "test")
    gate.cache.load()
    await sessions.open(caller_of(record), "")
    await sessions.open_of_person(PERSON, ISSUER, "")
    assert [len(await sessions.listed(each)) for each in (PERSON, caller_of(record))] == [2, 2]


async def test_a_session_of_a_person_is_over_where_its_issuer_or_rights_are_given_no_longer(
    gate: Gate,
) -> None:
    sessions = Sessions(gate.store, gate.cache)
    secret = await sessions.open_of_person(PERSON, ISSUER, "")
    key_secret = await opened(gate, sessions)
    assert await sessions.caller(secret, from_memory=True) is None, "a gate without sign-ins knows no people"
    asked = []

    def still_given(issuer: str | None, caller: Caller) -> bool:
        asked.append((issuer, caller._replace(session_id=None)))
        return len(asked) == 1

    sessions.still_given = still_given
    assert await sessions.caller(secret, from_memory=True) is not None
    assert await sessions.caller(secret, from_memory=True) is None
    assert asked == [(ISSUER, PERSON)] * 2
    assert await sessions.caller(key_secret, from_memory=True) is not None


@pytest.mark.parametrize("of_key", [False, True])
async def test_a_session_revoked_since_it_was_looked_up_changes_nothing(gate: Gate, *, of_key: bool) -> None:
    sessions = sessions_of_people(gate)
    secret = await (opened(gate, sessions) if of_key else sessions.open_of_person(PERSON, ISSUER, ""))
    caller = await sessions.caller(secret, from_memory=False)
    assert caller is not None
    gate.store.transact(lambda transaction: gate.cache.check_caller(caller, transaction))
    await sessions.close(ADMIN, str(caller.session_id))
    with pytest.raises(UnauthenticatedError, match="this session is over"):
        gate.store.transact(lambda transaction: gate.cache.check_caller(caller, transaction))
    unknown = caller._replace(session_id="ses_unknown")
    with pytest.raises(UnauthenticatedError, match="this session is over"):
        gate.store.transact(lambda transaction: gate.cache.check_caller(unknown, transaction))


@pytest.fixture
async def away(tmp_path: Path, policy_file: Path, clock: FakeClock) -> Gate:
    return gate_on(f"sqlite:///{tmp_path / 'away.db'}", policy_file, clock)


def take_away(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "away.db").rename(tmp_path / "taken.db")


async def test_while_the_store_is_away_a_session_seen_before_reads_and_does_nothing_else(
    away: Gate, tmp_path: Path
) -> None:
    sessions = Sessions(away.store, away.cache)
    secret, unseen = await opened(away, sessions), await opened(away, sessions)
    known = await sessions.caller(secret, from_memory=True)
    take_away(away, tmp_path)
    assert known is not None
    assert await sessions.caller(secret, from_memory=True) == known
    for tried, from_memory in ((secret, False), (unseen, True), (new_session(), True)):
        with pytest.raises(StoreUnavailableError):
            await sessions.caller(tried, from_memory=from_memory)
    assert await sessions.caller("fzs_nonsense", from_memory=True) is None
    away.clock.at += LIFETIME
    assert await sessions.caller(secret, from_memory=True) is None
    await away.store.close()


async def test_a_session_that_was_revoked_is_not_remembered(away: Gate, tmp_path: Path) -> None:
    sessions = Sessions(away.store, away.cache)
    secret = await opened(away, sessions)
    caller = await sessions.caller(secret, from_memory=True)
    assert caller is not None
    assert caller.session_id is not None
    await sessions.close(caller, caller.session_id)
    assert await sessions.caller(secret, from_memory=True) is None
    take_away(away, tmp_path)
    with pytest.raises(StoreUnavailableError):
        await sessions.caller(secret, from_memory=True)
    await away.store.close()


async def test_memory_of_sessions_is_bounded_and_keeps_those_in_use(
    away: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gate.sessions.MOST_REMEMBERED", 3)
    assert MOST_REMEMBERED > 3
    sessions = Sessions(away.store, away.cache)
    secrets = [await opened(away, sessions) for _ in range(4)]
    for secret in (secrets[0], secrets[1], secrets[2], secrets[0], secrets[3]):
        await sessions.caller(secret, from_memory=True)
    take_away(away, tmp_path)
    assert await sessions.caller(secrets[0], from_memory=True) is not None
    with pytest.raises(StoreUnavailableError):
        await sessions.caller(secrets[1], from_memory=True)
    await away.store.close()
