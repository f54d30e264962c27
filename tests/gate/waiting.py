"""A replica with deploys that wait, whose steps a test takes."""

import json
from collections.abc import Mapping
from typing import Any, Final

from app.core.decision import Question
from app.core.hold import Hold, Reporting
from app.core.instant import DAY
from app.core.policy import Selector
from app.gate.answering import Answering
from app.gate.answers import Ready
from app.gate.freezes import StartRequest
from app.gate.holds import HoldRequest, Holds
from app.gate.outbox import DeliveryResult
from app.identity.caller import Caller, Role
from app.identity.sealing import Sealing
from app.store.records import HoldFilter
from tests.gate.conftest import OPS, Gate

CI: Final = Caller("pipeline", Role.CI)
KEY: Final = "fze_0000000000000000000000000000000000000000"
REPORTINGS: Final = {"github": Reporting(10), "tfe": Reporting(1_000, 600), "fake": Reporting(100)}
TAKEN: Final = DeliveryResult("taken")
LATER: Final = DeliveryResult("later", "answered 500")
REFUSED: Final = DeliveryResult("refused", "answered 422")


class Waiting:
    """The holds of a gate, released and answered by one replica."""

    def __init__(
        self, gate: Gate, name: str = "one", reportings: Mapping[str, Reporting] = REPORTINGS
    ) -> None:
        self.gate = gate
        self.holds = Holds(gate.store, gate.clock, gate.cache)
        self.holds.sealing = Sealing([KEY])
        self.answering = Answering(
            gate.store,
            gate.policies,
            gate.clock,
            gate.cache,
            gate.claims,
            self.holds,
            reportings,
            name,
        )
        self.sent: list[Ready] = []

    async def ask(self, key: str = "run 1", **other: Any) -> Hold:
        """Let a deploy wait."""
        given: dict[str, Any] = {
            "question": Question("api"),
            "responder": "github",
            "target": {"run": key},
            "expires_at": self.gate.clock.at + 7 * DAY,
        }
        return await self.holds.hold(CI, HoldRequest(key=key, **given | other), self.gate.in_force)

    async def look(self) -> None:
        await self.answering.releases.look()

    async def answer(self, result: DeliveryResult = TAKEN) -> list[str]:
        """Send what is due; return it in words."""
        told = []
        answers = self.answering.answers
        while some := await answers.due():
            for due in some:
                ready = await answers.prepare(due)
                if ready is not None:
                    self.sent.append(ready)
                    told.append(f"{ready.answer.kind} {ready.answer.hold.key}")
                    await answers.settle(ready, result, 0)
                answers.finish(due)
        return told

    async def freeze(self, **selector: list[str]) -> str:
        """Start an ad-hoc freeze; return its id."""
        wanted = StartRequest("Incident", "It burns.", Selector.model_validate(selector), None, None)
        return (await self.gate.freezes.start(OPS, wanted, self.gate.in_force)).id

    async def states(self) -> dict[str, str]:
        """Return the states of all holds, by their keys."""
        found = await self.holds.listed(HoldFilter(), None, 10_000)
        return {each.key: each.state.value for each in reversed(found)}

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the data of all events of a kind."""
        links = self.gate.store.query(lambda view: view.events_after(0, 100_000))
        return [json.loads(each.data) for each in links if each.kind == kind]
