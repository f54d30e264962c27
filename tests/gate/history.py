"""Weeks of a gate, made from a seed: claims with durations, tokens and later steps; freezes; reports."""

import asyncio
import json
import random
from typing import Any, Final

from app.core.decision import Question
from app.core.instant import DAY, HOUR, MINUTE, parse_instant
from app.core.policy import Selector
from app.gate.claim import Claim
from app.gate.freezes import StartRequest
from app.gate.outcomes import Outcomes, Report
from app.gate.overrides import GrantRequest
from app.identity.credentials import digest
from tests.gate.conftest import OPS, Gate

START: Final = parse_instant("2026-10-05T00:00:00Z")
LENGTH: Final = 56 * DAY
"""With a night on which clocks change."""
END: Final = START + LENGTH

OLD: Final = """version: 1
timezone: Europe/Amsterdam
environments: [production, staging, legacy]
services:
  api: {tags: [tier-1]}
  web: {tags: [tier-2]}
  abroad: {tags: [tier-1], timezone: America/New_York}
policies:
  - id: friday
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    applies_to: {environments: [production]}
    exempt: {changes: [rollback]}
    when: [{weekly: {from: fri 14:00, to: mon 08:00}}]
  - id: lunch
    title: Lunch
    reason: Nobody is here.
    running: stop
    applies_to: {tags: [tier-2]}
    when: [{daily: {from: "12:00", to: "13:00"}}]
  - id: nights
    title: Nights
    reason: Everybody sleeps.
    effect: warn
    timezone: service
    when: [{daily: {from: "20:00", to: "07:00"}}]
  - id: month-end
    title: Month end
    reason: The books.
    effect: warn
    override: never
    when: [{monthly: {from: last workday -2, to: first workday}}]
"""

NEW: Final = """version: 1
timezone: America/New_York
environments: [staging, production]
changes: [normal, rollback]
services:
  api: {tags: [tier-1]}
  web: {tags: [tier-2]}
  abroad: {tags: [tier-2], timezone: America/New_York}
unknown_services: refuse
policies:
  - id: month-end
    title: Month end
    reason: The books.
    override: never
    applies_to: {tags: [tier-2]}
    when: [{monthly: {from: last workday -2, to: first workday}}]
  - id: friday
    title: No deploys after Friday 12:00
    reason: Nothing good happens after 12:00 on a Friday.
    applies_to: {environments: [production]}
    when: [{weekly: {from: fri 12:00, to: mon 07:00}}]
  - id: office
    title: Office hours
    reason: Someone has to watch it.
    effect: allow-only
    timezone: service
    running: stop
    exempt: {environments: [staging]}
    when: [{daily: {from: "06:00", to: "22:00"}}]
  - id: tea
    title: Tea
    reason: Tea.
    effect: warn
    when: [{daily: {from: "16:00", to: "17:00"}}]
"""


class History:
    """The life of a gate."""

    def __init__(self, gate: Gate, seed: int) -> None:
        self._gate = gate
        self._rng = random.Random(seed)
        self._running: list[tuple[int, str, Question]] = []
        self.decisions = 0

    async def live(self, decisions: int) -> None:
        """Make so many claims between `START` and `END`, some at the same second."""
        rng, clock = self._rng, self._gate.clock
        bases = [rng.randrange(START, END - DAY) for _ in range(decisions // 12)]
        instants = sorted(base + rng.randrange(12 * HOUR) for base in bases for _ in range(4))
        for number, at in enumerate(instants):
            clock.at = at
            if number % 20 == 5:
                await self._freeze()
            left = (decisions - self.decisions) / (len(instants) - number)
            claims = [await self._claim() for _ in range(round(left))]
            bodies = await asyncio.gather(
                *(self._gate.claims.claim(each, self._gate.in_force) for each in claims)
            )
            self.decisions += len(claims)
            for claim, claimed in zip(claims, bodies, strict=True):
                await self._after(claim, json.loads(claimed.body))

    async def _freeze(self) -> None:
        rng, now = self._rng, self._gate.clock.now()
        scope = rng.choice([{}, {"environments": ["production"]}, {"services": ["api", "other"]}])
        request = StartRequest(
            "Incident",
            "It burns.",
            Selector.model_validate(scope),
            rng.choice([None, now + 10 * MINUTE]),
            now + rng.randrange(1, 12) * HOUR,
            rng.choice(["token", "never"]),
            running=rng.choice(["stop", "finish"]),
        )
        await self._gate.freezes.start(OPS, request, self._gate.in_force)

    async def _claim(self) -> Claim:
        rng, now = self._rng, self._gate.clock.now()
        self._running = [each for each in self._running if now < each[0] + HOUR]
        if self._running and rng.random() < 0.4:
            _, earlier, question = rng.choice(self._running)
            step = question._replace(duration=rng.choice([0, 600, 600, question.duration]))
            token = await self._token(step) if rng.random() < 0.5 else None
            return Claim(step, continues=earlier, token=token)
        question = Question(
            rng.choices(["api", "web", "abroad", "other"], [9, 9, 9, 1])[0],
            rng.choices(["production", "staging", "legacy"], [19, 9, 1])[0],
            rng.choices(["normal", "rollback", "hotfix"], [19, 9, 1])[0],
            rng.choice([0, 0, 0, 1, 600, 4 * HOUR, DAY, 3 * DAY]),
        )
        return Claim(question, token=await self._token(question) if rng.random() < 0.5 else None)

    async def _token(self, question: Question) -> str:
        request = GrantRequest(
            (question.service,), (question.environment,), None, "The fix.", self._gate.clock.now() + HOUR
        )
        _, token = await self._gate.overrides.grant(OPS, request, self._gate.in_force)
        return digest(token)

    async def _after(self, claim: Claim, body: dict[str, Any]) -> None:
        if not body["allowed"]:
            return
        rng, gate = self._rng, self._gate
        if claim.question.duration > HOUR:
            self._running.append(
                (gate.clock.now() + claim.question.duration, body["decision_id"], claim.question)
            )
        if rng.random() < 0.6:
            result = rng.choices(["succeeded", "failed", "rolled-back"], [8, 2, 1])[0]
            report = Report(body["decision_id"], result)
            await Outcomes(gate.store, gate.clock, gate.cache).report(OPS, report)
