"""Calendars by URL: fetch them in time, judge what comes, keep the last good text.

Each replica fetches by itself, so that none depends on another. All do it at the same times of the clock, a
few seconds apart, so that they differ for seconds, and for 15 minutes at most while one has just started. A
new text takes the way of a changed file: the next polls find it in the snapshot, check it, and load it.

Nothing that a server does takes a freeze away at once: an answer that is no calendar changes nothing, and one
that has lost half of the coming events or more is taken only when a second fetch, minutes later, agrees.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final, NamedTuple

from app.clock import Clock
from app.core.calendar_loss import Loss, loss
from app.core.calendar_url import label
from app.core.errors import MalformedValueError
from app.core.instant import MINUTE
from app.core.wallclock import Wall
from app.core.windows.icalendar import ICalendar, check_calendar
from app.gate.calendar_state import CalendarState, Pending
from app.gate.in_force import Policies
from app.policies.calendars.fetch import NO_VALIDATORS, CalendarFetchError, Fetch, Fetcher
from app.policies.calendars.kept import CalendarFolder, Kept
from app.policies.calendars.subscription import Subscription
from app.policies.calendars.unloaded import subscribed
from app.policies.load import load
from app.yaml.problem import PolicyFileError

PERIOD: Final = 15 * MINUTE
"""Seconds between two fetches of a calendar."""

JITTER: Final = 30.0
"""Seconds by which replicas are late, so that they don't ask a server at once."""

AGREES_AFTER: Final = 10 * MINUTE
"""Seconds after which a second fetch may confirm a large loss; a server that restarts is up by then."""

FIRST_WITHIN: Final = 10.0
"""Seconds that a start waits for calendars that were never loaded."""

_SOONEST: Final = MINUTE
"""Seconds to the next try of a calendar that was never loaded; doubled up to `PERIOD`."""

_AT_A_TIME: Final = 4


class News(NamedTuple):
    """A sentence for the log."""

    sentence: str
    is_warning: bool


@dataclass
class _Calendar:
    """A calendar that is followed."""

    subscription: Subscription
    kept: Kept | None
    next_at: float = 0.0
    tried: bool = False
    failures: int = 0
    failing_since: int | None = None
    failure: str | None = None
    pending: Pending | None = None
    disk_failure: str | None = None
    news: list[News] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.subscription.name

    def warn(self, sentence: str) -> None:
        self.news.append(News(f"the calendar {self.name} {sentence}", is_warning=True))

    def note(self, sentence: str) -> None:
        self.news.append(News(f"the calendar {self.name} {sentence}", is_warning=False))


class Calendars:
    """The calendars by URL of one replica. Texts may be read from any thread."""

    def __init__(
        self,
        policies: Policies,
        fetcher: Fetcher,
        folder: CalendarFolder,
        clock: Clock,
        jitter: Callable[[], float] = lambda: random.uniform(0, JITTER),  # noqa: S311 - no secret
    ) -> None:
        """Follow the calendars that the files of `policies` name; keep them in `folder`."""
        self._policies = policies
        self._fetcher = fetcher
        self._folder = folder
        self._clock = clock
        self._jitter = jitter
        self._followed: dict[str, _Calendar] = {}
        self._adding = Lock()
        policies.report_calendars(self.states)

    def text(self, subscription: Subscription) -> str | None:
        """Return the last good text of a calendar; None if it was never loaded."""
        kept = self._calendar(subscription).kept
        return None if kept is None else kept.text

    def is_awaited(self, subscription: Subscription) -> bool:
        """Return whether a calendar was never loaded, and its first fetch is still to come."""
        calendar = self._calendar(subscription)
        return calendar.kept is None and not calendar.tried

    def states(self) -> list[CalendarState]:
        """Return what is known of each calendar that the files name."""
        return [_state(self._calendar(each)) for each in self._policies.subscriptions]

    def begin(self, wanted: Iterable[Subscription]) -> list[News]:
        """Fetch the calendars that were never loaded, for a start; give up after `FIRST_WITHIN` seconds.

        Must run outside of an event loop.
        """
        self._folder.prune(self._clock.now())
        missing = [calendar for calendar in map(self._calendar, wanted) if calendar.kept is None]
        if missing:
            asyncio.run(self._fetch_first(missing))
        return _told(missing)

    async def refresh(self) -> list[News]:
        """Fetch the calendars that are due; return what is news."""
        now = self._clock.now()
        due = [each for each in map(self._calendar, self._policies.subscriptions) if _is_due(each, now)]
        limit = asyncio.Semaphore(_AT_A_TIME)

        async def in_turn(calendar: _Calendar) -> None:
            async with limit:
                await self._refresh(calendar)

        await asyncio.gather(*map(in_turn, due))
        return _told(due)

    def _calendar(self, subscription: Subscription) -> _Calendar:
        """Return a calendar that is followed, from now on if it wasn't; its kept text is read from disk."""
        with self._adding:
            found = self._followed.get(subscription.url)
            if found is None:
                found = _Calendar(subscription, self._folder.read(subscription.url))
                self._followed[subscription.url] = found
            found.subscription = subscription
            return found

    async def _fetch_first(self, missing: Sequence[_Calendar]) -> None:
        fetches = [asyncio.ensure_future(self._refresh(calendar)) for calendar in missing]
        _, unfinished = await asyncio.wait(fetches, timeout=FIRST_WITHIN)
        for fetch in unfinished:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
        for calendar in missing:
            if not calendar.tried:
                self._failed(calendar, f"the server took longer than {FIRST_WITHIN:g} seconds at the start")

    async def _refresh(self, calendar: _Calendar) -> None:
        """Fetch a calendar, and take what comes if it is good."""
        # At first, so that an error that nobody expected isn't repeated at once.
        calendar.next_at = self._next(calendar)
        known = calendar.kept.validators if calendar.kept and not calendar.pending else NO_VALIDATORS
        try:
            fetched = await self._fetcher.fetch(calendar.subscription.url, known)
            await asyncio.to_thread(self._take, calendar, fetched)
        except CalendarFetchError as error:
            self._failed(calendar, str(error))

    def _take(self, calendar: _Calendar, fetched: Fetch) -> None:
        """Take a fetched calendar, unless it has to be seen twice.

        Raises:
            CalendarFetchError: it can't be used.
        """
        now, kept = self._clock.now(), calendar.kept
        text = kept.text if fetched.text is None and kept else fetched.text or ""
        if kept is None or text != kept.text:
            lost = self._examine(calendar, text)
            if lost.is_large and not self._confirms(calendar, text, now):
                self._hold_back(calendar, Pending(text, now, lost))
                return
            self._note_change(calendar, lost)
            kept = Kept(text, now, now, fetched.validators)
        self._mended(calendar)
        calendar.pending = None
        calendar.kept = kept._replace(checked_at=now, validators=fetched.validators)
        self._keep(calendar, calendar.kept)

    def _examine(self, calendar: _Calendar, text: str) -> Loss:
        """Return the loss of a new text, once it is certain that the policies can use it.

        Raises:
            CalendarFetchError: it can't be read, or not used.
        """
        try:
            check_calendar(text)
            self._check_use(calendar, text)
        except PolicyFileError as error:
            raise CalendarFetchError(f"the policies can't use it: {error.problems[0].message}") from None
        except MalformedValueError as error:
            raise CalendarFetchError(f"what was fetched can't be used: {error}") from None
        return Loss(0, 0) if calendar.kept is None else self._loss(calendar, calendar.kept.text, text)

    def _check_use(self, calendar: _Calendar, text: str) -> None:
        """Load the policies in force with this text, as they will be when it is taken."""
        if self._policies.loaded:
            snapshot = self._policies.in_force.snapshot
            if calendar.subscription.url in (each.url for each in snapshot.subscriptions):
                load(replace(snapshot, calendars={**snapshot.calendars, calendar.subscription.key: text}))

    def _loss(self, calendar: _Calendar, before: str, after: str) -> Loss:
        """Return the largest loss from one text to the next, as the windows in force see them."""
        now, wall = self._clock.now(), Wall.of(self._policies.in_force.home, wide=True)
        losses = (
            loss(window.with_text(before).coming(now, wall), window.with_text(after).coming(now, wall))
            for window in self._windows(calendar.subscription.url)
        )
        return max(losses, key=lambda each: each.lost / max(1, each.of), default=Loss(0, 0))

    def _windows(self, url: str) -> Iterator[ICalendar]:
        for policy in self._policies.in_force.policy_set.policies:
            yield from (window for window in subscribed(policy) if window.url == url)

    def _confirms(self, calendar: _Calendar, text: str, now: int) -> bool:
        """Return whether a text with a large loss was seen before, without another large loss since."""
        pending = calendar.pending
        if pending is None or now - pending.seen_at < AGREES_AFTER:
            return False
        return not self._loss(calendar, pending.text, text).is_large

    def _hold_back(self, calendar: _Calendar, pending: Pending) -> None:
        self._mended(calendar)
        before = calendar.pending
        if before is not None and before.text == pending.text:
            return
        calendar.pending = pending
        calendar.warn(
            f"has lost {pending.loss.words}; they stay in force until a second fetch finds the same"
        )

    def _note_change(self, calendar: _Calendar, lost: Loss) -> None:
        if calendar.kept is None:
            calendar.note("was loaded for the first time")
        elif lost.is_large:
            calendar.warn(f"has lost {lost.words}, as two fetches found; the change is taken")
        else:
            calendar.note("has changed")

    def _keep(self, calendar: _Calendar, kept: Kept) -> None:
        try:
            self._folder.write(calendar.subscription.url, kept)
        except OSError as error:
            why = (error.strerror or "it can't be written").lower()
            if calendar.disk_failure != why:
                calendar.warn(f"can't be kept on disk: {why}; after a restart it counts as never loaded")
            calendar.disk_failure = why
        else:
            calendar.disk_failure = None

    def _failed(self, calendar: _Calendar, why: str) -> None:
        calendar.tried = True
        calendar.failures += 1
        if calendar.failing_since is None:
            calendar.failing_since = self._clock.now()
        if calendar.failure != why:
            calendar.warn(f"could not be fetched: {why}")
        calendar.failure = why
        calendar.next_at = self._next(calendar)

    def _mended(self, calendar: _Calendar) -> None:
        if calendar.failure is not None:
            calendar.note("can be fetched again")
        calendar.tried = True
        calendar.failures, calendar.failing_since, calendar.failure = 0, None, None

    def _next(self, calendar: _Calendar) -> float:
        """Return when a calendar is due next: at a time of the clock that all replicas share."""
        now = self._clock.now()
        if calendar.kept is None:
            return now + float(min(PERIOD, _SOONEST << min(calendar.failures, 4)))
        offset = int(calendar.subscription.key.rpartition("#")[2], 16) % PERIOD
        return now - (now - offset) % PERIOD + PERIOD + self._jitter()


def _is_due(calendar: _Calendar, now: int) -> bool:
    # A clock that was set back must not put the next fetch off for long.
    return now >= calendar.next_at or calendar.next_at - now > 2 * PERIOD


def _state(calendar: _Calendar) -> CalendarState:
    return CalendarState(
        calendar.name,
        label(calendar.subscription.url),
        calendar.kept,
        calendar.failure,
        calendar.failing_since,
        calendar.pending,
        calendar.disk_failure,
    )


def _told(calendars: Iterable[_Calendar]) -> list[News]:
    """Return and clear the news of calendars."""
    told: list[News] = []
    for calendar in calendars:
        told += calendar.news
        calendar.news = []
    return told
