"""Things to be stored, one like another but for what a test says."""

from collections.abc import Callable

from app.core.audit import Event
from app.core.freeze import Freeze
from app.core.override import Override
from app.core.policy import Selector
from app.gate.record import verify
from app.store.records import DecisionFilter, DecisionRow, KeyRecord, PolicyRevision, StoredDecision
from app.store.store import Store
from app.store.transaction import Transaction

NOW = 1_795_784_700
POLICIES = PolicyRevision(
    "sha256:x", 1_795_000_000, '{"policies":{"policies.yaml":"version: 1\\n"},"calendars":{}}'
)
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
    )


def event(number: int, data: str | None = None) -> Event:
    return Event(NOW * 1_000_000 + number, "decision", "", data or f'{{"number": {number}}}')


def recording(number: int, key: str | None = None) -> Callable[[Transaction], int]:
    """Work that records a decision."""

    def work(transaction: Transaction) -> int:
        transaction.record(row(number, key), event(number))
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
    return store.look(lambda view: view.newest_decisions(EVERYTHING, None, most))


def ids(store: Store) -> list[str]:
    """The numbers of the recorded decisions, newest first."""
    return [each.data[11:-1] for each in newest(store)]


def count(store: Store) -> int:
    return store.look(lambda view: view.count_decisions())


def assert_chain(store: Store) -> None:
    """The chain is whole; made-up rows are not what their events say."""
    found = verify(store.look)
    assert found.fault is None, found


def assert_whole(store: Store) -> None:
    """The chain is whole, and the tables agree with it."""
    found = verify(store.look)
    assert found.whole, found
