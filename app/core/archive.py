"""The form of an archive file: a stretch of the audit log as JSON lines that can be verified by themselves.

The first line is the manifest. Then come the texts that the events name, the events, each exactly as it was
hashed, and at the end the checkpoint. `docs/explanation/record.md` has the form for auditors, and
`deploy/verify_archive.py` reads it without this package.
"""

import json
from typing import Any, Final, NamedTuple

from app.core.audit import ChainBreak, Checkpoint, Link, Verifier
from app.core.errors import FreezegateError

FORM: Final = 1
"""The version of the form, the value of the manifest's first member."""

SUFFIX: Final = ".jsonl.gz"

_DIGITS: Final = 12
"""Of a position in a name, so that names sort as positions do."""

_FIELDS: Final = frozenset(Link._fields)


class ArchiveError(FreezegateError):
    """A file of an archive isn't whole, or doesn't join the others."""


class Manifest(NamedTuple):
    """The first line of a file: the events in it, and the event that it continues after."""

    freezegate_archive: int
    version: str
    """The version of freezegate that wrote it."""
    first: int
    last: int
    previous: str
    """The hash of the event before its first one: the checkpoint that it joins."""
    hash: str
    """The hash of its last event."""
    events: int

    @property
    def start(self) -> Checkpoint:
        """The checkpoint before its first event."""
        return Checkpoint(self.first - 1, self.previous)

    @property
    def end(self) -> Checkpoint:
        """The checkpoint at its last event."""
        return Checkpoint(self.last, self.hash)


def name_of(first: int, last: int) -> str:
    """Return the name of the file with the events from one position to another."""
    return f"{beginning_of_name(first)}{last:0{_DIGITS}}{SUFFIX}"


def beginning_of_name(first: int) -> str:
    """Return how the name of the file begins whose first event is at a position."""
    return f"events-{first:0{_DIGITS}}-"


def manifest_of(start: Checkpoint, end: Checkpoint, version: str) -> Manifest:
    """Return the manifest of the events after one checkpoint, up to another."""
    return Manifest(FORM, version, start.seq + 1, end.seq, start.hash, end.hash, end.seq - start.seq)


def policies_line(revision: str, sources: str) -> dict[str, Any]:
    """Return the line with the text of a policy set."""
    return {"policies": revision, "sources": sources}


def checkpoint_line(end: Checkpoint) -> dict[str, Any]:
    """Return the last line."""
    return {"checkpoint": end._asdict()}


def written(line: dict[str, Any]) -> bytes:
    """Return a line as it is written."""
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


class ArchiveVerifier:
    """Verify the lines of a file, one after another, and return its events.

    Raises, in each of its methods:
        ArchiveError: the file is broken at this line.
    """

    def __init__(self, name: str) -> None:
        """Expect a manifest; `name` is used in messages."""
        self._name = name
        self._number = 0
        self._chain = Verifier()
        self._ended: Checkpoint | None = None
        self.manifest: Manifest | None = None

    def take(self, line: bytes) -> Link | None:
        """Verify the next line; return its event if it has one."""
        self._number += 1
        item = self._parsed(line)
        if self.manifest is None:
            self._begin(item)
        elif self._ended is not None:
            raise self._error("stands behind the checkpoint")
        elif item.keys() == _FIELDS:
            return self._event(item)
        elif "checkpoint" in item:
            self._ended = Checkpoint(**item["checkpoint"])
        return None

    def finish(self) -> Manifest:
        """Verify that the file has reached its end; return its manifest."""
        manifest = self.manifest
        if manifest is None or self._ended is None:
            raise ArchiveError(f"{self._name}: it is cut off")
        if not self._chain.reached == self._ended == manifest.end:
            raise ArchiveError(f"{self._name}: its events do not lead to its checkpoint")
        return manifest

    def _begin(self, item: dict[str, Any]) -> None:
        try:
            manifest = Manifest(**item)
        except TypeError:
            raise self._error("is no manifest") from None
        if manifest.freezegate_archive != FORM:
            raise self._error(f"is of form {manifest.freezegate_archive}, which this version doesn't know")
        if manifest.events != manifest.last - manifest.first + 1:
            raise self._error("counts other events than it names")
        self.manifest = manifest
        self._chain = Verifier(start=manifest.start)

    def _event(self, item: dict[str, Any]) -> Link:
        link = Link(**item)
        fault = self._chain.check(link)
        if fault is not None:
            raise self._error(_sentence(fault))
        return link

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            item = json.loads(line)
        except ValueError:
            item = None
        if not isinstance(item, dict):
            raise self._error("is no JSON object")
        return item

    def _error(self, what: str) -> ArchiveError:
        return ArchiveError(f"{self._name}:{self._number}: {what}")


def joined(reached: Checkpoint, manifest: Manifest) -> Checkpoint:
    """Return the end of a file that continues the one before, which has `reached` at its end.

    Raises:
        ArchiveError: it doesn't.
    """
    if manifest.start != reached:
        name = name_of(manifest.first, manifest.last)
        raise ArchiveError(f"{name}: it does not continue after event {reached.seq}")
    return manifest.end


def _sentence(fault: ChainBreak) -> str:
    return f"event {fault.seq} {fault.what}"
