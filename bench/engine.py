"""The engine in process: how long a decision takes, and how that grows with the number of policies.

``python -m bench.engine`` prints a table; every figure is the median of its samples. Sizes take
turns within one run, so that a machine that slows down slows all of them; compiling is CPU time. The
largest set comes a second time, with a third of its policies replaced by those of new kinds. A decision for
now is also given as a ratio to a bisection of 100,000 integers, which took its turn just before.
"""

import gc
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from bisect import bisect_right
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
LARGEST = SIZES[-1]
SETS = {
    **{f"{size:,}": (size, False) for size in SIZES},
    f"{LARGEST:,}, a third new": (LARGEST, True),
}
"""The size of each set, and whether it has new kinds of windows."""
SAMPLES = 2_000
INTEGERS = list(range(0, 700_000, 7))
"""What a decision for now is compared with: the instants of a bare bisection."""
ROUNDS = 5


def main() -> None:
    if sys.argv[1:2] == ["memory"]:
        print(_memory(int(sys.argv[2])))
        return
    sets = {
        name: PolicySet.model_validate(policy_set(size, new_kinds=new)) for name, (size, new) in SETS.items()
    }
    compile_ms: dict[str, list[float]] = {name: [] for name in SETS}
    rows: dict[str, dict[str, list[float]]] = {
        name: {"first": [], "now": [], "bisection": [], "random": []} for name in SETS
    }
    for round_number in range(ROUNDS):
        for name, one in sets.items():
            started = time.process_time()
            engine = Engine(one)
            engine.prepare(NOW)
            compile_ms[name].append((time.process_time() - started) * 1e3)
            for measure, value in _ask(engine, round_number).items():
                rows[name][measure].append(value)
            del engine
            gc.collect()
    _print(compile_ms, rows)
    low, high = (_in_child("memory", size) for size in (10, 10_000))
    print(f"memory: {high - low:.1f} MiB more at 10,000 policies and 500 scopes asked than at 10")


def _print(compile_ms: dict[str, list[float]], rows: dict[str, dict[str, list[float]]]) -> None:
    print("policies             compile ms  first question ms (median, max)  now µs / bisection  random µs")
    for name, row in rows.items():
        beside = _ratios(row["now"], row["bisection"])
        print(
            f"{name:19}  {min(compile_ms[name]):10.1f}  "
            f"{statistics.median(row['first']):8.3f} {max(row['first']):8.3f}            "
            f"{statistics.median(row['now']):6.3f} {beside}  {statistics.median(row['random']):10.2f}"
        )
    old, new = list(SETS)[-2:]
    print(
        f"new kinds / none, {LARGEST:,} policies: compile "
        f"{_ratios(compile_ms[new], compile_ms[old])}, now {_ratios(rows[new]['now'], rows[old]['now'])}"
    )


def _ratios(new: list[float], old: list[float]) -> str:
    """The median of the ratios of all rounds, with the least and the most."""
    each = [one / other for one, other in zip(new, old, strict=True)]
    return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


def _ask(engine: Engine, seed: int) -> dict[str, float]:
    rng = random.Random(seed)
    names = list(engine.policy_set.services or ())
    asked = [Question(name) for name in rng.sample(names, min(500, len(names)))]
    first = [_timed(partial(engine.decide, question, NOW)) for question in asked]
    questions = rng.choices(asked, k=SAMPLES)
    instants = [rng.randrange(INTEGERS[-1]) for _ in range(SAMPLES)]
    bisection = _median(lambda instant: bisect_right(INTEGERS, instant), instants)
    now = _median(lambda question: engine.decide(question, NOW + 1), questions)
    pairs = [(question, NOW + rng.randrange(-30 * DAY, 30 * DAY)) for question in questions]
    for question, at in pairs:  # the blocks of these instants are compiled; the answers are not kept
        engine.decide(question, at)
    rng.shuffle(pairs)
    spread = _median(lambda pair: engine.decide(*pair), pairs)
    return {"first": statistics.median(first) * 1e3, "now": now, "bisection": bisection, "random": spread} | {
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
