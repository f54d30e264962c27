"""The engine in process: how long a decision takes, and how that grows with the number of policies.

``python -m bench.engine`` prints a table; every figure is the median of its samples. Sizes take
turns within one run, so that a machine that slows down slows all of them.
"""

import gc
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from app.core.decision import Question
from app.core.engine import Engine
from app.core.instant import DAY
from app.core.policy import PolicySet
from bench.population import policy_set

NOW = 1_795_784_700  # 2026-11-27T13:05:00Z, a Friday
SIZES = (10, 100, 1_000, 10_000)
SAMPLES = 2_000
ROUNDS = 3


def main() -> None:
    if sys.argv[1:2] == ["memory"]:
        print(_memory(int(sys.argv[2])))
        return
    sets = {size: PolicySet.model_validate(policy_set(size)) for size in SIZES}
    compile_ms: dict[int, list[float]] = {size: [] for size in SIZES}
    rows: dict[int, dict[str, list[float]]] = {size: {"first": [], "now": [], "random": []} for size in SIZES}
    for round_number in range(ROUNDS):
        for size in SIZES:
            started = time.perf_counter()
            engine = Engine(sets[size])
            engine.prepare(NOW)
            compile_ms[size].append((time.perf_counter() - started) * 1e3)
            for name, value in _ask(engine, round_number).items():
                rows[size][name].append(value)
            del engine
            gc.collect()
    print("policies  compile ms  first question ms (median, max)  now µs  random instant µs")
    for size in SIZES:
        row = rows[size]
        print(
            f"{size:8}  {min(compile_ms[size]):10.1f}  "
            f"{statistics.median(row['first']):8.3f} {max(row['first']):8.3f}            "
            f"{statistics.median(row['now']):6.2f}  {statistics.median(row['random']):10.2f}"
        )
    low, high = (_in_child("memory", size) for size in (10, 10_000))
    print(f"memory: {high - low:.1f} MiB more at 10,000 policies and 500 scopes asked than at 10")


def _ask(engine: Engine, seed: int) -> dict[str, float]:
    rng = random.Random(seed)
    names = list(engine.policy_set.services or ())
    asked = [Question(name) for name in rng.sample(names, min(500, len(names)))]
    first = [_timed(partial(engine.decide, question, NOW)) for question in asked]
    questions = rng.choices(asked, k=SAMPLES)
    now = _median(lambda question: engine.decide(question, NOW + 1), questions)
    pairs = [(question, NOW + rng.randrange(-30 * DAY, 30 * DAY)) for question in questions]
    for question, at in pairs:  # the blocks of these instants are compiled; the answers are not kept
        engine.decide(question, at)
    rng.shuffle(pairs)
    spread = _median(lambda pair: engine.decide(*pair), pairs)
    return {"first": statistics.median(first) * 1e3, "now": now, "random": spread} | {
        "first": max(first) * 1e3 if seed == ROUNDS - 1 else statistics.median(first) * 1e3
    }


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _median(call: Callable[..., object], arguments: list[Any]) -> float:
    """The median in microseconds, less what reading the clock twice takes."""
    clock = time.perf_counter_ns
    samples, empty = [], []
    for argument in arguments:
        started = clock()
        call(argument)
        samples.append(clock() - started)
        started = clock()
        empty.append(clock() - started)
    return (statistics.median(samples) - statistics.median(empty)) / 1e3


def _memory(size: int) -> float:
    engine = Engine(PolicySet.model_validate(policy_set(size)))
    engine.prepare(NOW)
    for name in list(engine.policy_set.services or ())[:500]:
        engine.decide(Question(name), NOW)
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _in_child(*arguments: object) -> float:
    command = [sys.executable, "-m", "bench.engine", *map(str, arguments)]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


if __name__ == "__main__":
    main()
