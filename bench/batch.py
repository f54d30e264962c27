"""A batch of 1,000 questions over HTTP, against 1,000 single questions, as ratios within one run.

``python -m bench.batch``. The services are all different, so that no answer comes from the cache of this
second. By the shipped policies, nearly all services have the same rules; by 1,000 generated ones, each team
has its own.
"""

import asyncio
import json
import os
import tempfile
from pathlib import Path

import uvloop

from bench.client import Load, get, load, post
from bench.population import policy_set
from bench.serve import PAIRS, SECONDS, compare, server

FIRST_PORT = 14_200
QUESTIONS = 1_000
CONNECTIONS = 16
WAYS = (
    "service={}",
    "service={}&environment=production",
    "environment=production&service={}",
    "service={}&change=normal",
    "change=normal&service={}",
)


def names(prefix: str) -> list[str]:
    return [f"{prefix}-{number}" for number in range(QUESTIONS)]


def run(port: int, requests: list[bytes], connections: int) -> Load:
    return uvloop.run(load(port, requests, connections, SECONDS, in_turn=True))


async def beside(port: int, batch: list[bytes], single: list[bytes]) -> Load:
    """Single questions while four connections send batches."""
    asked, _ = await asyncio.gather(
        load(port, single, CONNECTIONS, SECONDS, in_turn=True), load(port, batch, 4, SECONDS)
    )
    return asked


def measure(label: str, port: int, prefix: str) -> None:
    # In five ways, so that none is asked twice within a second, and answered from the cache.
    single = [get(f"/can-deploy?{way.format(name)}") for way in WAYS for name in names(prefix)]
    questions = ", ".join(f'{{"service": "{name}"}}' for name in names(prefix))
    batch = [post("/can-deploy/batch", f'{{"questions": [{questions}]}}')]
    run(port, batch, 1)
    for connections in (1, CONNECTIONS):
        pairs = [(run(port, batch, 1), run(port, single, connections)) for _ in range(PAIRS)]
        ratios = [QUESTIONS * a.rate / b.rate for a, b in pairs]
        seen = f"[{1000 / pairs[-1][0].rate:.1f} ms a batch, {pairs[-1][1].rate:.0f} single questions/s]"
        compare(f"{label}: batch of 1,000 / 1,000 GETs, {connections} connections", ratios, ">= 20", seen)
    asked = [uvloop.run(beside(port, batch, single)).p99 for _ in range(PAIRS)]
    alone = [run(port, single, CONNECTIONS).p99 for _ in range(PAIRS)]
    ratios = [a / b for a, b in zip(asked, alone, strict=True)]
    compare(f"{label}: GET p99 beside batches / alone", ratios, "", f"[{max(asked) * 1000:.0f} ms]")


def main() -> None:
    os.sched_setaffinity(0, {1} if (os.cpu_count() or 1) > 1 else {0})
    with tempfile.TemporaryDirectory() as temporary:
        shipped, large = Path(temporary) / "shipped", Path(temporary) / "large"
        shipped.mkdir()
        large.mkdir()
        (large / "policies.yaml").write_text(json.dumps(policy_set(QUESTIONS)))
        for number, (label, folder) in enumerate((("shipped", shipped), ("1,000 policies", large))):
            with server("gate", FIRST_PORT + number, folder) as port:
                measure(label, port, "service")


if __name__ == "__main__":
    main()
