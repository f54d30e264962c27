"""A year of one environment of 1,000 policies: how long it takes to compute it and to draw it.

``python -m bench.year`` prints a table; every figure is the median of its rounds, in milliseconds of the wall
clock and of the CPU. `all apply` is the worst case: each of the policies applies to the environment. The sets
take turns within one run, beside the compiling of their blocks of now, which every gate does at its start.
"""

import os
import statistics
import time
from collections.abc import Callable
from typing import Any, TypeVar

from app.core.engine import Engine
from app.core.instant import DAY
from app.core.policy import PolicySet
from app.core.year import YearRequest
from app.core.year.representation import year_to_json
from app.core.year.svg import year_svg
from app.gate.in_force import InForce
from app.gate.year import year_in_force
from app.policies.source import Snapshot
from bench.engine import NOW
from bench.population import policy_set

SIZE = 1_000
ROUNDS = 7

T = TypeVar("T")


def main() -> None:
    sets = {"as in a company": _set(all_apply=False), "all apply": _set(all_apply=True)}
    services = {"as in a company": "service-1", "all apply": None}
    rows: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number in range(ROUNDS):
        for name, found in sets.items():
            engine = Engine(found)
            in_force = InForce(engine, Snapshot.of("version: 1\n"), 0, ())
            request = YearRequest(2026 + number % 4, "production", services[name])
            for step, sample in _round(in_force, request).items():
                rows.setdefault((name, step), []).append(sample)
    print(f"{SIZE:,} policies; load {os.getloadavg()[0]:.1f}")
    for (name, step), samples in rows.items():
        wall, cpu = (statistics.median(each) * 1e3 for each in zip(*samples, strict=True))
        print(f"{name:16} {step:12} wall {wall:7.1f} ms   CPU {cpu:7.1f} ms")
    for name in sets:
        whole = [
            sum(x) for x in zip(*(_cpu(rows[name, step]) for step in ("compute", "draw SVG")), strict=True)
        ]
        ratios = [one / other for one, other in zip(whole, _cpu(rows[name, "compile now"]), strict=True)]
        print(
            f"{name}: computed and drawn {statistics.median(whole) * 1e3:.0f} ms of CPU, "
            f"{statistics.median(ratios):.1f} times the compiling of now"
        )


def _round(in_force: InForce, request: YearRequest) -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds of each step."""
    now, _ = _timed(lambda: in_force.engine.prepare(NOW))
    computed, shown = _timed(lambda: year_in_force(in_force, request, in_force.home, NOW))
    drawn, _ = _timed(lambda: year_svg(shown, NOW // DAY))
    written, _ = _timed(lambda: year_to_json(shown))
    return {"compile now": now, "compute": computed, "draw SVG": drawn, "JSON": written}


def _set(*, all_apply: bool) -> PolicySet:
    data: dict[str, Any] = policy_set(SIZE)
    for policy in data["policies"] if all_apply else ():
        policy["applies_to"] = {"environments": ["production"]}
        policy.pop("exempt", None)
    return PolicySet.model_validate(data)


def _timed(work: Callable[[], T]) -> tuple[tuple[float, float], T]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return (time.perf_counter() - wall, time.process_time() - cpu), result


def _cpu(samples: list[tuple[float, float]]) -> list[float]:
    return [cpu for _, cpu in samples]


if __name__ == "__main__":
    main()
