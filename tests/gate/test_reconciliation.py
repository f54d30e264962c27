"""The tables agree with the record: whatever is changed in one of them is named."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, update

from app.core.audit import GENESIS, Checkpoint, Event, chained
from app.core.decision import Question
from app.core.instant import DAY, HOUR
from app.core.policy import Selector
from app.gate import keys
from app.gate.claim import Claim
from app.gate.decision_rows import is_plain_row
from app.gate.errors import StoreUnavailableError
from app.gate.findings import MOST_NAMED, Difference
from app.gate.freezes import StartRequest
from app.gate.keys import KeyRequest
from app.gate.outcomes import Outcomes, Report
from app.gate.overrides import GrantRequest
from app.gate.record import Verification, verify
from app.gate.sessions import FORGOTTEN_AFTER, LIFETIME, Sessions
from app.gate.store_cache import caller_of
from app.identity.caller import Caller, Role
from app.identity.credentials import digest
from app.store.tables import events, head
from tests.api.fakes import FakeClock
from tests.gate.conftest import AFTER, FRIDAY, OPS, OTHER, Gate, gate_on

pytestmark = pytest.mark.anyio


@pytest.fixture
async def lived_in(busy: Gate) -> Gate:
    """A gate on which everything has happened, some of it twice, and some still stands."""
    wanted = GrantRequest(("api",), ("production",), None, "Again.", AFTER + HOUR, 2)
    _, token = await busy.overrides.grant(OPS, wanted, busy.in_force)
    made = Claim(Question("api"), token=digest(token), idempotency_key="k", caller=OTHER)
    claimed = await busy.claims.claim(made, busy.in_force)
    await Outcomes(busy.store, busy.clock, busy.cache).report(
        OPS, Report(json.loads(claimed.body)["decision_id"], "failed", "INC-1")
    )
    request = StartRequest(
        "Second",
        "It burns.",
        Selector.model_validate({"services": ["api"]}),
        None,
        None,
        "never",
        "#ops",
        "https://x.example",
    )
    await busy.freezes.start(OPS, request, busy.in_force)
    record, _ = keys.create(busy.store, busy.clock, KeyRequest("ci", Role.CI, ("api",), None, "Ada"), "root")
    busy.cache.load()
    sessions = Sessions(busy.store, busy.cache)
    secret = await sessions.open(caller_of(record), "a browser")
    caller = await sessions.caller(secret, from_memory=False)
    assert caller is not None
    assert caller.session_id is not None
    await sessions.close(caller, caller.session_id)
    await sessions.open(caller_of(record), "another browser")
    person = Caller("ada", Role.OPS, ("api",), person="https://id.example#sub=7", tags=("tier-1",))
    await sessions.open_of_person(person, "https://id.example", "a third browser")
    return busy


def verified(gate: Gate) -> Verification:
    return verify(gate.store.query)


async def test_tables_that_nobody_touched_agree_with_the_record(lived_in: Gate) -> None:
    found = verified(lived_in)
    assert found.fault is None
    assert found.differences == ()
    assert found.unproven == {}
    assert found.whole


MONTH_END = """  - id: month-end
    title: Month end
    reason: 'The books: "closed"], "opens_at": soon.'
    effect: warn
    when:
      - always: true
"""


async def test_the_policies_that_warned_are_in_the_row_and_agree_with_the_record(
    tmp_path: Path, clock: FakeClock
) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text(FRIDAY + MONTH_END + MONTH_END.replace("month-end", "quarter-end"))
    gate = gate_on(f"sqlite:///{tmp_path / 'gate.db'}", file, clock)
    await gate.claims.claim(Claim(Question("api")), gate.in_force)
    await gate.claims.claim(Claim(Question("api", "staging")), gate.in_force)
    rows = gate.store.query(lambda view: view.decision_rows(0, 9))
    assert [(row.outcome, row.blocking, row.warnings) for row in rows.values()] == [
        ("deny", "friday", "month-end,quarter-end"),
        ("warn", None, "month-end,quarter-end"),
    ]
    links = gate.store.query(lambda view: view.events_after(0, 9))
    assert [is_plain_row(link, rows[link.seq]) for link in links if link.seq in rows] == [True, True]
    assert verified(gate).whole
    await gate.store.close()


TAMPERED = {
    "a decision is deleted": ("DELETE FROM decisions WHERE outcome = 'deny'", "decisions", "is missing"),
    "a decision is allowed": (
        "UPDATE decisions SET outcome = 'allow' WHERE outcome = 'deny'",
        "decisions",
        "outcome",
    ),
    "a decision takes longer": ("UPDATE decisions SET duration = duration + 1", "decisions", "in duration"),
    "a decision is moved in time": ("UPDATE decisions SET at = at + 1", "decisions", "in at"),
    "a decision is somebody else's": ("UPDATE decisions SET caller = 'eve'", "decisions", "caller"),
    "a key is another deploy's": (
        "UPDATE decisions SET idempotency_key = 'x' WHERE idempotency_key = 'k'",
        "decisions",
        "idempotency_key",
    ),
    "what blocked is forgotten": (
        "UPDATE decisions SET blocking = NULL WHERE blocking IS NOT NULL",
        "decisions",
        "blocking",
    ),
    "a warning is made up": ("UPDATE decisions SET warnings = 'friday'", "decisions", "warnings"),
    "an outcome is deleted": ("DELETE FROM outcomes", "outcomes", "is missing"),
    "an outcome is mended": ("UPDATE outcomes SET result = 'succeeded'", "outcomes", "result"),
    "an override lives longer": (
        "UPDATE overrides SET expires_at = expires_at + 9",
        "overrides",
        "expires_at",
    ),
    "an override has more uses": ("UPDATE overrides SET max_uses = 5", "overrides", "max_uses"),
    "an override is for all": ("UPDATE overrides SET services = '[\"*\"]'", "overrides", "services"),
    "an override is of another token": (
        "UPDATE overrides SET digest = 'x' WHERE revoked_at IS NULL",
        "overrides",
        "fingerprint",
    ),
    "an override is another's": ("UPDATE overrides SET granter = 'eve'", "overrides", "granter"),
    "an override is not revoked": (
        "UPDATE overrides SET revoked_at = NULL, revoked_by = NULL",
        "overrides",
        "revoked_by, revoked_at",
    ),
    "a use is given back": ("UPDATE overrides SET uses = 0", "overrides", "number of uses"),
    "a spend is removed": ("DELETE FROM spends", "spends", "is missing"),
    "an approval is removed": ("DELETE FROM approvals", "approvals", "is missing"),
    "an approval is another's": ("UPDATE approvals SET person = 'eve'", "approvals", "is missing"),
    "an approval is made up": (
        "INSERT INTO approvals SELECT id, 'eve', 'Eve', granted_at FROM overrides WHERE revoked_at IS NULL",
        "approvals",
        "in no event",
    ),
    "a freeze ends earlier": ("UPDATE freezes SET ends_at = starts_at + 1", "freezes", "ends_at"),
    "a freeze is lifted": (
        "UPDATE freezes SET lifted_at = starts_at, lifted_by = 'eve' WHERE lifted_at IS NULL",
        "freezes",
        "lifted_by, lifted_at",
    ),
    "a freeze may be overridden": (
        "UPDATE freezes SET override = 'token' WHERE override = 'never'",
        "freezes",
        "override",
    ),
    "a freeze is deleted": ("DELETE FROM freezes", "freezes", "is missing"),
    "a key is not revoked": ("UPDATE keys SET revoked_at = NULL", "keys", "revoked_at"),
    "a key is an admin's": ("UPDATE keys SET role = 'admin'", "keys", "role"),
    "a key is of another secret": (
        "UPDATE keys SET digest = 'x' WHERE revoked_at IS NULL",
        "keys",
        "fingerprint",
    ),
    "a key is another person's": ("UPDATE keys SET person = 'eve'", "keys", "person"),
    "a key is made up": (
        "INSERT INTO keys (id, digest, name, role, created_by, created_at) VALUES ('k', '', '', '', '', 1)",
        "keys",
        "in no event",
    ),
    "a session lasts longer": ("UPDATE sessions SET expires_at = expires_at + 1", "sessions", "expires_at"),
    "a session is not closed": ("UPDATE sessions SET revoked_at = NULL", "sessions", "revoked_at"),
    "a session is deleted": ("DELETE FROM sessions", "sessions", "is missing"),
    "a session has another role": ("UPDATE sessions SET role = 'admin'", "sessions", "role"),
    "a session has no scope": ("UPDATE sessions SET tags = NULL", "sessions", "tags"),
    "a session is another person's": (
        "UPDATE sessions SET person = 'eve' WHERE person IS NOT NULL",
        "sessions",
        "person",
    ),
    "policies are written anew": (
        "UPDATE policy_revisions SET sources = replace(sources, 'fri 14:00', 'fri 15:00')",
        "policy_revisions",
        "its text",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
async def test_a_row_that_was_tampered_with_is_named(lived_in: Gate, raw: Any, name: str) -> None:
    statement, table, what = TAMPERED[name]
    if lived_in.store._database.name.startswith("postgresql"):
        raw.execute("SET session_replication_role = replica")
    else:
        raw.execute("PRAGMA foreign_keys = OFF")
    raw.execute(statement)
    found = verified(lived_in)
    assert found.fault is None
    assert not found.whole
    assert [each for each in found.differences if each.table == table and what in each.what], (
        found.differences
    )


async def test_rows_at_places_of_other_events_or_of_none_are_named(lived_in: Gate, raw: Any) -> None:
    raw.execute("UPDATE decisions SET seq = 1 WHERE seq = (SELECT max(seq) FROM decisions)")
    found = verified(lived_in).differences
    assert {(each.table, each.what) for each in found} == {
        ("decisions", "event 1 is no decision"),
        ("decisions", "is missing"),
    }
    raw.execute("UPDATE decisions SET seq = 1000 WHERE seq = 1")
    assert (
        Difference("decisions", "1 row", "stands at places outside the record")
        in verified(lived_in).differences
    )


UNTOLD = ("fingerprint", "idempotency_key", "person", "browser", "granter")


def _older(data: dict[str, Any]) -> dict[str, Any]:
    """What an event would say if an older version had written it."""
    told = {name: value for name, value in data.items() if name not in UNTOLD}
    return {name: _older(value) if isinstance(value, dict) else value for name, value in told.items()}


def rewrite(gate: Gate, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Write the whole record anew, as somebody can who has the database."""
    links = gate.store.query(lambda view: view.events_after(0, 1_000))
    changed = [Event(*link[1:4], json.dumps(change(json.loads(link.data)))) for link in links]
    values: dict[str, Any] = {"data": bindparam("d"), "previous": bindparam("p"), "hash": bindparam("h")}
    statement = update(events).where(events.c.seq == bindparam("s")).values(values)
    with gate.store._database.writing() as connection:
        for link in chained(Checkpoint(0, GENESIS), changed):
            connection.change(statement, s=link.seq, d=link.data, p=link.previous, h=link.hash)
        connection.change(update(head).values(hash=bindparam("h")), h=link.hash)


async def test_events_of_older_versions_are_held_against_what_they_tell(lived_in: Gate, raw: Any) -> None:
    rewrite(lived_in, _older)
    raw.execute("UPDATE keys SET person = NULL")
    raw.execute("UPDATE sessions SET person = NULL")
    raw.execute("UPDATE overrides SET granter = NULL")
    found = verified(lived_in)
    assert found.fault is None
    assert found.differences == ()
    assert found.unproven == {
        "hashes of keys": 2,
        "hashes of tokens": 2,
        "hashes of sessions": 3,
        "idempotency keys of decisions": 1,
    }


async def test_events_that_cannot_be_read_are_told_and_stop_nothing(lived_in: Gate) -> None:
    rewrite(lived_in, lambda _: {})
    found = verified(lived_in)
    assert not found.whole
    assert found.unproven["events of kind decision that can't be read"] == 3


async def test_sessions_are_missed_until_the_gate_forgets_them_itself(lived_in: Gate) -> None:
    assert FORGOTTEN_AFTER == 30 * DAY
    (record, *_) = [key for key in keys.all_of_them(lived_in.store) if key.revoked_at is None]
    sessions = Sessions(lived_in.store, lived_in.cache)
    kept = len(lived_in.store.query(lambda view: view.session_rows()))
    lived_in.clock.at += LIFETIME + FORGOTTEN_AFTER
    await sessions.open(caller_of(record), "later")
    assert len(lived_in.store.query(lambda view: view.session_rows())) == kept + 1, "to the second"
    assert verified(lived_in).whole
    lived_in.clock.at += 1
    await sessions.open(caller_of(record), "later still")
    assert len(lived_in.store.query(lambda view: view.session_rows())) == 2
    assert verified(lived_in).whole


async def test_what_happens_while_the_record_is_verified_is_in_it(
    lived_in: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gate.page_check.TOGETHER", 3)
    (override,) = await lived_in.overrides.newest(usable=True, before=None, most=9)
    lifted = iter([freeze.id for freeze in lived_in.store.query(lambda view: view.newest_freezes(None, 1))])

    def look(query: Any) -> Any:
        found = lived_in.store.query(query)
        for own_id in lifted:
            lived_in.store.transact(partial(lived_in.freezes._lift, OPS, own_id, None))
            lived_in.store.transact(partial(lived_in.overrides._revoke, OPS, override.id))
        return found

    assert verify(look).whole


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("keys.services", "no JSON"),
        ("keys.tags", "5"),
        ("sessions.tags", "{"),
        ("overrides.services", "no JSON"),
        ("rollups.minute", "noon"),
        ("rollups.decisions", "x"),
        ("rollups.failed", "1.5"),
    ],
)
async def test_a_row_that_cannot_be_read_is_a_difference_and_stops_nothing(
    lived_in: Gate, raw: Any, column: str, text: str
) -> None:
    table, name = column.split(".")
    if table == "rollups" and lived_in.store._database.name.startswith("postgresql"):
        pytest.skip("a column of numbers takes no text")
    raw.execute("DELETE FROM outcomes")
    raw.execute(f"UPDATE {table} SET {name} = '{text}'")  # noqa: S608 - of this table
    assert {each.table for each in verified(lived_in).differences} >= {table, "outcomes"}


async def test_a_store_that_fails_is_no_row_that_cannot_be_read(
    lived_in: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr("app.store.view.View.key_digests", fail)
    with pytest.raises(StoreUnavailableError):
        verified(lived_in)


async def test_one_row_of_no_event_is_named_as_one(lived_in: Gate, raw: Any) -> None:
    raw.execute("INSERT INTO approvals SELECT id, 'eve', 'Eve', granted_at FROM overrides LIMIT 1")
    assert Difference("approvals", "1 row", "is in no event") in verified(lived_in).differences


async def test_more_differences_than_are_named_are_counted(lived_in: Gate, raw: Any) -> None:
    for _ in range(MOST_NAMED + 5):
        await lived_in.claims.claim(Claim(Question("web")), lived_in.in_force)
    raw.execute("UPDATE decisions SET actor = 'eve'")
    found = verified(lived_in)
    assert len(found.differences) == MOST_NAMED
    assert found.differing > MOST_NAMED + 5
