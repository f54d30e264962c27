"""Policies and tests that a change takes away are reported: over reloads, restarts and replicas."""

from pathlib import Path

import pytest

from app.core.instant import DAY
from app.gate.record import Record
from app.gate.status import status
from app.policies.removal import Removal
from app.policies.source import Snapshot
from tests.api.fakes import FakeClock
from tests.gate.conftest import AFTER, FRIDAY, Gate, gate_on, reload

pytestmark = pytest.mark.anyio

HALF = FRIDAY[: FRIDAY.index("  - id: audit-week")]


def put(file: Path, text: str) -> None:
    file.write_text(text)


def warnings(gate: Gate, now: int) -> list[str]:
    told: list[str] = status(gate.in_force, None, None, AFTER, now)["warnings"]
    return told


async def test_a_removal_is_reported_for_a_day_or_until_it_is_undone(gate: Gate, policy_file: Path) -> None:
    assert warnings(gate, AFTER) == []
    put(policy_file, HALF)
    reload(gate.policies, AFTER)
    assert gate.in_force.removed == (Removal("policy", "audit-week", AFTER),)
    (warning,) = warnings(gate, AFTER + DAY - 1)
    assert warning.startswith(
        "1 policy was removed from the policy files at 2026-11-27T13:00:00Z: audit-week."
    )
    assert warnings(gate, AFTER + DAY) == []
    put(policy_file, FRIDAY)
    reload(gate.policies, AFTER + 60)
    assert warnings(gate, AFTER + 60) == []


async def test_a_removal_is_reported_still_after_another_change(gate: Gate, policy_file: Path) -> None:
    put(policy_file, HALF)
    reload(gate.policies, AFTER)
    put(policy_file, f"{HALF}# a comment\n")
    reload(gate.policies, AFTER + 60)
    assert gate.in_force.removed == (Removal("policy", "audit-week", AFTER),)


async def test_a_restart_reports_what_was_removed_before_and_meanwhile(
    gate: Gate, url: str, policy_file: Path
) -> None:
    put(policy_file, HALF)
    reload(gate.policies, AFTER)
    Record(gate.store, gate.clock).note_policies(gate.in_force)
    again = gate_on(url, policy_file, FakeClock(AFTER + 60))
    try:
        record = Record(again.store, again.clock)
        assert record.removed_before(again.in_force) == (Removal("policy", "audit-week", AFTER),)
        put(policy_file, FRIDAY[: FRIDAY.index("  - id: year-end")])
        later = again.policies.load(again.policies._source, AFTER + 120)  # type: ignore[arg-type]
        assert record.removed_before(later) == (
            Removal("policy", "audit-week", AFTER),
            Removal("policy", "year-end", AFTER + 120),
        )
    finally:
        await again.store.close()


RENAMED = FRIDAY.replace("id: audit-week", "id: auditors")


@pytest.mark.parametrize(
    ("text", "removed"),
    [
        (RENAMED, False),
        (RENAMED.replace("title: Audit week", "title: Auditors"), False),
        (RENAMED.replace("to: 2026-12-05", "to: 2026-12-04"), True),
        (RENAMED.replace("override: {max_ttl: 1h", "effect: warn\n    override: {max_ttl: 1h"), True),
    ],
)
async def test_a_policy_under_another_id_is_not_removed_if_it_vetoes_the_same(
    gate: Gate, policy_file: Path, text: str, *, removed: bool
) -> None:
    Record(gate.store, gate.clock).note_policies(gate.in_force)
    gone = (Removal("policy", "audit-week", AFTER),) if removed else ()
    put(policy_file, text)
    reload(gate.policies, AFTER)
    assert gate.in_force.removed == gone
    assert Record(gate.store, gate.clock).removed_before(gate.in_force) == gone, "by a process that starts"


async def test_a_rename_is_not_found_in_texts_that_this_version_would_refuse(
    gate: Gate, policy_file: Path
) -> None:
    refused = Snapshot.of(f"{FRIDAY}colour: purple\n")
    Record(gate.store, gate.clock).note_policies(gate.in_force._replace(snapshot=refused))
    put(policy_file, RENAMED)
    reload(gate.policies, AFTER)
    assert Record(gate.store, gate.clock).removed_before(gate.in_force) == (
        Removal("policy", "audit-week", AFTER),
    )


async def test_replicas_note_one_load_although_they_loaded_it_at_other_times(
    gate: Gate, other: Gate, policy_file: Path
) -> None:
    put(policy_file, HALF)
    for each, at in ((gate, AFTER), (other, AFTER + 1)):
        reload(each.policies, at)
        Record(each.store, each.clock).note_policies(each.in_force)
    kinds = [link.kind for link in gate.store.query(lambda view: view.events_after(0, 99))]
    assert kinds.count("policies-loaded") == 2
