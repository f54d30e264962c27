"""What is remembered of policies and freezes taken together does not outlive a reload."""

from pathlib import Path

import pytest

from app.core.decision import Question
from app.core.policy import Selector
from app.gate.claim import Claim
from app.gate.freezes import StartRequest
from app.gate.record import note_policies
from tests.gate.conftest import BEFORE, OPS, Gate

pytestmark = pytest.mark.anyio

EVERYTHING_FROZEN = """version: 1
environments: [production]
policies:
  - {id: all, title: All, reason: x, when: [{always: true}]}
"""


def put(policy_file: Path, text: str) -> None:
    policy_file.write_text(text)


def freeze_everything(policy_file: Path) -> None:
    put(policy_file, EVERYTHING_FROZEN)


async def test_a_claim_decided_again_under_other_freezes_uses_the_policies_of_after_a_reload(
    gate: Gate, other: Gate, policy_file: Path
) -> None:
    gate.clock.at = BEFORE - 3_600
    elsewhere = StartRequest("Incident", "x", Selector.model_validate({"services": ["web"]}), None, None)
    await other.freezes.start(OPS, elsewhere, other.in_force)
    # This replica has not looked since, so the claim is decided again under the lock.
    assert (await gate.claims.claim(Claim(Question("api")), gate.in_force)).outcome == "allow"
    freeze_everything(policy_file)
    for _ in range(2):  # a changed file is taken once two looks find it the same
        gate.policies.poll(gate.clock.now())
    gate.store.transact(note_policies(gate.in_force, gate.clock.microseconds()))
    assert gate.in_force.freezes_version != gate.store.query(lambda view: view.head()).freezes_version
    assert (await gate.claims.claim(Claim(Question("api")), gate.in_force)).outcome == "deny"


async def test_files_that_go_to_and_fro_are_not_taken(gate: Gate, policy_file: Path) -> None:
    before = gate.in_force.snapshot.policies[policy_file.name]
    for text in (EVERYTHING_FROZEN, before, EVERYTHING_FROZEN):
        put(policy_file, text)
        assert gate.policies.poll(gate.clock.now()) is None
    assert gate.in_force.snapshot.policies == {policy_file.name: before}
    assert gate.policies.poll(gate.clock.now()) is gate.in_force
    assert gate.in_force.snapshot.policies == {policy_file.name: EVERYTHING_FROZEN}
