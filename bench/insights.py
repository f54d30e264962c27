"""Insights of a year: of 200,000 decisions against another checkout, and of many more from their rollups.

``python -m bench.insights [CHECKOUT]`` writes a database as the other checkout has it, lets this one migrate
a copy, and counts in processes of their own, in turns: the first count of a process, and the median of the
next ones. ``python -m bench.insights many DECISIONS`` writes the rollups of so many decisions directly.
"""

import json
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.core.instant import DAY, parse_instant
from app.gate import insights as gate_insights
from app.gate.in_force import InForce, Policies
from app.policies.source import Source
from app.store.store import Store

START = parse_instant("2025-11-30T00:00:00Z")
LENGTH = 365 * DAY
DECISIONS = 200_000
SERVICES = 300
ROUNDS = 5
POLICIES = Path(__file__).parents[1] / "policies.yaml"


def main() -> None:
    command, *rest = sys.argv[1:] or [""]
    if command == "make":
        make(rest[0])
    elif command == "migrate":
        migrate(rest[0])
    elif command == "count":
        count(rest[0])
    elif command == "many":
        many(int(rest[0]))
    else:
        compare(Path(command).resolve() if command else None)


def in_force() -> InForce:
    return Policies().load(Source(POLICIES), START)


def decisions(number: int) -> Iterator[tuple[Any, ...]]:
    """Rows of decisions as version 0011 of the schema has them, each with its result; a tenth are denied."""
    rng = random.Random(1)
    for seq in range(1, number + 1):
        at = START + LENGTH * seq // number
        outcome = rng.choices(("allow", "override", "deny"), (86, 3, 11))[0]
        blocking = None if outcome == "allow" else rng.choice(("friday-afternoon", "year-end", "frz_1"))
        result = rng.choices((None, "succeeded", "failed"), (3, 6, 1))[0] if outcome != "deny" else None
        service = f"service-{int(SERVICES * rng.random() ** 2)}"
        environment = rng.choice(("production", "production", "staging"))
        change = "rollback" if rng.random() < 0.05 else "normal"
        yield seq, f"dec_{seq:010}", at, service, environment, change, outcome, blocking, result


def make(file: str) -> None:
    """Write the decisions of a year, without their events, which no count reads."""
    policies = in_force()
    store = Store.open(f"sqlite:///{file}")
    store.let_go()
    raw = sqlite3.connect(file)
    raw.execute("INSERT INTO policy_revisions VALUES (?, ?, '{}')", (policies.revision, START))
    for seq, own_id, at, service, environment, change, outcome, blocking, result in decisions(DECISIONS):
        raw.execute(
            "INSERT INTO decisions (seq, id, at, service, environment, outcome, caller, policy_revision, "
            "blocking, change) VALUES (?, ?, ?, ?, ?, ?, 'ci', ?, ?, ?)",
            (seq, own_id, at, service, environment, outcome, policies.revision, blocking, change),
        )
        if result is not None:
            raw.execute("INSERT INTO outcomes VALUES (?, ?, ?, NULL, 'ci', ?)", (seq, own_id, result, at))
    raw.execute("UPDATE head SET seq = ?", (DECISIONS,))
    raw.commit()
    raw.close()


def migrate(file: str) -> None:
    started = time.perf_counter(), time.process_time()
    Store.open(f"sqlite:///{file}").let_go()
    print(json.dumps([time.perf_counter() - started[0], time.process_time() - started[1]]))


def count(file: str) -> None:
    """Count a whole year; print the wall and CPU seconds of each count, and the total."""
    policies = in_force()
    store = Store.open(f"sqlite:///{file}")
    wanted = gate_insights.InsightsRequest(START, START + LENGTH)
    samples = []
    # The other checkout keeps nothing.
    keeping = {"kept": gate_insights.KeptSums()} if hasattr(gate_insights, "KeptSums") else {}
    for _ in range(ROUNDS):
        started = time.perf_counter(), time.process_time()
        found = gate_insights.insights(store.query, policies, wanted, START + LENGTH, **keeping)
        samples.append((time.perf_counter() - started[0], time.process_time() - started[1]))
    store.let_go()
    print(json.dumps([samples, found]))


def run(checkout: Path, *command: str) -> Any:
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    python = checkout / ".venv" / "bin" / "python"
    done = subprocess.run(
        [python, __file__, *command],
        cwd=checkout,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout) if done.stdout else None


def compare(other: Path | None) -> None:
    here = Path(__file__).parents[1]
    builds = {"this": here} | ({} if other is None else {"other": other})
    with tempfile.TemporaryDirectory() as folder:
        files = {name: f"{folder}/{name}.db" for name in builds}
        run(other or here, "make", files["other" if other else "this"])
        if other is not None:
            shutil.copy(files["other"], files["this"])
        wall, cpu = run(here, "migrate", files["this"])
        print(f"load {os.getloadavg()[0]:.1f}; migrated in {wall:.1f} s ({cpu:.1f} s of CPU)")
        told: dict[str, list[Any]] = {name: [] for name in builds}
        for _ in range(3):
            for name, checkout in builds.items():
                told[name].append(run(checkout, "count", files[name]))
    for name, rounds in told.items():
        for what, part in (("first", slice(0, 1)), ("later", slice(1, None))):
            walls, cpus = zip(*(each for samples, _ in rounds for each in samples[part]), strict=True)
            print(
                f"{name}, {what} count: {statistics.median(walls) * 1e3:.0f} ms, "
                f"{statistics.median(cpus) * 1e3:.0f} ms of CPU"
            )
    answers = [rounds[0][1] for rounds in told.values()]
    print("equal answers:", all(each == answers[0] for each in answers))


def many(number: int) -> None:
    """Count a year of very many decisions, whose rollups are written in SQL: 300 services, a tenth denied."""
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/many.db"
        Store.open(f"sqlite:///{file}").let_go()
        raw = sqlite3.connect(file)
        raw.executescript(_MANY.format(number=number, day=START // DAY, services=SERVICES, start=START))
        raw.close()
        size = Path(file).stat().st_size
        samples, found = run(Path(__file__).parents[1], "count", file)
        total = found["totals"]["decisions"]
        print(f"load {os.getloadavg()[0]:.1f}; {total:,} decisions, {size / number:.1f} bytes each")
        for what, part in (("first", samples[:1]), ("later", samples[1:])):
            wall, cpu = (statistics.median(each) * 1e3 for each in zip(*part, strict=True))
            print(f"{what}: {wall:.0f} ms, {cpu:.0f} ms of CPU")


_MANY = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {services} * 4)
INSERT INTO rollup_requests (id, service, environment, change) SELECT i + 1, 'service-' || (i / 4),
  CASE i % 4 WHEN 0 THEN 'staging' WHEN 2 THEN 'testing' ELSE 'production' END,
  CASE i % 4 WHEN 3 THEN 'rollback' ELSE 'normal' END FROM n;
INSERT INTO rollup_cells (id, request, outcome, blocking) SELECT id, id, 'allow', '' FROM rollup_requests;
INSERT INTO rollup_cells (id, request, outcome, blocking)
  SELECT id + {services} * 4, id, 'deny', 'friday-afternoon' FROM rollup_requests;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})
INSERT INTO rollups SELECT {day} + i * 365 / ({number} + 1), 1 + abs(random()) % ({services} * 4)
  + (abs(random()) % 10 = 0) * {services} * 4, abs(random()) % 1440, 1, (i % 3 > 0), (i % 30 = 1) FROM n
  WHERE true ON CONFLICT DO UPDATE SET decisions = decisions + 1,
  reported = rollups.reported + excluded.reported, failed = rollups.failed + excluded.failed;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number} / 25)
INSERT INTO waits SELECT {start} + i * 31536000 / ({number} / 25 + 1), i,
  1 + abs(random()) % ({services} * 4), 'friday-afternoon',
  {start} + i * 31536000 / ({number} / 25 + 1) + abs(random()) % 200000 FROM n;
INSERT INTO rollup_days SELECT DISTINCT day, 1 FROM rollups; UPDATE head SET seq = {number}; COMMIT;
"""


if __name__ == "__main__":
    main()
