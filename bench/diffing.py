"""The difference of two large policy sets, beside compiling both.

``python -m bench.diffing`` prints a table: the CPU time of a difference over 60 days, and its ratio to that
of compiling both sets for those days, which takes turns with it.
"""

import copy
import gc
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from app.core.diff import diff, in_words, to_json
from app.core.engine import Engine
from app.core.instant import DAY
from app.core.policy import PolicySet
from app.core.timeline import BLOCK_BITS
from app.core.wallclock import zone
from bench.population import policy_set

NOW = 1_795_784_700  # 2026-11-27T13:05:00Z, a Friday
PERIOD = (NOW, NOW + 60 * DAY)
SIZE = 10_000
ROUNDS = 5


def main() -> None:
    old = policy_set(SIZE)
    pairs = {
        "one policy for every service, moved": (old, _moved(old)),
        "1 % changed; some added, removed, renamed": (old, _edited(old, SIZE // 100)),
        "30 % changed": (old, _edited(old, SIZE * 3 // 10)),
        "nothing in common": (old, policy_set(SIZE, seed=2)),
    }
    print(f"{'what changed':42}  compile s  diff s  ratio (least to most)  words s  JSON s")
    for name, (before, after) in pairs.items():
        _compare(name, PolicySet.model_validate(before), PolicySet.model_validate(after))


def _compare(name: str, before: PolicySet, after: PolicySet) -> None:
    compiled, differed, ratios = [], [], []
    for _ in range(ROUNDS):
        compiled.append(_timed(lambda: _compile(before, after))[0])
        took, found = _timed(partial(diff, Engine(before), Engine(after), PERIOD))
        differed.append(took)
        ratios.append(took / compiled[-1])
        gc.collect()
    words, lines = _timed(lambda: in_words(found, zone(after.timezone)))
    as_json, _ = _timed(lambda: to_json(found, zone(after.timezone)))
    print(
        f"{name:42}  {min(compiled):9.2f}  {min(differed):6.2f}  {statistics.median(ratios):5.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f})    {words:7.2f} {as_json:7.2f}  "
        f"{len(found.differences)} differences, {len(lines)} lines"
    )


def _compile(before: PolicySet, after: PolicySet) -> tuple[Engine, Engine]:
    engines = Engine(before), Engine(after)
    for engine in engines:
        for block in range(PERIOD[0] >> BLOCK_BITS, (PERIOD[1] >> BLOCK_BITS) + 1):
            engine.prepare(max(PERIOD[0], block << BLOCK_BITS))
    return engines


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = call()
    return time.process_time() - started, result


def _moved(old: dict[str, Any]) -> dict[str, Any]:
    new = copy.deepcopy(old)
    new["policies"][0]["when"] = [{"weekly": {"from": "thu 20:00", "to": "mon 08:00"}}]
    return new


def _edited(old: dict[str, Any], count: int) -> dict[str, Any]:
    """A set after a busy week: `count` policies have other windows."""
    rng = random.Random(3)
    new = copy.deepcopy(old)
    other = policy_set(SIZE, seed=2)
    policies = new["policies"]
    for number in rng.sample(range(SIZE), count):
        policies[number]["when"] = other["policies"][number]["when"]
    for number in rng.sample(range(SIZE), 10):
        policies[number]["id"] = f"renamed-{number}"
    for number in rng.sample(range(SIZE - 20), 10):
        del policies[number]
    policies += [{**policy, "id": f"added-{policy['id']}"} for policy in other["policies"][:10]]
    rng.shuffle(policies)
    return new


if __name__ == "__main__":
    main()
