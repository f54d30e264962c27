"""The archive: the files that pruned events go to, one for each stretch.

A file is whole or not there: it is written beside, flushed to disk, read again and verified, and renamed.
Only then do its events go from the database.
"""

import contextlib
import gzip
import logging
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final, NamedTuple

from app.core.archive import (
    SUFFIX,
    ArchiveError,
    ArchiveVerifier,
    Manifest,
    beginning_of_name,
    checkpoint_line,
    joined,
    name_of,
    written,
)
from app.core.audit import GENESIS, ORIGIN, Checkpoint, Link, carried_over
from app.gate.audit_events import STAYING
from app.settings import NO_ARCHIVE, SettingsError
from app.store.records import PrunedStretch

_LEVEL: Final = 4
"""Of compression: half the time of the usual 6, for some hundredths more."""

_UNFINISHED: Final = ".unfinished"
_BROKEN: Final = ".broken"
_OWNER_AND_GROUP: Final = 0o640
_logger: Final = logging.getLogger("freezegate")

Reading = Callable[[Iterator[bytes], Callable[[bytes], object]], None]
"""Calls a function with each of some lines, at its own pace."""


def at_once(lines: Iterator[bytes], take: Callable[[bytes], object]) -> None:
    """Read without a pause."""
    for line in lines:
        take(line)


def chosen_folder(chosen: str | None, beside: Path | None) -> Path | None:
    """Return the folder of the archive; None to prune without one.

    Args:
        chosen: a path, or `NO_ARCHIVE`; None: the folder ``archive`` beside the database file.
        beside: the folder of the database file; None on a server.

    Raises:
        SettingsError: nothing is chosen, and there is no such file.
    """
    if chosen == NO_ARCHIVE:
        return None
    if chosen is not None:
        return Path(chosen)
    if beside is None:
        raise SettingsError(
            "decisions can't be pruned before you say where they go: set FREEZEGATE_ARCHIVE to a folder, "
            f"or to {NO_ARCHIVE} to delete them"
        )
    return beside / "archive"


class Archived(NamedTuple):
    """A file of the archive."""

    name: str
    digest: str
    """The SHA-256 of the file."""
    manifest: Manifest


def write(
    folder: Path, manifest: Manifest, lines: Iterable[dict[str, Any]], reading: Reading = at_once
) -> Archived:
    """Write the file of a stretch, whole or not at all, and read it again before it gets its name.

    Args:
        folder: of the archive; made if it is missing.
        manifest: of the file.
        lines: the texts and events.
        reading: reads the file again, at its pace.

    Raises:
        ArchiveError: the folder or the file can't be written, or what is on disk is something else.
    """
    name = name_of(manifest.first, manifest.last)
    beside = folder / f".{name}{_UNFINISHED}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_AND_GROUP)
        with os.fdopen(handle, "wb") as file:
            with gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed:
                packed.write(written(manifest._asdict()))
                packed.writelines(map(written, lines))
                packed.write(written(checkpoint_line(manifest.end)))
            file.flush()
            os.fsync(file.fileno())
        digest = _digest_of(beside)
        if verify(beside, reading=reading) != manifest:
            raise ArchiveError(f"{name}: what is on disk is not what was written")
        beside.rename(folder / name)
        _flush_folder(folder)
    except (OSError, EOFError) as error:
        raise ArchiveError(f"the archive {folder} can't be written: {_why(error)}") from error
    return Archived(name, digest, manifest)


def find(folder: Path, first: int, reading: Reading = at_once) -> Archived | None:
    """Return the file that begins at a position: written before, by a run that was stopped right behind it.

    Files that were not finished are removed. One that is not whole is put aside, so that it is written again:
    its events are all in the record still.

    Raises:
        ArchiveError: it can't be read, or there are several.
    """
    try:
        for unfinished in folder.glob(f".events-*{_UNFINISHED}"):
            unfinished.unlink()
        names = [path.name for path in folder.glob(f"{beginning_of_name(first)}*{SUFFIX}")]
        if not names:
            return None
        if len(names) > 1:
            raise ArchiveError(f"the archive {folder} has several files that begin at event {first}")
        manifest = _whole_or_aside(folder / names[0], reading)
        if manifest is None:
            return None
        return Archived(names[0], _digest_of(folder / names[0]), manifest)
    except OSError as error:
        raise ArchiveError(f"the archive {folder} can't be read: {_why(error)}") from error


def _whole_or_aside(path: Path, reading: Reading) -> Manifest | None:
    """Return the manifest of a file; None if it is not whole, and was put aside."""
    try:
        return verify(path, reading=reading)
    except ArchiveError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno is not None:
            raise
        aside = path.with_name(f"{path.name}{_BROKEN}")
        _logger.warning("%s; it is put aside as %s, and its events are written again", error, aside.name)
        path.rename(aside)
        return None


def files(folder: Path) -> list[Path]:
    """Return the files of an archive, in the order of their events.

    Raises:
        ArchiveError: it can't be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if _is_named_so(path))
    except OSError as error:
        raise ArchiveError(f"the archive {folder} can't be read: {_why(error)}") from error


def verify(path: Path, each: Callable[[Link], None] | None = None, reading: Reading = at_once) -> Manifest:
    """Verify a file by itself, and return its manifest.

    Args:
        path: of the file.
        each: is called with each of its events.
        reading: reads its lines, at its pace.

    Raises:
        ArchiveError: it is not whole, or can't be read.
    """
    verifier = ArchiveVerifier(path.name)

    def take(line: bytes) -> None:
        link = verifier.take(line)
        if link is not None and each is not None:
            each(link)

    reading(_lines(path), take)
    return verifier.finish()


def check_digest(path: Path, digest: str) -> None:
    """Compare a file with its SHA-256 on record.

    Raises:
        ArchiveError: it is another file, or can't be read.
    """
    try:
        found = _digest_of(path)
    except OSError as error:
        raise ArchiveError(f"{path.name}: it can't be read: {_why(error)}") from error
    if found != digest:
        raise ArchiveError(f"{path.name}: it is not the file that was written: its SHA-256 is another")


class ArchiveFound(NamedTuple):
    """An archive that is whole."""

    files: int
    events: int
    reached: Checkpoint
    """Its last event; the first one is event 1."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON representation of the result."""
        return {"files": self.files, "events": self.events, "checkpoint": self.reached._asdict()}


def verify_all(folder: Path, progress: Callable[[int], None] | None = None) -> ArchiveFound:
    """Verify an archive by itself: each file, and that they join from event 1 on.

    Args:
        folder: of the archive.
        progress: is called with the number of events behind each file.

    Raises:
        ArchiveError: it is not whole, or can't be read.
    """
    paths, reached = files(folder), ORIGIN
    for path in paths:
        reached = joined(reached, verify(path))
        if progress is not None:
            progress(reached.seq)
    return ArchiveFound(len(paths), reached.seq, reached)


def verify_stretches(
    folder: Path, stretches: Sequence[PrunedStretch], progress: Callable[[int], None] | None = None
) -> ArchiveFound:
    """Verify that an archive has all that was pruned of a record, from event 1 to its checkpoint.

    Args:
        folder: of the archive.
        stretches: all that were pruned, oldest first.
        progress: is called with the number of events behind each file.

    Raises:
        ArchiveError: it is not whole, or can't be read; or a stretch was pruned without an archive.
    """
    reached, stays = ORIGIN, _Staying()
    for stretch in stretches:
        if stretch.file is None or stretch.digest is None:
            raise ArchiveError(f"events {stretch.first} to {stretch.seq} were pruned without an archive")
        check_digest(folder / stretch.file, stretch.digest)
        reached = joined(reached, verify(folder / stretch.file, stays.add))
        if reached != (stretch.seq, stretch.hash):
            raise ArchiveError(f"{stretch.file}: it does not lead to the checkpoint of the record")
        if (stays.events, stays.digest) != (stretch.carried, stretch.carried_digest):
            raise ArchiveError(f"{stretch.file}: other events stay in the record than its own")
        if progress is not None:
            progress(reached.seq)
    return ArchiveFound(len(stretches), reached.seq, reached)


class _Staying:
    """The digest over the events that stay."""

    def __init__(self) -> None:
        self.events, self.digest = 0, GENESIS

    def add(self, link: Link) -> None:
        if link.kind in STAYING:
            self.events += 1
            self.digest = carried_over(self.digest, link.hash)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) as lines:
            yield from lines
    except (OSError, EOFError, zlib.error) as error:
        raise ArchiveError(f"{path.name}: it can't be read: {_why(error)}") from error


def _is_named_so(path: Path) -> bool:
    return path.name.startswith("events-") and path.name.endswith(SUFFIX)


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        # Some file systems of networks can't flush a folder; they keep names on the server.
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
