"""The expected turns of deploys that wait: when each is released, if nothing changes until then."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from app.core.environment import Release
from app.core.instant import LATEST


class Waiting(NamedTuple):
    """A deploy that waits."""

    id: str
    environment: str
    since: int
    opens_at: int | None
    """The instant at which it may be deployed, in the past too; None if not within two years."""
    expires_at: int = LATEST
    """The instant at which it is rejected, if its turn has not come."""


def turns(
    waiting: Iterable[Waiting],
    pace: Callable[[str], Release],
    now: int,
    released: Callable[[str, int], Iterable[int]] = lambda _environment, _since: (),
) -> dict[str, int]:
    """Return the expected turn of each deploy by its id; those that are rejected before theirs are left out.

    Within an environment, those that open first come first, then those that wait the longest.

    Args:
        waiting: the deploys of all environments.
        pace: returns how an environment releases them.
        now: the present second.
        released: returns the instants of the releases to an environment after an instant: they fill the
            batch that is under way.
    """
    queues: defaultdict[str, list[tuple[int, int, str, int]]] = defaultdict(list)
    for each in waiting:
        if each.opens_at is not None:
            queues[each.environment].append((max(each.opens_at, now), each.since, each.id, each.expires_at))
    found: dict[str, int] = {}
    for environment, queue in queues.items():
        release = pace(environment)
        times = sorted(released(environment, now - release.every))
        for opens_at, _, hold_id, expires_at in sorted(queue):
            room = times[-release.batch] + release.every if len(times) >= release.batch else opens_at
            turn = max(opens_at, room)
            if turn < expires_at:
                times.append(turn)
                found[hold_id] = turn
    return found
