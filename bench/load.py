"""Loading 10,000 policies of YAML, against the fastest parser's plain construction of the same text.

``python -m bench.load``: the two take turns, and the ratio is of their medians.
"""

import statistics
import time
from collections.abc import Callable

import yaml

from app.policies.load import load
from app.policies.source import Snapshot
from bench.population import policy_set

SIZE = 10_000
ROUNDS = 5


def main() -> None:
    text = yaml.dump(policy_set(SIZE), sort_keys=False, Dumper=yaml.CSafeDumper)
    plain, whole = [], []
    for _ in range(ROUNDS):
        plain.append(_timed(lambda: yaml.load(text, yaml.CSafeLoader)))
        whole.append(_timed(lambda: load(Snapshot.of(text))))
    parse, loading = statistics.median(plain), statistics.median(whole)
    print(f"{len(text) / 1e6:.1f} MB: parse {parse:.2f} s, load {loading:.2f} s, ratio {loading / parse:.2f}")


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
