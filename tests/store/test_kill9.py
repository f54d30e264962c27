"""What was acknowledged survives ``kill -9``, with many claims in every commit."""

import contextlib
import multiprocessing
import random
import sqlite3
from multiprocessing.connection import Connection
from pathlib import Path

from tests.store.claimant import claim_until_killed

BURSTS = 30


def receive(told: "Connection[bytes, bytes]", most: int) -> list[str]:
    """The acknowledgements that arrive: `most` of them, or until the sender is gone."""
    received: list[str] = []
    # A sender that is killed may leave half a message.
    with contextlib.suppress(EOFError, OSError):
        while len(received) < most:
            received.append(told.recv_bytes().decode())
    return received


def test_no_acknowledged_claim_is_missing_after_kill_9(url: str, file: Path) -> None:
    fresh = multiprocessing.get_context("forkserver")
    fresh.set_forkserver_preload(["tests.store.claimant"])
    dice = random.Random(9)
    acknowledged: set[str] = set()
    for burst in range(BURSTS):
        told, tell = fresh.Pipe(duplex=False)
        process = fresh.Process(target=claim_until_killed, args=(url, burst, tell))
        process.start()
        tell.close()
        acknowledged.update(receive(told, dice.randrange(1, 1_000)))
        process.kill()
        acknowledged.update(receive(told, 1_000_000))
        process.join()
        assert process.exitcode == -9
        told.close()
        with contextlib.closing(sqlite3.connect(file)) as connection:
            recorded = {row[0] for row in connection.execute("SELECT id FROM decisions")}
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("PRAGMA foreign_key_check").fetchone() is None
        assert acknowledged <= recorded, f"burst {burst}: {acknowledged - recorded}"
    assert len(acknowledged) > BURSTS
