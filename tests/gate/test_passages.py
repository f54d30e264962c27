"""Answers stay told as they were given: weeks of a gate, read back from the database byte for byte."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from app.gate.claim import Also, Claim, Claimed, Claims
from app.gate.in_force import InForce
from app.gate.record import verify
from app.gate.replay import replay
from app.store import passages
from tests.api.fakes import FakeClock
from tests.gate.conftest import gate_on
from tests.gate.history import OLD, START, History

pytestmark = pytest.mark.anyio


class Listening(Claims):
    """Remembers what was answered."""

    answers: dict[str, bytes]

    async def claim(self, claim: Claim, in_force: InForce, also: Also | None = None) -> Claimed:
        claimed = await super().claim(claim, in_force, also)
        self.answers[json.loads(claimed.body)["decision_id"]] = claimed.body
        return claimed


@pytest.fixture
def old_policies(policy_file: Path) -> Path:
    policy_file.write_text(OLD)
    return policy_file


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_answer_is_read_as_it_was_given(seed: int, url: str, old_policies: Path) -> None:
    clock = FakeClock(START)
    gate = gate_on(url, old_policies, clock)
    claims = Listening(gate.store, clock, gate.cache)
    claims.answers = {}
    await History(gate._replace(claims=claims), seed).live(240)
    passages.forget()
    for own_id, body in claims.answers.items():
        found = gate.store.query(lambda view, own_id=own_id: view.decision(own_id))  # type: ignore[misc]
        assert found is not None
        assert found.data.startswith(f'{{"answer": {body.decode()}, "opens_at": ')
    for own_id in list(claims.answers)[::20]:
        assert gate.store.query(lambda view, own_id=own_id: replay(view, own_id)).same  # type: ignore[misc]
    verification = verify(gate.store.query)
    assert verification.whole, verification
    with gate.store._database.engine.begin() as connection:
        stored = connection.execute(text("SELECT data FROM events WHERE kind = 'decision'")).scalars().all()
    assert len(stored) == len(claims.answers)
    assert sum(data.startswith(passages.START) for data in stored) > len(stored) / 5
    await gate.store.close()
