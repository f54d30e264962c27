"""The last good text of each calendar by URL, on disk: a restart while a server is down loses no freeze.

A file is named by the hash of its URL and doesn't contain it. It is validated as a whole when it is read; a
damaged one counts as never loaded.
"""

import json
import os
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from app.core.errors import MalformedValueError
from app.core.instant import DAY, in_range
from app.core.vcalendar import MAX_TEXT
from app.core.windows.icalendar import check_calendar
from app.policies.calendars.fetch import Validators

UNUSED_FOR: Final = 90 * DAY
"""Seconds after which the file of a calendar that no policy names any more is deleted."""

_VERSION: Final = 1
_LARGEST: Final = 2 * MAX_TEXT + 65_536
"""Bytes of a file: JSON doubles quotes and line breaks, and control characters are rare in calendars."""


class Kept(NamedTuple):
    """A calendar that was fetched."""

    text: str
    fetched_at: int
    """When this text was first fetched, in seconds since the Unix epoch."""
    checked_at: int
    """When the server last said that it is current."""
    validators: Validators


class CalendarFolder:
    """A folder of kept calendars; created by the first that is written."""

    def __init__(self, folder: Path) -> None:
        """Keep calendars in `folder`."""
        self._folder = folder

    def read(self, url: str) -> Kept | None:
        """Return the kept calendar of a URL; None if there is none, or a damaged one."""
        try:
            with self._file(url).open("rb") as file:
                content = file.read(_LARGEST + 1)
            if len(content) > _LARGEST:
                return None
            return _kept(json.loads(content), _digest(url))
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def write(self, url: str, kept: Kept) -> None:
        """Keep a calendar, in one step: a reader sees the file before or after, and so does a crash.

        Raises:
            OSError: it can't be written.
        """
        data = {
            "version": _VERSION,
            "url_sha256": _digest(url),
            "text_sha256": _digest(kept.text),
            "fetched_at": kept.fetched_at,
            "checked_at": kept.checked_at,
            "etag": kept.validators.etag,
            "last_modified": kept.validators.last_modified,
            "text": kept.text,
        }
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Readable by its owner only: private events are in it.
        handle, name = tempfile.mkstemp(suffix=".tmp", dir=self._folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(data, file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._file(url))
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise

    def prune(self, now: float) -> None:
        """Delete the files that were not written for `UNUSED_FOR`; each in use is every 15 minutes."""
        with suppress(OSError):
            for file in [*self._folder.glob("*.json"), *self._folder.glob("*.tmp")]:
                if file.stat().st_mtime < now - UNUSED_FOR:
                    file.unlink()

    def _file(self, url: str) -> Path:
        return self._folder / f"{_digest(url)}.json"


def _kept(data: Any, url_digest: str) -> Kept:
    """Return what a file holds.

    Raises:
        ValueError: it is damaged, or of another URL.
        KeyError: it lacks a member.
        TypeError: it is of another form.
    """
    text, fetched_at, checked_at = data["text"], data["fetched_at"], data["checked_at"]
    validators = Validators(data["etag"], data["last_modified"])
    if not isinstance(text, str) or not all(type(each) is int for each in (fetched_at, checked_at)):
        raise TypeError
    if not all(each is None or isinstance(each, str) for each in validators):
        raise TypeError
    expected = (_VERSION, url_digest, _digest(text))
    if (data["version"], data["url_sha256"], data["text_sha256"]) != expected:
        raise MalformedValueError("another file, or a damaged one")
    check_calendar(text)
    return Kept(text, in_range(fetched_at), in_range(checked_at), validators)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
