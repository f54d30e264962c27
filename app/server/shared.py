"""Work that many ask for at the same moment, done once: the state of thousands of services, say."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Final

_KEPT: Final = 8


class Shared:
    """Does work in a thread, and gives everybody who asks for the same the same result."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._tasks: dict[Hashable, asyncio.Task[bytes]] = {}

    async def get(self, asked: Hashable, work: Callable[[], bytes]) -> bytes:
        """What `work` gives; what was asked for lately is not done again."""
        task = self._tasks.get(asked)
        if task is None:
            while len(self._tasks) >= _KEPT:
                del self._tasks[next(iter(self._tasks))]
            task = self._tasks[asked] = asyncio.create_task(asyncio.to_thread(work))
        # Shielded: others wait for it too, when whoever asked first goes away.
        return await asyncio.shield(task)
