"""The merge freeze: concludes the check of each open pull request and of each group in a merge queue.

What was concluded is read back from GitHub, with the pull requests and in the same request. So there is no
table that could say otherwise, and a gate that was killed in the middle goes on by looking.

Every replica looks at once at what GitHub tells it of. One replica, by a lease, sweeps over all repositories:
when a freeze begins or ends, and every minute or so, for the deliveries that were lost.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from app.clock import PacingClock
from app.core.environment import EnvironmentKind
from app.core.errors import FreezegateError
from app.core.instant import HOUR, MINUTE
from app.gate.in_force import InForce
from app.integrations.github.client import App, Call
from app.integrations.github.conclusions import PERMISSIONS, Conclusions, LaterError, Pass, Pause, content_of
from app.integrations.github.looks import Look
from app.integrations.github.merge_queries import page_after
from app.integrations.github.merge_section import Merges
from app.integrations.github.section import GitHub
from app.integrations.vendor import Surroundings

if TYPE_CHECKING:
    import httpx

SWEEP_INTERVAL: Final = MINUTE
"""Seconds between two sweeps of a repository, at least."""

SHARE: Final = 0.2
"""The part of an installation's hourly budget that sweeps may use; the rest is for flips and for others."""

HOURLY_BUDGET: Final = 5_000
"""Points an hour of an installation, at least, in GitHub's documentation."""

TOGETHER: Final = 4
"""Repositories, or looks, at a time."""

MOST_ATTEMPTS: Final = 6
"""Attempts at a look, over a minute; the next sweep sees the same."""

PATIENCE: Final = 3
"""Attempts to find a merge group in its queue before it is judged as one of unknown pull requests."""

FLIP_INTERVAL: Final = 5
"""Seconds between two looks whether a policy has flipped; freezes and changed files are seen at once. With a
thousand repositories, a look takes 40 ms."""

DISCOVERY_INTERVAL: Final = 10 * MINUTE
"""Seconds after which the repositories are listed again; one call for each hundred."""

DISCOVERY_RETRY: Final = 10
MOST_REPOSITORIES: Final = 5_000

_LONGEST_BACKOFF: Final = 15
"""Seconds; a freeze must be sent within a minute, and a rate limit says itself how long it lasts."""

logger: Final = logging.getLogger("freezegate.github")


@dataclass
class Repository:
    """A repository that is swept."""

    name: str
    installation: int
    state: tuple[str, ...] | None = None
    """The facts that the checks of its last complete sweep depended on; None: there was none."""
    due_at: int = 0
    points: int = 0
    """The cost of its last sweep."""
    failures: int = 0
    queues: frozenset[str] = frozenset()
    """The branches whose merge queues held something."""

    def is_due(self, state: tuple[str, ...], now: int) -> bool:
        """Return whether it is to be swept, if its checks depend on `state` now."""
        return self.due_at <= now or (self.state not in (None, state) and not self.failures)


class MergeChecks:
    """The merge freeze of one replica."""

    def __init__(
        self,
        section: GitHub,
        merges: Merges,
        surroundings: Surroundings,
        app: App,
        pause: Pause = asyncio.sleep,
    ) -> None:
        """Check nothing yet.

        Args:
            section: of the App.
            merges: the part about merges.
            surroundings: of the gate.
            app: the App, as it calls the API.
            pause: waits for some seconds.
        """
        self._section = section
        self._merges = merges
        self._gate = surroundings.gate
        self._clock = PacingClock(surroundings.clock)
        self._app = app
        self._conclusions = Conclusions(section, merges, surroundings.gate, surroundings.clock, app, pause)
        self._lease = surroundings.gate.lease("github-merges", surroundings.own_name)
        self._repositories: dict[str, Repository] = {}
        self._discover_at = 0
        self._flips_at = 0
        self._seen: InForce | None = None
        self._warn_of_environments()

    async def release(self) -> None:
        """Let another replica sweep."""
        await self._lease.release()

    async def look(self, http: "httpx.AsyncClient") -> None:
        """Look once at everything that is due."""
        due = self._section.looks.take(self._clock.now())
        await _together([partial(self._look, http, each) for each in due])

    async def sweep(self, http: "httpx.AsyncClient") -> None:
        """Sweep once over the repositories that are due, if this replica holds the lease."""
        if not await self._lease.take():
            self._repositories.clear()
            self._gate.merges.keep(())
            self._discover_at = 0
            return
        try:
            await self._discover(http)
        except Exception as error:
            why = _foreseen(error)
            logger.warning("repositories can't be listed: %s", why or error, exc_info=why is None)
            self._discover_at = self._clock.now() + max(DISCOVERY_RETRY, _seconds(error))
        due = await asyncio.to_thread(self._due)
        await _together([partial(self._swept, http, repository, state) for repository, state in due])

    def _warn_of_environments(self) -> None:
        """Log which environments of the rules the policies lack, or have as places of deploys."""
        policy_set = self._gate.policies.in_force.policy_set
        for name in sorted({each.environment for each in self._merges.branches}):
            if name not in policy_set.environments:
                logger.warning(
                    "github: merges: the policies have no environment %s: merges are stopped", name
                )
            elif policy_set.environment(name).kind is not EnvironmentKind.MERGE:
                logger.warning("github: merges: write `%s: {kind: merge}` in the policies", name)

    # Looks: what GitHub tells of.

    async def _look(self, http: "httpx.AsyncClient", look: Look) -> None:
        """Look, and look again later if that fails or if the answer changed meanwhile."""
        state = await asyncio.to_thread(self._state, look.repository)
        if not state:
            return
        seen = Pass(http, look.installation, look.repository, set(look.heads))
        seen.page = page_after(look.attempts)
        try:
            await self._look_at(look, seen)
        except Exception as error:  # noqa: BLE001 - any failure is tried again
            self._again(look, error)
            return
        if await asyncio.to_thread(self._state, look.repository) != state:
            self._section.looks.add(look)

    async def _look_at(self, look: Look, seen: Pass) -> None:
        if look.pull is not None:
            await self._conclusions.pull(seen, look.pull)
        elif look.branch is not None:
            await self._conclusions.queue(seen, look.branch)
            await self._unlisted(look, look.branch, seen)
        else:
            await self._conclusions.everything(seen, frozenset())
        seen.finish()

    def _again(self, look: Look, error: Exception) -> None:
        """Try a look again, some seconds later."""
        why = _foreseen(error)
        if why is None:
            logger.error("a look at merges failed", exc_info=error)
        if look.attempts + 1 >= MOST_ATTEMPTS:
            logger.warning("merges of %s wait for the next sweep: %s", look.repository, why)
            return
        seconds = max(2**look.attempts, _seconds(error))
        later = look._replace(attempts=look.attempts + 1, due_at=self._clock.now() + seconds)
        self._section.looks.add(later)

    async def _unlisted(self, look: Look, branch: str, seen: Pass) -> None:
        """Conclude the groups that GitHub told of and its queue doesn't list: silence would evict them.

        The queue may list them a moment later, so one that isn't open to all waits a few seconds.
        """
        heads = sorted(seen.again - seen.results.keys())
        left = await self._conclusions.unlisted(seen, branch, heads, passing=look.attempts < PATIENCE)
        if left:
            later = look._replace(heads=frozenset(left), attempts=look.attempts + 1)
            self._section.looks.add(later._replace(due_at=self._clock.now() + 2))

    # Sweeps: everything, one replica.

    async def _discover(self, http: "httpx.AsyncClient") -> None:
        """List the repositories that the App may check and that a rule is about, now and then."""
        now = self._clock.now()
        if self._discover_at > now and not self._section.looks.rediscover:
            return
        found = await self._installed(http)
        self._repositories = {
            name: self._repositories.get(name) or Repository(name, number) for name, number in found.items()
        }
        for name, number in found.items():
            self._repositories[name].installation = number
        self._gate.merges.keep(found.keys())
        self._section.looks.rediscover = False
        self._discover_at = now + DISCOVERY_INTERVAL

    async def _installed(self, http: "httpx.AsyncClient") -> dict[str, int]:
        """Return the installations of the repositories, by their names."""
        found: dict[str, int] = {}
        for installation in await self._listed(http, Call("GET", "/app/installations?per_page=100"), None):
            if installation.get("suspended_at") is None:
                number = int(installation["id"])
                call = Call("GET", "/installation/repositories?per_page=100", number, PERMISSIONS)
                for each in await self._listed(http, call, "repositories"):
                    if not each.get("archived") and self._merges.applies_to(str(each["full_name"])):
                        found[str(each["full_name"])] = number
        return found

    async def _listed(
        self, http: "httpx.AsyncClient", call: Call, member: str | None
    ) -> Sequence[Mapping[str, Any]]:
        """Return all entries of a list, page by page."""
        entries: list[Mapping[str, Any]] = []
        following: str | None = call.path
        while following is not None and len(entries) < MOST_REPOSITORIES:
            reply = await self._app.call(http, call._replace(path=following))
            content = content_of(reply)
            entries.extend(content if member is None else content[member])
            following = reply.next
        return entries

    def _due(self) -> list[tuple[Repository, tuple[str, ...]]]:
        """Return the repositories to sweep now: flipped ones first, then those of which it is time."""
        now = self._clock.now()
        flips = self._flips_may_be(now)
        looked = [each for each in self._repositories.values() if flips or each.due_at <= now]
        states = [(each, self._state(each.name)) for each in looked]
        due = [(each, state) for each, state in states if each.is_due(state, now)]
        return sorted(due, key=lambda found: found[0].state in (None, found[1]))

    def _flips_may_be(self, now: int) -> bool:
        """Return whether it is time to look for flips."""
        in_force = self._gate.policies.in_force
        if in_force is self._seen and self._flips_at > now:
            return False
        self._seen, self._flips_at = in_force, now + FLIP_INTERVAL
        return True

    async def _swept(self, http: "httpx.AsyncClient", repository: Repository, state: tuple[str, ...]) -> None:
        """Sweep a repository; `state` is what its checks depend on."""
        flipped = repository.state not in (None, state)
        keep = partial(self._keep, repository.name, state)
        seen = Pass(http, repository.installation, repository.name, set(), urgent=flipped, keep=keep)
        seen.page = page_after(repository.failures)
        try:
            repository.queues = await self._conclusions.everything(seen, repository.queues)
            seen.finish()
        except Exception as error:  # noqa: BLE001 - any failure is tried again
            self._failed(repository, error, seen)
            return
        if repository.failures:
            logger.info("merges of %s are checked again", repository.name)
        repository.state, repository.points, repository.failures = state, seen.points, 0
        repository.due_at = self._clock.now() + self._interval(repository.installation)
        results = seen.results.values()
        self._gate.merges.count(self._merges.rules, repository.name, results)
        if flipped or seen.sent:
            stopped = sum(not check.passes for _, check in results)
            fields = {"repository": repository.name, "heads": len(results), "stopped": stopped}
            fields |= {"sent": seen.sent, "flipped": flipped}
            logger.info("merge checks are sent", extra={"fields": fields})

    async def _keep(self, repository: str, state: tuple[str, ...]) -> None:
        """Renew the lease in a sweep, which may take longer than it lasts; end it after another flip."""
        if not await self._lease.take():
            raise LaterError("another replica has taken over")
        if await asyncio.to_thread(self._state, repository) != state:
            raise LaterError("another freeze began or ended meanwhile")

    def _failed(self, repository: Repository, error: Exception, seen: Pass) -> None:
        """Sweep a repository again soon, and sooner if some checks were sent."""
        why = _foreseen(error)
        if not repository.failures or why is None:
            logger.warning("merges of %s wait: %s", repository.name, why or error, exc_info=why is None)
        repository.failures = 1 if seen.sent else repository.failures + 1
        seconds = max(min(2**repository.failures, _LONGEST_BACKOFF), _seconds(error))
        repository.due_at = self._clock.now() + seconds

    def _interval(self, installation: int) -> int:
        """Return the seconds to the next sweep, so many that all of an installation stay in its share."""
        points = sum(each.points for each in self._repositories.values() if each.installation == installation)
        return max(SWEEP_INTERVAL, int(points * HOUR / (SHARE * HOURLY_BUDGET)))

    def _state(self, repository: str) -> tuple[str, ...]:
        return self._gate.merges.state(self._merges.rules, repository)


def _foreseen(error: Exception) -> str | None:
    """Return an error in a few words if it is one of the world outside; None for one of our own."""
    import httpx

    if isinstance(error, FreezegateError):
        return str(error)
    if isinstance(error, httpx.HTTPError | TimeoutError | ValueError):
        return type(error).__name__
    return None


def _seconds(error: Exception) -> int:
    return error.seconds if isinstance(error, LaterError) else 0


async def _together(work: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Run some of the work at a time; none of it raises but when it is cancelled."""
    places = asyncio.Semaphore(TOGETHER)

    async def one(each: Callable[[], Awaitable[None]]) -> None:
        async with places:
            await each()

    await asyncio.gather(*map(one, work))
