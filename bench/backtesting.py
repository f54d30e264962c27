"""A backtest of a million decisions: ``python -m bench.backtesting [DECISIONS]``.

The decisions of 90 days, of 300 services under 100 policies, are written into an SQLite file: some with a
duration, some let through by a token, some later steps of a running deploy, half of them with an outcome. A
process of its own runs the backtest of a changed set over them. Beside it, in turn, `decisions replay`
evaluates real claims again, one by one. The figures are the time per decision and the most memory that the
process ever held.
"""

import asyncio
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from app.core.compiled import CompiledPolicies
from app.core.decision import Question
from app.core.engine import Engine
from app.core.instant import DAY, parse_instant
from app.core.policy import PolicySet
from app.gate.backtest import BacktestRequest, backtest
from app.gate.claim import Claim, Claims
from app.gate.in_force import Policies
from app.gate.record import note_policies
from app.gate.replay import replay
from app.gate.store_cache import StoreCache
from app.policies.source import Source
from app.store.records import DecisionRow, OutcomeRow, PolicyRevision
from app.store.store import Store
from app.store.tables import decisions, outcomes
from bench.population import policy_set

DECISIONS = 1_000_000
REPLAYED = 300
POLICIES = 100
SERVICES = 300
ROUNDS = 3
START = parse_instant("2026-08-31T00:00:00Z")
END = START + 90 * DAY
_TOGETHER = 5_000


class Clock:
    """Stands still, in the period."""

    def now(self) -> int:
        return START + 40 * DAY

    def microseconds(self) -> int:
        return self.now() * 1_000_000

    def elapsed(self) -> int:
        return 0


def old_and_new() -> tuple[dict[str, Any], dict[str, Any]]:
    """The set of the record; and a candidate, in which every tenth policy freezes at other hours."""
    old, new = policy_set(POLICIES), policy_set(POLICIES)
    other = policy_set(POLICIES, seed=2)
    for number in range(0, POLICIES, 10):
        new["policies"][number]["when"] = other["policies"][number]["when"]
    return old, new


def rows(count: int) -> Iterator[tuple[Any, ...]]:
    """Rows of decisions, in the order of their instants, decided by the old set."""
    rng = random.Random(7)
    engine = Engine(PolicySet.model_validate(old_and_new()[0]))
    first: tuple[str, Question, int] | None = None
    for seq in range(1, count + 1):
        own_id, at = f"dec_{seq:026}", START + (END - START) * seq // (count + 1)
        continues = None
        if first is not None and at < first[2]:
            question, continues = first[1], first[0]
            first = None
        else:
            question = Question(
                f"service-{rng.randrange(SERVICES)}",
                rng.choices(("production", "staging"), (3, 1))[0],
                rng.choices(("normal", "hotfix", "rollback"), (8, 1, 1))[0],
                rng.choices((0, 600, 3_600), (8, 1, 1))[0],
            )
        decided = engine.decide(question, at)
        outcome = decided.outcome.value
        if outcome == "deny" and rng.random() < 0.1:
            outcome = "override"
        if outcome == "allow" and question.duration and continues is None and rng.random() < 0.2:
            first = own_id, question, at + question.duration
        row = DecisionRow(
            own_id, at, question.service, question.environment, outcome, "pipeline", "ada",
            None, None, None, "sha256:x",
            ",".join(each.rule.id for each in decided.blocking) or None,
            question.change, question.duration, continues,
            ",".join(each.rule.id for each in decided.warnings) or None,
        )  # fmt: skip
        yield seq, *row


def fill(url: str, count: int) -> None:
    store = Store.open(url, deadline=600)
    store.transact(lambda transaction: transaction.keep_policies(PolicyRevision("sha256:x", 1, "{}")))
    rng = random.Random(3)
    pending = rows(count)
    while page := list(islice(pending, _TOGETHER)):
        with store._database.writing() as connection:  # noqa: SLF001 - rows without events, which nothing here reads
            connection.insert(decisions, ("seq", *DecisionRow._fields), page)
            went = [row for row in page if row[5] != "deny" and rng.random() < 0.5]
            connection.insert(
                outcomes,
                ("seq", *OutcomeRow._fields),
                [
                    (row[0], row[1], rng.choices(("succeeded", "failed"), (30, 1))[0], None, "ci", row[2])
                    for row in went
                ],
            )
    store.let_go()


def timed(url: str) -> None:
    """Run the backtest in a process of its own; print seconds, decisions, mebibytes and seconds of CPU."""
    started = time.perf_counter()
    store = Store.open(url, deadline=60.0)
    candidate = CompiledPolicies(PolicySet.model_validate(old_and_new()[1]))
    found = backtest(store.query, candidate, BacktestRequest(START, END))
    seconds = time.perf_counter() - started
    store.let_go()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(seconds, found.progress.decisions, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime)
    print(dict(found.found.fates), file=sys.stderr)


async def claim(url: str, file: Path) -> None:
    """Make real claims under the old set."""
    clock = Clock()
    store = Store.open(url, deadline=60.0)
    policies = Policies()
    in_force = policies.load(Source(file), clock.now())
    store.transact(note_policies(in_force, clock.microseconds()))
    claims = Claims(store, clock, StoreCache(store, policies, clock))
    for number in range(REPLAYED):
        await claims.claim(Claim(Question(f"service-{number % SERVICES}")), in_force)
    await store.close()


def replayed(url: str) -> None:
    """Replay the claims one by one; print seconds and decisions."""
    store = Store.open(url, deadline=60.0)
    own_ids = [row.id for row in store.query(lambda view: view.decision_rows(0, 10**9)).values()]
    started = time.perf_counter()
    for own_id in own_ids:
        if not store.query(lambda view, wanted=own_id: replay(view, wanted)).same:  # type: ignore[misc]
            raise SystemExit(f"{own_id} differs")
    print(time.perf_counter() - started, len(own_ids))
    store.let_go()


def run(*command: str) -> list[float]:
    ran = subprocess.run(
        [sys.executable, "-m", "bench.backtesting", *command], check=True, stdout=subprocess.PIPE, text=True
    )
    return [float(each) for each in ran.stdout.split()]


def main() -> None:
    if sys.argv[1:2] == ["backtest"]:
        timed(sys.argv[2])
        return
    if sys.argv[1:2] == ["replay"]:
        replayed(sys.argv[2])
        return
    count = int(sys.argv[1]) if sys.argv[1:] else DECISIONS
    with tempfile.TemporaryDirectory() as folder:
        filled, claimed = f"sqlite:///{folder}/filled.db", f"sqlite:///{folder}/claimed.db"
        started = time.perf_counter()
        fill(filled, count)
        file = Path(folder) / "policies.yaml"
        file.write_text(json.dumps(old_and_new()[0]))
        asyncio.run(claim(claimed, file))
        print(f"made in {time.perf_counter() - started:.0f} s", flush=True)
        pairs = [(run("backtest", filled), run("replay", claimed)) for _ in range(ROUNDS)]
    seconds = sorted(ours[0] for ours, _ in pairs)
    ratios = sorted(theirs[0] / theirs[1] / (ours[0] / ours[1]) for ours, theirs in pairs)
    print(f"{count} decisions: {statistics.median(seconds):.1f} s ({seconds[0]:.1f} to {seconds[-1]:.1f})")
    print(f"CPU: {statistics.median(ours[3] for ours, _ in pairs):.1f} s")
    print(f"most memory: {max(ours[2] for ours, _ in pairs):.0f} MiB; load {os.getloadavg()[0]:.1f}")
    print(f"a replay / that, per decision: {statistics.median(ratios):.0f} (from {ratios[0]:.0f})")


if __name__ == "__main__":
    main()
