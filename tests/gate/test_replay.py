import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.core.decision import Question
from app.core.instant import HOUR, parse_instant
from app.core.policy import Selector
from app.gate.claim import Claim
from app.gate.errors import UnknownRecordError
from app.gate.freezes import StartRequest
from app.gate.overrides import GrantRequest
from app.gate.replay import replay
from app.identity.caller import Caller, Role
from app.identity.credentials import digest
from app.store.records import StoredDecision
from tests.api.fakes import FakeClock
from tests.gate.conftest import OPS, gate_on

pytestmark = pytest.mark.anyio

SHIPPED = Path(__file__).parents[2] / "policies.yaml"
INSTANTS = ["2026-11-27T12:59:59Z", "2026-11-27T13:00:00Z", "2026-12-24T12:00:00Z", "2027-03-28T00:59:59Z"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "policies.yaml").write_text(SHIPPED.read_text())
    (policies / "team.yaml").write_text(
        "version: 1\npolicies:\n  - id: offsite\n    title: Offsite\n    reason: Away.\n"
        "    applies_to: {services: [checkout]}\n    when:\n"
        "      - icalendar: {file: team.ics}\n"
    )
    (policies / "team.ics").write_text(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        "DTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20270328\r\nSUMMARY:Offsite\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    return policies


async def test_every_recorded_decision_can_be_evaluated_again_to_the_same_answer(
    folder: Path, tmp_path: Path
) -> None:
    clock = FakeClock(0)
    gate = gate_on(f"sqlite:///{tmp_path / 'gate.db'}", folder, clock)
    outcomes, results, own_ids = set(), set(), []
    for at in INSTANTS:
        clock.at = parse_instant(at)
        request = GrantRequest(("api",), ("production",), None, "The fix.", clock.at + HOUR)
        override, token = await gate.overrides.grant(OPS, request, gate.in_force)
        incident = StartRequest("Incident", "It burns.", Selector.model_validate({}), None, clock.at + 60)
        for claim in (
            Claim(Question("api")),
            Claim(Question("checkout", duration=3_600), token=""),
            Claim(Question("docs-site", change="rollback"), idempotency_key=f"k{clock.at}"),
            "freeze",
            Claim(Question("api"), token=digest(token)),
            Claim(Question("api"), token=digest(token)),
            Claim(Question("api"), token=digest(token), caller=Caller("alice", Role.CI, person="alice")),
        ):
            if isinstance(claim, str):
                freeze = await gate.freezes.start(OPS, incident, gate.in_force)
                continue
            answered = json.loads((await gate.claims.claim(claim, gate.in_force)).body)
            own_ids.append(answered["decision_id"])
            outcomes.add(answered["outcome"])
            results.add((answered["override"] or {}).get("result"))
        await gate.freezes.lift(OPS, freeze.id)
        await gate.overrides.revoke(OPS, override.id)
    assert outcomes >= {"allow", "deny", "override"}
    assert results >= {None, "invalid", "spent", "used-up"}
    await asyncio.to_thread(shutil.rmtree, folder)
    for own_id in own_ids:
        replayed = gate.store.query(lambda view, own_id=own_id: replay(view, own_id))  # type: ignore[misc]
        assert replayed.evaluated == replayed.recorded
        assert replayed.same
        assert replayed.same_data
    await gate.store.close()


async def test_a_decision_of_before_answers_named_what_closes_them_still_compares_equal(
    folder: Path, tmp_path: Path
) -> None:
    gate = gate_on(f"sqlite:///{tmp_path / 'gate.db'}", folder, FakeClock(parse_instant(INSTANTS[0])))
    own_id = json.loads((await gate.claims.claim(Claim(Question("api")), gate.in_force)).body)["decision_id"]
    stored = gate.store.query(lambda view: view.decision(own_id))
    assert stored is not None
    data = json.loads(stored.data)
    assert data["answer"].pop("closing")
    assert data["answer"].pop("continues", 1) is None
    data["answer"]["message"] = "api may be deployed to production. Closes Fri 27 Nov 14:00 CET, in 1 s."
    older: Any = Records(data, gate.in_force.snapshot.to_json())
    assert replay(older, own_id).same
    data["answer"]["closes_at"] = None
    assert not replay(older, own_id).same
    await gate.store.close()


async def test_a_decision_that_said_less_of_its_token_still_compares_equal(
    folder: Path, tmp_path: Path
) -> None:
    gate = gate_on(f"sqlite:///{tmp_path / 'gate.db'}", folder, FakeClock(parse_instant(INSTANTS[0]) + HOUR))
    claim = Claim(Question("api"), token=digest("nothing"))
    own_id = json.loads((await gate.claims.claim(claim, gate.in_force)).body)["decision_id"]
    stored = gate.store.query(lambda view: view.decision(own_id))
    assert stored is not None
    data = json.loads(stored.data)
    now = "unknown to this gate. Check that all of it was copied, and that this gate granted it."
    for then, is_same in (("not valid.", True), ("used up.", False)):
        assert now in data["answer"]["message"]
        answer = {**data["answer"], "message": data["answer"]["message"].replace(now, then)}
        older: Any = Records({**data, "answer": answer}, gate.in_force.snapshot.to_json())
        assert replay(older, own_id).same is is_same
    await gate.store.close()


OLDER = json.loads(Path(__file__).with_name("decisions-of-0.1.json").read_text())


@pytest.mark.parametrize("data", OLDER["decisions"], ids=lambda data: data["answer"]["message"][-40:])
def test_a_decision_that_version_0_1_recorded_is_evaluated_to_the_same_answer(data: dict[str, Any]) -> None:
    older: Any = Records(data, OLDER["sources"])
    assert replay(older, data["answer"]["decision_id"]).same
    spent: dict[str, Any] = {"id": None, "result": "spent", "uncovered": [], "uses_left": 1}
    changed: Any = Records({**data, "answer": {**data["answer"], "override": spent}}, OLDER["sources"])
    assert not replay(changed, data["answer"]["decision_id"]).same


def test_what_a_token_did_not_cover_is_compared_in_older_records_too() -> None:
    data = OLDER["decisions"][1]
    told = data["answer"]["override"]
    assert told["uncovered"] == ["friday-afternoon"]
    other = {**data, "answer": {**data["answer"], "override": {**told, "uncovered": ["year-end"]}}}
    changed: Any = Records(other, OLDER["sources"])
    assert not replay(changed, data["answer"]["decision_id"]).same


class Records:
    """A record of one decision, as somebody has made it up."""

    def __init__(self, data: dict[str, Any] | None, sources: str | None) -> None:
        self._data = data
        self._sources = sources

    def decision(self, _: str) -> StoredDecision | None:
        return None if self._data is None else StoredDecision(1, 1, "", json.dumps(self._data))

    def sources(self, _: str) -> str | None:
        return self._sources


async def test_a_record_that_was_changed_is_seen_to_differ(folder: Path, tmp_path: Path) -> None:
    gate = gate_on(f"sqlite:///{tmp_path / 'gate.db'}", folder, FakeClock(parse_instant(INSTANTS[1])))
    claimed = await gate.claims.claim(Claim(Question("api")), gate.in_force)
    own_id = json.loads(claimed.body)["decision_id"]
    stored = gate.store.query(lambda view: view.decision(own_id))
    assert stored is not None
    data = json.loads(stored.data)
    data["answer"]["at"] = INSTANTS[0]
    data["tzdata"] = "1999"
    made_up: Any = Records(data, gate.in_force.snapshot.to_json())
    replayed = replay(made_up, own_id)
    assert not replayed.same
    assert not replayed.same_data
    gone: Any = Records(data, None)
    with pytest.raises(UnknownRecordError, match="not kept"):
        replay(gone, own_id)
    await gate.store.close()


def test_a_decision_that_nobody_made_is_unknown() -> None:
    nothing: Any = Records(None, None)
    with pytest.raises(UnknownRecordError, match="no decision"):
        replay(nothing, "dec_0")
