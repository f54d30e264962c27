"""The expected turns of deploys that wait: when each is released, if nothing changes until then."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from app.core.environment import Release


class Waiting(NamedTuple):
    """A deploy that waits."""

    id: str
    environment: str
    since: int
    opens_at: int | None
    """The instant at which it may be deployed, in the past too; None if not within two years."""


def turns(waiting: Iterable[Waiting], pace: Callable[[str], Release], now: int) -> dict[str, int]:
    """Return the expected turn of each deploy by its id; those that don't open are left out.

    Within an environment, those that open first come first, then those that wait the longest.

    Args:
        waiting: the deploys of all environments.
        pace: returns how an environment releases them.
        now: the present second.
    """
    queues: defaultdict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for each in waiting:
        if each.opens_at is not None:
            queues[each.environment].append((max(each.opens_at, now), each.since, each.id))
    found: dict[str, int] = {}
    for environment, queue in queues.items():
        release = pace(environment)
        times: list[int] = []
        for number, (opens_at, _, hold_id) in enumerate(sorted(queue)):
            before = times[number - release.batch] + release.every if number >= release.batch else opens_at
            times.append(max(opens_at, before))
            found[hold_id] = times[-1]
    return found
