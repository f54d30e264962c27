"""The calendars by URL of the policy files that a command reads: fetched once, when needed.

The settings and the HTTP client are loaded only if a file names a URL.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple

from app.cli.errors import UndecidedError
from app.clock import Clock
from app.core.errors import FreezegateError
from app.core.instant import MINUTE, format_instant
from app.policies.calendars.subscription import Subscription, windows_of
from app.policies.source import Snapshot, Source
from app.yaml.compose import read_document
from app.yaml.problem import Problem, Severity

_WITHIN: Final = 10.0
"""Seconds for a fetch in all: somebody waits for the command."""

_AGAIN_AFTER: Final = 15 * MINUTE
"""As often as the gate."""


class _Tried(NamedTuple):
    at: int
    text: str | None
    failure: str | None


class CommandCalendars:
    """Fetches each calendar once, and again after 15 minutes for a command that waits."""

    def __init__(self, clock: Clock, *, offline: bool = False) -> None:
        """Fetch nothing if `offline`; then no calendar is loaded."""
        self._clock = clock
        self._offline = offline
        self._tried: dict[str, _Tried] = {}

    def text(self, subscription: Subscription) -> str | None:
        """Return the text of a calendar; None if it could not be fetched."""
        if self._offline:
            return None
        known, now = self._tried.get(subscription.url), self._clock.now()
        if known is None or now - known.at >= _AGAIN_AFTER:
            known = self._tried[subscription.url] = self._try(subscription, now)
        return known.text

    def is_awaited(self, subscription: Subscription) -> bool:  # noqa: ARG002 - a fetch is waited for
        """Return False: a calendar is fetched when its text is needed."""
        return False

    def missing(self, snapshot: Snapshot) -> list[str]:
        """Return why calendars of a snapshot have no text, not even that of an earlier fetch."""
        tried = (self._tried.get(each.url) for each in snapshot.subscriptions)
        return [each.failure for each in tried if each and each.failure and each.text is None]

    def problems(self, snapshot: Snapshot) -> list[Problem]:
        """Return a warning for each window whose calendar could not be fetched."""
        failures = {url: each.failure for url, each in self._tried.items() if each.failure}
        return [
            document.problem((*path, "url"), failures[window["url"]], Severity.WARNING)
            for document in (read_document(*each) for each in snapshot.policies.items() if failures)
            for path, window in windows_of(document.data)
            if window.get("url") in failures
        ]

    def _try(self, subscription: Subscription, now: int) -> _Tried:
        import asyncio

        from app.core.windows.icalendar import check_calendar
        from app.outbound import Outbound
        from app.policies.calendars.addresses import Reach
        from app.policies.calendars.fetch import Fetcher
        from app.policies.calendars.kept import CalendarFolder
        from app.settings import SettingsError, read_settings

        kept = None
        try:
            settings = read_settings(os.environ)
            kept = CalendarFolder(settings.data_folder / "calendars").read(subscription.url)
            reach = Reach.of(settings.calendar_networks, settings.calendar_ports, settings.calendar_http)
            fetcher = Fetcher(Outbound(settings.ca_file), reach, total=_WITHIN)
            text = asyncio.run(fetcher.fetch(subscription.url)).text or ""
            check_calendar(text)
        except (FreezegateError, SettingsError) as error:
            why = f"the calendar {subscription.name} could not be fetched: {error}"
            if kept is None:
                return _Tried(now, None, f"{why}. Its events are not known here")
            since = format_instant(kept.checked_at)
            return _Tried(now, kept.text, f"{why}. Its events are as old as the gate's last fetch, {since}")
        return _Tried(now, text, None)


def read_with_calendars(path: Path, clock: Clock) -> tuple[Source, Snapshot]:
    """Read policy files and their calendars by URL.

    Raises:
        UndecidedError: a calendar could not be fetched, now or before; its freezes would be missing.
    """
    calendars = CommandCalendars(clock)
    source = Source(path, calendars)
    snapshot = source.read()
    if missing := calendars.missing(snapshot):
        raise UndecidedError(missing[0])
    return source, snapshot
