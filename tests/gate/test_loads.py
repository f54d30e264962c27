"""What the record says of loads of policies: each change once, whoever repeats it."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.gate.record import Record
from app.gate.revisions import Revisions
from app.store.errors import StoreUnavailableError
from tests.gate.conftest import AFTER, FRIDAY, Gate, reload

pytestmark = pytest.mark.anyio

OTHER = FRIDAY.replace("fri 14:00", "fri 15:00")


def loads(gate: Gate) -> list[dict[str, Any]]:
    links = gate.store.query(lambda view: view.newest_of_kind("policies-loaded", 99, 99))
    return [json.loads(link.data) for link in reversed(links)]


def change(gate: Gate, record: Record, policy_file: Path, text: str, at: int) -> str:
    policy_file.write_text(text)
    reload(gate.policies, at)
    record.note_policies(gate.in_force)
    return gate.in_force.revision


async def test_files_put_back_as_they_were_are_another_load(gate: Gate, policy_file: Path) -> None:
    record = Record(gate.store, gate.clock)
    record.note_policies(gate.in_force)
    first = gate.in_force.revision
    second = change(gate, record, policy_file, OTHER, AFTER + 60)
    assert change(gate, record, policy_file, FRIDAY, AFTER + 120) == first
    assert [each["revision"] for each in loads(gate)] == [first, second, first]


async def test_a_load_says_why_and_on_which_host(
    gate: Gate, policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record(gate.store, gate.clock)
    record.note_policies(gate.in_force)
    monkeypatch.setattr("socket.gethostname", lambda: "gate-7f9c")
    change(gate, record, policy_file, OTHER, AFTER + 60)
    assert [each["cause"] for each in loads(gate)] == ["start", "change"]
    assert loads(gate)[1]["host"] == "gate-7f9c"


async def test_a_replica_with_older_files_does_not_record_them_again_when_its_connection_breaks(
    gate: Gate, other: Gate, policy_file: Path
) -> None:
    lagging = Record(other.store, other.clock)
    lagging.note_policies(other.in_force)
    second = change(gate, Record(gate.store, gate.clock), policy_file, OTHER, AFTER + 60)
    other.store._forget()
    assert not lagging.has_noted(other.in_force)
    lagging.note_policies(other.in_force)
    assert lagging.has_noted(other.in_force)
    assert [each["revision"] for each in loads(gate)][-1] == second


async def test_a_load_that_could_not_be_recorded_is_recorded_later(
    gate: Gate, policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record(gate.store, gate.clock)
    record.note_policies(gate.in_force)
    first = gate.in_force.revision
    change(gate, record, policy_file, OTHER, AFTER + 60)

    def fail(_: object) -> None:
        raise StoreUnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(gate.store, "transact", fail)
        with pytest.raises(StoreUnavailableError):
            change(gate, record, policy_file, FRIDAY, AFTER + 120)
    assert not record.has_noted(gate.in_force)
    record.note_policies(gate.in_force)
    assert loads(gate)[-1]["revision"] == first


async def test_the_history_reads_the_loads_of_either_database(gate: Gate, policy_file: Path) -> None:
    record, revisions = Record(gate.store, gate.clock), Revisions(gate.store.query)
    record.note_policies(gate.in_force)
    first = gate.in_force.revision
    gate.clock.at += 60
    second = change(gate, record, policy_file, OTHER, AFTER + 60)
    page = revisions.page(None, 50)
    assert [(each["revision"], each["until"]) for each in page.items] == [
        (second, None),
        (first, "2026-11-27T13:01:00Z"),
    ]
    assert [each["change"]["fields"] for each in revisions.history("friday", None, 1).items] == [["when"]]
    assert revisions.resolve(second[:15]) == second
