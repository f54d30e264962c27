"""Things to be stored, one like another but for what a test says."""

import json
from collections.abc import Callable

from app.core.audit import Event
from app.core.freeze import Freeze
from app.core.instant import format_instant
from app.core.override import Override
from app.core.policy import Selector
from app.gate.record import verify
from app.policies.source import Snapshot
from app.store.records import DecisionFilter, DecisionRow, KeyRecord, PolicyRevision, StoredDecision
from app.store.store import Store
from app.store.transaction import Transaction

NOW = 1_795_784_700
_SOURCES = Snapshot.of("version: 1\n")
POLICIES = PolicyRevision(_SOURCES.revision, 1_795_000_000, _SOURCES.to_json())
EVERYTHING = DecisionFilter()
PATIENT = 60.0
"""Seconds for a store of a test that is not about deadlines: a busy machine fails none of them."""


def row(number: int, key: str | None = None) -> DecisionRow:
    return DecisionRow(
        id=f"dec_{number:06}",
        at=NOW,
        service="api",
        environment="production",
        outcome="deny",
        caller="",
        actor="Ünï — ☂ 'quoted' \"twice\"",
        override_id=None,
        idempotency_key=key,
        fingerprint=None if key is None else "f",
        policy_revision=POLICIES.revision,
        blocking="friday,frz_1",
        change="normal",
        duration=600,
        continues=None,
        warnings="month-end",
    )


def event(number: int, data: str | None = None, key: str | None = None) -> Event:
    """The event that tells `row(number, key)`, unless it is given other data."""
    return Event(NOW * 1_000_000 + number, "decision", "", data or _told(number, row(number, key)))


def _told(number: int, row: DecisionRow) -> str:
    """What the gate writes of a decision, as far as the tables are held against it."""
    names = ("service", "environment", "outcome", "policy_revision", "change")
    answer = {name: getattr(row, name) for name in names}
    answer |= {"decision_id": row.id, "at": format_instant(row.at), "duration_s": row.duration}
    answer |= {
        name: [{"id": each} for each in (getattr(row, name) or "").split(",")]
        for name in ("blocking", "warnings")
    }
    keyed = {name: getattr(row, name) for name in ("actor", "idempotency_key", "fingerprint")}
    return json.dumps({"number": number, "answer": answer, **keyed})


def recording(number: int, key: str | None = None) -> Callable[[Transaction], int]:
    """Work that records a decision."""

    def work(transaction: Transaction) -> int:
        transaction.record(row(number, key), event(number, key=key))
        return number

    return work


def override(number: int, max_uses: int = 1) -> Override:
    return Override(
        id=f"ovr_{number:06}",
        services=("api", "web/*"),
        environments=("production",),
        policies=("friday", "frz_1"),
        reason="It's on fire: ☂",
        ticket="https://example.org/1",
        granted_by="alice",
        granted_at=NOW,
        expires_at=NOW + 3_600,
        max_uses=max_uses,
        uses=0,
        approvals_needed=1,
    )


def freeze(number: int, ends_at: int | None = NOW + 3_600) -> Freeze:
    return Freeze(
        id=f"frz_{number:06}",
        title="Incident",
        reason="Payments are down.",
        contact="#incidents",
        link=None,
        selector=Selector.model_validate({"environments": ["production"], "tags": ["tier-*"]}),
        override="never",
        starts_at=NOW,
        ends_at=ends_at,
        started_by="alice",
        created_at=NOW,
    )


def key_record(number: int) -> KeyRecord:
    return KeyRecord(f"key_{number:06}", "alice", "ci", ("api",), "", NOW, NOW + 3_600, None)


def newest(store: Store, most: int = 100) -> list[StoredDecision]:
    return store.query(lambda view: view.newest_decisions(EVERYTHING, None, most))


def ids(store: Store) -> list[str]:
    """The numbers of the recorded decisions, newest first."""
    return [str(json.loads(each.data)["number"]) for each in newest(store)]


def count(store: Store) -> int:
    return store.query(lambda view: view.count_decisions())


def assert_chain(store: Store) -> None:
    """The chain is whole; made-up rows are not what their events say."""
    found = verify(store.query)
    assert found.fault is None, found


def assert_whole(store: Store) -> None:
    """The chain is whole, and the tables agree with it."""
    found = verify(store.query)
    assert found.whole, found
