"""Claims beside 10,000 admission reviews a minute: ``python -m bench.admission``.

One gate on one core, the clients on the other. Claims come at a steady rate, alone and beside the reviews, in
turn. The figure is the median of the ratios of p99s that were measured right after one another.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from bench.client import post
from bench.serve import CLAIM, compare, wait_for

PORT = 14_190
PAIRS = 7
SECONDS = 5.0
CLAIMS = 30
"""Claims a second: a few hundred pipelines do less."""

REVIEWS = 10_000 / 60


def review() -> bytes:
    """A review of a Deployment as large as most are, with managed fields and what was last applied."""
    fields: dict[str, Any] = {
        f"f:field-{number}": {".": {}, "f:name": {}, "f:value": {}} for number in range(60)
    }
    environment = [{"name": f"SETTING_{number}", "value": "x" * 40} for number in range(60)]
    container = {"name": "main", "image": "registry.example.com/shop/checkout:2", "env": environment}
    template = {"metadata": {"labels": {"app": "checkout"}}, "spec": {"containers": [container]}}
    metadata = {
        "name": "checkout",
        "namespace": "shop",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(template)},
        "managedFields": [{"manager": "kubectl", "fieldsV1": fields}] * 2,
    }
    new = {"metadata": metadata, "spec": {"replicas": 3, "template": template}}
    old = {"metadata": metadata, "spec": {"replicas": 3, "template": {}}}
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "namespace": "shop",
        "operation": "UPDATE",
        "object": new,
        "oldObject": old,
    }
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return post("/integrations/kubernetes/admission?timeout=5s", json.dumps(body))


async def steady(requests: list[bytes], a_second: float, connections: int) -> list[float]:
    """Send requests at a rate, whatever the answers take; return the seconds from when each was due."""
    latencies: list[float] = []
    started = time.perf_counter()
    count = int(a_second * SECONDS)
    await asyncio.gather(
        *(
            _send(
                requests, [started + each / a_second for each in range(first, count, connections)], latencies
            )
            for first in range(connections)
        )
    )
    return sorted(latencies)


async def _send(requests: list[bytes], due: list[float], latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    for number, at in enumerate(due):
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        writer.write(requests[number % len(requests)])
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith((b"http/1.1 200", b"http/1.1 423")):
            raise RuntimeError(f"not an answer: {head[:60]!r}")
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        latencies.append(time.perf_counter() - at)
    writer.close()


def cpu(pid: int) -> float:
    """The seconds that a process has computed for, which other work on its core does not change."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def p99(latencies: list[float]) -> float:
    return latencies[int(len(latencies) * 0.99)]


async def both(reviews: list[bytes]) -> tuple[list[float], list[float]]:
    claims, reviewed = await asyncio.gather(steady(CLAIM, CLAIMS, 8), steady(reviews, REVIEWS, 16))
    return claims, reviewed


def main() -> None:
    requests = [review()]
    ratios, times = [], []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "integrations.yaml").write_text("kubernetes: {}\n")
        environment = {
            **os.environ,
            "FREEZEGATE_POLICIES": str(Path(__file__).parents[1] / "policies.yaml"),
            "FREEZEGATE_DATABASE_URL": f"sqlite:///{folder}/gate.db",
            "FREEZEGATE_INTEGRATIONS": f"{folder}/integrations.yaml",
            "FREEZEGATE_PORT": str(PORT),
            "FREEZEGATE_ANONYMOUS_CLAIMS": "100000/minute",
        }
        command = [sys.executable, "-m", "app.cli", "serve"]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.sched_setaffinity(process.pid, {0})
        os.sched_setaffinity(0, {1})
        try:
            wait_for(PORT)
            uvloop.run(both(requests))  # warm
            computed = cpu(process.pid)
            uvloop.run(steady(requests, REVIEWS, 16))
            share = (cpu(process.pid) - computed) / SECONDS
            for _ in range(PAIRS):
                alone = uvloop.run(steady(CLAIM, CLAIMS, 8))
                beside, reviewed = uvloop.run(both(requests))
                ratios.append(p99(beside) / p99(alone))
                times.append(p99(reviewed) * 1000)
        finally:
            process.terminate()
            process.wait(20)
    size = f"{len(requests[0]) >> 10} KiB, {share:.0%} of the core, p99 {statistics.median(times):.0f} ms"
    compare("claim p99 beside 10,000 reviews a minute / alone", ratios, "<= 1.5", size)


if __name__ == "__main__":
    main()
