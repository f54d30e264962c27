"""The heads of one repository: read from GitHub with their newest checks, and concluded where they differ."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from app.clock import Clock
from app.core.errors import FreezegateError
from app.core.instant import MINUTE
from app.core.merge_check import MergeCheck, ReportedCheck, is_reported
from app.core.merge_freeze import Head, PullRequest, heads_of
from app.gate.gate import Gate
from app.integrations.github.client import GRAPHQL, App, Call, Reply
from app.integrations.github.merge_queries import (
    BATCH,
    PAGE,
    PULL,
    PULLS,
    QUEUE,
    Found,
    budget_of,
    conclude,
    found_in,
)
from app.integrations.github.merge_section import Merges
from app.integrations.github.section import GitHub

if TYPE_CHECKING:
    import httpx

PERMISSIONS: Final = {
    "checks": "write",
    "contents": "read",
    "merge_queues": "read",
    "pull_requests": "read",
}

RESERVE: Final = 200
"""Points of the hourly budget that are left alone: at less, only flips and events go on."""

SPREAD: Final = 1.0
"""Seconds between two batches of checks, so that a thousand take a minute instead of a burst."""

REPEATED_AFTER: Final = 15 * MINUTE
"""Seconds after which the same check is sent again to a head whose suite stays unsettled.

A re-request may have been lost; but where sending settles nothing, each sweep would send it.
"""

_MOST_REPEATED: Final = 10_000

_MOST_CALLS: Final = 3
"""Calls of the same request."""

_LIMITED_FOR: Final = 15 * MINUTE
"""Seconds to wait when the budget is used up; it is renewed each hour, and the answer doesn't say when."""

Pause = Callable[[float], Awaitable[None]]


class LaterError(FreezegateError):
    """GitHub didn't do what was asked; `seconds` is how long it must be left alone."""

    def __init__(self, why: str, seconds: int = 0) -> None:
        super().__init__(why)
        self.seconds = seconds


@dataclass
class Pass:
    """The state of one sweep or look."""

    http: "httpx.AsyncClient"
    installation: int
    repository: str
    again: set[str]
    """The heads to conclude even if they are."""
    urgent: bool = True
    """Whether it may use the reserve of the budget."""
    page: int = PAGE
    """Pull requests to read at once; fewer after a failure, which may have been a time-out."""
    sent: int = 0
    unsent: int = 0
    points: int = 0
    results: dict[str, tuple[Head, MergeCheck]] = field(default_factory=dict)
    reported: dict[str, ReportedCheck] = field(default_factory=dict)
    """The newest check of each head that was read or sent."""
    keep: Callable[[], Awaitable[None]] | None = None
    """Called now and then; raises if it may not go on."""

    def lacks(self, sha: str, check: MergeCheck, *, stopping: bool) -> bool:
        """Return whether a check must be sent; if `stopping`, whether it must because the head passes."""
        reported = self.reported.get(sha)
        if stopping:
            return not check.passes and reported is not None and reported.passes is True
        return sha in self.again or not is_reported(check, reported)

    async def go_on(self) -> None:
        """Raise LaterError if it may not go on."""
        if self.keep is not None:
            await self.keep()

    def finish(self) -> None:
        """Raise LaterError if GitHub has refused any check."""
        if self.unsent:
            raise LaterError(f"{self.unsent} checks were not taken")


class Conclusions:
    """Concludes the checks of heads."""

    def __init__(
        self, section: GitHub, merges: Merges, gate: Gate, clock: Clock, app: App, pause: Pause
    ) -> None:
        """Conclude nothing yet.

        Args:
            section: of the App.
            merges: its part about merges.
            gate: decides.
            clock: the source of the time.
            app: the App, as it calls the API.
            pause: waits for some seconds.
        """
        self._details_url = section.gate_url
        self._merges = merges
        self._gate = gate
        self._clock = clock
        self._app = app
        self._pause = pause
        self._app_id: int | None = None
        self._repeated: dict[str, int] = {}

    async def pull(self, seen: Pass, number: int) -> None:
        """Conclude the head of a pull request, and the groups of the queue that it is in."""
        found = await self._ask(seen, PULL, {"number": number})
        await self._plan(seen, found, heads_of(found.pulls))
        for branch in found.queues:
            await self.queue(seen, branch)

    async def queue(self, seen: Pass, branch: str) -> None:
        """Conclude all groups of the merge queue of a branch."""
        found = await self._ask(seen, QUEUE, {"branch": branch})
        await self._plan(seen, found, found.groups)

    async def unlisted(self, seen: Pass, branch: str, heads: Sequence[str], *, passing: bool) -> list[str]:
        """Conclude the groups that their queue doesn't list; return the heads of those that were left.

        Args:
            seen: what was read so far.
            branch: of the queue.
            heads: of the groups.
            passing: whether only those are concluded that may be merged.
        """
        groups = [Head(sha, branch, (), group=True, complete=False) for sha in heads]
        checks = await asyncio.to_thread(self._checks, seen.repository, groups)
        left = [head.sha for head, check in checks if not check.passes] if passing else []
        wanted = [(head, check) for head, check in checks if head.sha not in left]
        if wanted:
            found = await self._ask(seen, QUEUE, {"branch": branch})
            await self._send(seen, found.repository_id, wanted)
        return left

    async def everything(self, seen: Pass, queues: frozenset[str]) -> frozenset[str]:
        """Conclude all heads of a repository, merge groups first; return the branches with a merge queue."""
        for branch in queues:
            await self.queue(seen, branch)
        found_queues: set[str] = set()
        sharing: dict[str, list[PullRequest]] = {}
        after: str | None = None
        while True:
            found = await self._page(seen, sharing, after)
            for branch in found.queues - queues - found_queues:
                await self.queue(seen, branch)
            found_queues |= found.queues
            after = found.after
            if after is None:
                break
            await seen.go_on()
        await self._plan(seen, found, heads_of([each for alike in sharing.values() for each in alike]))
        return frozenset(found_queues)

    async def _page(self, seen: Pass, sharing: dict[str, list[PullRequest]], after: str | None) -> Found:
        """Read a page of pull requests into `sharing`, by their heads; conclude at once what must be stopped.

        Those that may pass wait for the other pages, in which their commit may be stopped.
        """
        found = await self._ask(seen, PULLS, {"first": seen.page, "after": after})
        for each in found.pulls:
            sharing.setdefault(each.head, []).append(each)
        touched = [each for pull in found.pulls for each in sharing[pull.head]]
        await self._plan(seen, found, heads_of(touched), stopping=True)
        return found

    async def _plan(
        self,
        seen: Pass,
        found: Found,
        heads: Sequence[Head],
        *,
        stopping: bool = False,
    ) -> None:
        """Conclude the heads whose check is not the one that GitHub has.

        Args:
            seen: what was read so far.
            found: the answer with these heads.
            heads: to conclude.
            stopping: whether only those are concluded that pass on GitHub and mustn't.
        """
        checks = await asyncio.to_thread(self._checks, seen.repository, heads)
        lacking = [(head, check) for head, check in checks if seen.lacks(head.sha, check, stopping=stopping)]
        changed = [(head, check) for head, check in lacking if self._is_of_use(seen, head.sha, check)]
        seen.results.update((head.sha, (head, check)) for head, check in checks)
        await self._send(seen, found.repository_id, changed)

    def _is_of_use(self, seen: Pass, sha: str, check: MergeCheck) -> bool:
        """Return whether to send a check; not again and again if that settles nothing on GitHub."""
        reported = seen.reported.get(sha)
        if sha in seen.again or reported != (None, check.fingerprint):
            return True
        now = self._clock.now()
        if self._repeated.get(sha, 0) > now:
            return False
        if len(self._repeated) >= _MOST_REPEATED:
            self._repeated.clear()
        self._repeated[sha] = now + REPEATED_AFTER
        return True

    async def _send(
        self,
        seen: Pass,
        repository_id: str,
        checks: Sequence[tuple[Head, MergeCheck]],
    ) -> None:
        """Send checks in batches, with a pause between."""
        for start in range(0, len(checks), BATCH):
            if start:
                await self._pause(SPREAD)
                await seen.go_on()
            batch = checks[start : start + BATCH]
            request = conclude(repository_id, self._merges.check, batch, self._details_url)
            data = await self._graphql(seen, request)
            for number, (head, check) in enumerate(batch):
                if data.get(f"c{number}") is None:
                    seen.unsent += 1
                    continue
                seen.sent += 1
                seen.again.discard(head.sha)
                seen.reported[head.sha] = ReportedCheck(check.passes, check.fingerprint)

    async def _ask(self, seen: Pass, query: str, more: Mapping[str, Any]) -> Found:
        """Ask for heads; leave the reserve of the budget alone."""
        owner, _, name = seen.repository.partition("/")
        variables = {
            "owner": owner,
            "name": name,
            "app": await self._own_id(seen),
            "check": self._merges.check,
            "files": self._merges.needs_paths,
            **more,
        }
        data = await self._graphql(seen, {"query": query, "variables": variables})
        budget = budget_of(data)
        seen.points += budget.cost
        if not seen.urgent and budget.remaining < RESERVE and budget.resets_at > self._clock.now():
            raise LaterError("the hourly budget is used up", budget.resets_at - self._clock.now())
        found = found_in(data)
        seen.reported.update(found.reported)
        return found

    async def _graphql(self, seen: Pass, request: Mapping[str, Any]) -> Mapping[str, Any]:
        call = Call("POST", GRAPHQL, seen.installation, PERMISSIONS, body=request)
        content = content_of(await self._answered(seen, call))
        errors = content.get("errors") or ()
        why = str(errors[0].get("message", ""))[:200] if errors else "no data"
        types = {error.get("type") for error in errors}
        if "RATE_LIMITED" in types:
            raise LaterError(why, _LIMITED_FOR)
        data = content.get("data")
        # Without a permission, all checks would be missing and be sent at each sweep. Of other errors, which
        # are about single pull requests, the rest of the answer is of use.
        if "FORBIDDEN" in types or not isinstance(data, dict):
            raise LaterError(why)
        return data

    async def _answered(self, seen: Pass, call: Call) -> Reply:
        """Call, and call again after a passing fault: a sweep of many calls would never come to its end."""
        import httpx

        for _ in range(_MOST_CALLS - 1):
            try:
                reply = await self._app.call(seen.http, call)
            except (httpx.HTTPError, TimeoutError):
                reply = Reply(HTTPStatus.BAD_GATEWAY)
            if reply.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                return reply
            await self._pause(SPREAD)
        return await self._app.call(seen.http, call)

    async def _own_id(self, seen: Pass) -> int:
        """Return the number of the App; the settings may have its client ID instead."""
        if self._app_id is None:
            self._app_id = int(content_of(await self._app.call(seen.http, Call("GET", "/app")))["id"])
        return self._app_id

    def _checks(self, repository: str, heads: Sequence[Head]) -> list[tuple[Head, MergeCheck]]:
        return self._gate.merges.checks(self._merges.rules, repository, heads)


def content_of(reply: Reply) -> Any:
    """Return the content of a good answer.

    Raises:
        LaterError: it is none.
    """
    if not reply.is_good:
        raise LaterError(f"GitHub answered {reply.status}", reply.retry_after)
    return reply.content
