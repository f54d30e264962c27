import json
from pathlib import Path

import pytest

from app.core.decision import Question
from app.core.instant import parse_instant
from app.gate.claim import Claim, Claims
from app.gate.errors import UnknownRecordError
from app.gate.in_force import InForce
from app.gate.replay import replay
from app.policies.load import load
from app.policies.source import Snapshot, Source
from app.store.store import Store
from tests.api.fakes import FakeClock
from tests.store.memory import MemoryStore

pytestmark = pytest.mark.anyio

SHIPPED = Path(__file__).parents[2] / "policies.yaml"
QUESTIONS = [
    Claim(Question("api")),
    Claim(Question("checkout", duration=3_600), token_presented=True),
    Claim(Question("docs-site", change="rollback"), idempotency_key="k"),
]
INSTANTS = ["2026-11-27T12:59:59Z", "2026-11-27T13:00:00Z", "2026-12-24T12:00:00Z", "2027-03-28T00:59:59Z"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def loaded(snapshot: Snapshot) -> InForce:
    return InForce(load(snapshot).engine, snapshot, 1, ())


async def test_every_recorded_decision_can_be_evaluated_again_to_the_same_answer(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(SHIPPED.read_text())
    (tmp_path / "team.yaml").write_text(
        "version: 1\npolicies:\n  - id: offsite\n    title: Offsite\n    reason: Away.\n"
        "    applies_to: {services: [checkout]}\n    when:\n"
        "      - icalendar: {file: team.ics}\n"
    )
    (tmp_path / "team.ics").write_text(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        "DTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20270328\r\nSUMMARY:Offsite\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    in_force = loaded(Source(tmp_path).read())
    clock = FakeClock(0)
    store = Store.open(f"sqlite:///{tmp_path / 'gate.db'}")
    claims = Claims(store, clock)
    outcomes = set()
    for at in INSTANTS:
        clock.at = parse_instant(at)
        for claim in QUESTIONS:
            key = claim.idempotency_key and claim.idempotency_key + at.replace(":", "")
            claimed = await claims.claim(claim._replace(idempotency_key=key), in_force)
            outcomes.add(claimed.outcome)
    await store.close()
    for file in ("policies.yaml", "team.yaml", "team.ics"):
        (tmp_path / file).unlink()

    again = Store.open(f"sqlite:///{tmp_path / 'gate.db'}")
    recorded = again.latest_decisions(100)
    assert len(recorded) == len(INSTANTS) * len(QUESTIONS)
    assert outcomes >= {"allow", "deny"}
    for each in recorded:
        replayed = replay(again, each.id)
        assert replayed.same
        assert replayed.same_data
        assert replayed.evaluated == json.loads(each.body)
    await again.close()


async def test_a_record_that_was_changed_is_seen_to_differ() -> None:
    store = MemoryStore()
    claimed = await Claims(store, FakeClock(parse_instant(INSTANTS[1]))).claim(
        QUESTIONS[0], loaded(Source(SHIPPED).read())
    )
    own_id = json.loads(claimed.body)["decision_id"]
    store.decisions[own_id] = store.decisions[own_id]._replace(
        at=parse_instant(INSTANTS[0]), tzdata_version="1999"
    )
    replayed = replay(store, own_id)
    assert not replayed.same
    assert not replayed.same_data


async def test_a_decision_that_nobody_made_or_whose_policies_are_gone_is_unknown() -> None:
    store = MemoryStore()
    with pytest.raises(UnknownRecordError, match="no decision"):
        replay(store, "dec_0")
    claimed = await Claims(store, FakeClock(1_795_784_700)).claim(
        QUESTIONS[0], loaded(Source(SHIPPED).read())
    )
    store.policies.clear()
    with pytest.raises(UnknownRecordError, match="not kept"):
        replay(store, json.loads(claimed.body)["decision_id"])
