"""A record of long ago, and what tests of pruning do with it."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from app.core.audit import Link
from app.core.decision import Question
from app.core.instant import DAY, HOUR
from app.core.policy import Selector
from app.gate import keys
from app.gate.claim import Claim
from app.gate.freezes import StartRequest
from app.gate.keys import KeyRequest
from app.gate.outcomes import Outcomes, Report
from app.gate.overrides import GrantRequest
from app.gate.record import exported
from app.identity.caller import Role
from app.identity.credentials import digest
from app.store.store import Store
from tests.gate.conftest import ADMIN, OPS, OTHER, Gate

SCRIPT: Final = Path(__file__).parents[2] / "deploy" / "verify_archive.py"
KEEP: Final = 90 * DAY
LONG: Final = 200 * DAY


async def fill(gate: Gate, claims: int) -> None:
    """Everything that can happen, among some claims."""
    keys.create(gate.store, gate.clock, KeyRequest("Alice", Role.OPS), "root")
    outcomes = Outcomes(gate.store, gate.clock, gate.cache)
    for number in range(claims):
        claim = Claim(Question("web", "staging"), actor="Ünï ☂", idempotency_key=f"k{number}")
        claimed = await gate.claims.claim(claim, gate.in_force)
        own_id = json.loads(claimed.body)["decision_id"]
        if number % 3 == 0:
            await outcomes.report(ADMIN, Report(own_id, "succeeded"))
        if number % 10 == 0:
            await _grant_and_freeze(gate)


async def _grant_and_freeze(gate: Gate) -> None:
    now = gate.clock.now()
    request = GrantRequest(("api",), ("production",), None, "The fix.", now + HOUR)
    override, token = await gate.overrides.grant(OPS, request, gate.in_force)
    await gate.overrides.approve(OTHER, override.id, gate.in_force)
    await gate.claims.claim(Claim(Question("api"), token=digest(token)), gate.in_force)
    incident = StartRequest("Incident", "It burns.", Selector.model_validate({}), None, now + HOUR)
    freeze = await gate.freezes.start(OPS, incident, gate.in_force)
    await gate.freezes.extend(OPS, freeze.id, now + 2 * HOUR)
    await gate.freezes.lift(OPS, freeze.id)
    await gate.claims.claim(Claim(Question("api, web", services=("api", "web"))), gate.in_force)


async def grow_old(gate: Gate, seconds: int = LONG) -> None:
    """Let time pass, with a claim two days before its end."""
    gate.clock.at += seconds - 2 * DAY
    gate.cache.load()
    await gate.claims.claim(Claim(Question("web", "staging")), gate.in_force)
    gate.clock.at += 2 * DAY
    gate.cache.load()


def export_to(store: Store, file: Path) -> Path:
    file.write_text("".join(json.dumps(line) + "\n" for line in exported(store.query)))
    return file


def all_events(store: Store) -> list[Link]:
    return store.query(lambda view: view.events_after(0, 1_000_000))


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("events-*"))


def archived(folder: Path) -> list[dict[str, Any]]:
    """The lines of an archive, in the order of its files."""
    found = []
    for path in sorted(folder.glob("events-*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found += [json.loads(line) for line in lines]
    return found


def verified_by_script(*arguments: Path, exits: int = 0) -> str:
    """What the script for auditors says; it sees no packages."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == exits, done.stdout + done.stderr
    return done.stdout + done.stderr
