"""A process that claims as much as it can, and tells what was acknowledged, until it is killed."""

import asyncio
from itertools import count
from multiprocessing.connection import Connection

from app.store.records import PolicyRevision
from app.store.store import Store
from tests.store.records import decision

AT_ONCE = 64


def claim_until_killed(url: str, burst: int, acknowledged: "Connection[bytes, bytes]") -> None:
    asyncio.run(_claim(url, burst, acknowledged))


async def _claim(url: str, burst: int, acknowledged: "Connection[bytes, bytes]") -> None:
    store = Store.open(url)
    policies = PolicyRevision(f"sha256:{burst}", burst, "text" * 1_000)
    numbers = count(burst * 10_000)

    async def claim_on_and_on(key: str | None) -> None:
        for number in numbers:
            claim = decision(number, key and f"{key}-{number}")._replace(policy_revision=policies.revision)
            await store.record(claim, None if store.keeps(policies.revision) else policies)
            acknowledged.send_bytes(claim.id.encode())

    await asyncio.gather(*(claim_on_and_on("k" if task % 4 == 0 else None) for task in range(AT_ONCE)))
