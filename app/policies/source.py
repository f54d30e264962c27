"""Read a policy file or folder as a whole into a snapshot.

A snapshot holds everything that loading needs, so that a recorded decision can be replayed from it alone,
long after the files have changed.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple, Protocol, Self

from app.clock import Clock
from app.core import calendar_url
from app.core.errors import MalformedValueError
from app.policies.calendars.subscription import Subscription, mask, subscriptions, windows
from app.policies.folder import FileContent, OpenFolder
from app.yaml.problem import PolicyFileError, Problem, Severity, quoted
from app.yaml.syntax import LARGEST, Position, position_of

POLL: Final = 1.0
"""Seconds between two polls of the files. A change that two polls find equal is loaded."""

MOST_FILES: Final = 1_000
"""Policy files in a set."""

LARGEST_SET: Final = 32 * 1024 * 1024
"""Bytes of all files of a set together, calendars included."""

_SUFFIX: Final = ".yaml"
_NOT_YAML: Final = f"this file is not read: only names that end in {_SUFFIX} are"
_NOT_BELOW: Final = f"the *{_SUFFIX} files of this folder are not read: move them up, or elsewhere"

_ATTEMPTS: Final = 3
"""A ConfigMap may be swapped during a read; the second attempt sees the new one."""

_POLLS_AT_START: Final = 10
"""Polls that a start waits for the files to settle."""


class Fetched(Protocol):
    """The calendars that were fetched from URLs."""

    def text(self, subscription: Subscription) -> str | None:
        """Return the last good text of a calendar; None if it was never loaded."""
        ...

    def is_awaited(self, subscription: Subscription) -> bool:
        """Return whether a calendar was not even tried yet, and will be within seconds."""
        ...


class Folder(Protocol):
    """One state of a folder with policy files; see `OpenFolder`."""

    @property
    def changed_at(self) -> float:
        """The modification time of the folder."""
        ...

    def names(self) -> list[str]:
        """Return the names in it, sorted."""
        ...

    def folders(self, suffix: str) -> list[str]:
        """Return the folders in it that hold names with a suffix, sorted."""
        ...

    def read(self, name: str, most: int) -> FileContent | None:
        """Return up to `most` bytes of a file in the folder or below it; None if it is not a regular file."""
        ...


@dataclass(frozen=True)
class Snapshot:
    """The texts of all files of a policy set, by name within the folder."""

    policies: Mapping[str, str]
    calendars: Mapping[str, str] = field(default_factory=dict)
    """The texts of calendars: files by name, and what was fetched by masked URL."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Files that could not be read, each with a sentence that gives the reason."""
    problems: tuple[Problem, ...] = ()
    """Problems of the files themselves, not of their content."""
    changed_at: float = field(default=0.0, compare=False)
    """The newest modification time of the files, in seconds since the Unix epoch, by their file system."""
    awaiting: bool = field(default=False, compare=False)
    """Whether the first fetch of a calendar is still to come."""

    @classmethod
    def of(cls, text: str, name: str = "policies.yaml", calendars: Mapping[str, str] | None = None) -> Self:
        """Return the snapshot of a single file with this text."""
        return cls({name: text}, calendars or {})

    @cached_property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The calendars that the policies name by URL."""
        return subscriptions(self.policies.values())

    @cached_property
    def recorded_policies(self) -> Mapping[str, str]:
        """The texts of the policy files as the record keeps them: the URLs of calendars are masked."""
        urls = [each.url for each in self.subscriptions]
        return {name: mask(text, urls) for name, text in self.policies.items()} if urls else self.policies

    @cached_property
    def revision(self) -> str:
        """The revision: ``sha256:…`` of the listing that ``sha256sum`` prints for the files.

        With calendars by URL, it is that of the texts as they are recorded.
        """
        texts = {**self.calendars, **self.recorded_policies}
        digests = {name: _digest(text.encode("utf-8", "surrogatepass")) for name, text in texts.items()}
        return _revision(digests | dict(self.unreadable))

    def calendar(self, name: str) -> str:
        """Return the text of an iCalendar file that a policy names.

        Raises:
            MalformedValueError: the name points outside the folder, or the file can't be read.
        """
        if not _lies_inside(name):
            raise MalformedValueError("the file must lie in the folder of the policies, or below it")
        if name not in self.calendars:
            raise MalformedValueError(self.unreadable.get(name, f"there is no file {quoted(name)}"))
        return self.calendars[name]

    def fetched(self, url: str) -> str | None:
        """Return what was fetched from a URL that a policy names; None if that never succeeded."""
        return self.calendars.get(calendar_url.masked(url))

    def to_json(self) -> str:
        """Return the texts as canonical JSON, to be stored with the decisions made by them."""
        texts = {"policies": dict(self.recorded_policies), "calendars": dict(self.calendars)}
        return json.dumps(texts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the snapshot that `to_json` serialised; its revision is the same."""
        texts = json.loads(text)
        return cls(texts["policies"], texts["calendars"])


class _Content(NamedTuple):
    """The content of a file, or the sentence on why it can't be read."""

    text: str
    digest: str
    sentence: str | None = None
    position: Position = Position(1, 1)


class _Named(NamedTuple):
    """The calendars that policies name."""

    files: tuple[str, ...]
    subscriptions: tuple[Subscription, ...]


class Source:
    """A policy file, or a folder whose ``*.yaml`` files make one set."""

    def __init__(self, path: Path | str, fetched: Fetched | None = None) -> None:
        """Read policies from `path` when asked to, and their calendars by URL from `fetched`."""
        self.path = Path(path)
        self._fetched = fetched
        self._named_by = ("", _Named((), ()))
        self.is_folder = False
        """Whether the path was a folder when it was read last."""

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The calendars by URL that the files named when they were read last."""
        return self._named_by[1].subscriptions

    def read(self) -> Snapshot:
        """Read all files through one state of the folder.

        Problems are in the snapshot; nothing is raised. A missing file may mean that the folder was swapped
        during the read, so everything is read again.
        """
        for _ in range(_ATTEMPTS):
            snapshot = self._look()
            if not snapshot.unreadable and not any(
                each.severity is Severity.ERROR for each in snapshot.problems
            ):
                break
        return snapshot

    def read_settled(self, clock: Clock, pause: Callable[[float], None] = time.sleep) -> Snapshot:
        """Read all files for a start, once they are completely written.

        A set unchanged for the length of a poll is read at once. Otherwise two polls must find it equal,
        as in a reload. Files dated in the future, by another clock, count as old.

        Raises:
            PolicyFileError: the files keep changing.
        """
        snapshot = self.read()
        if abs(clock.microseconds() / 1e6 - snapshot.changed_at) >= POLL:
            return snapshot
        for _ in range(_POLLS_AT_START):
            pause(POLL)
            before, snapshot = snapshot, self.read()
            if snapshot.revision == before.revision:
                return snapshot
        sentence = (
            f"the files have been changing for {_POLLS_AT_START} seconds; start when they are all written"
        )
        raise PolicyFileError([Problem(self.path.name, 1, 1, "", sentence)])

    def fingerprint(self) -> str:
        """Return the revision of what is there now: it changes when any file that is used does."""
        return self.read().revision

    def shown(self, problem: Problem) -> Problem:
        """Return a problem with its file named as the user gave the path: ``conf/policies.yaml``."""
        of_folder = problem.file == self.path.name
        return problem._replace(file=str(self.path if of_folder else self._folder / problem.file))

    @property
    def _folder(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    def _look(self) -> Snapshot:
        """Read all files once."""
        try:
            folder, is_set = OpenFolder(self.path), True
        except (
            NotADirectoryError,
            FileNotFoundError,
            ValueError,
        ):  # ValueError: an invalid file name
            is_set = False
        except OSError as error:
            return self._without_files(f"the folder can't be read: {error.strerror}")
        self.is_folder = is_set
        try:
            if not is_set:
                folder = OpenFolder(self.path.parent)
            with folder:
                return self._read_all(folder, is_set=is_set)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return self._without_files("there is no such file")
        except OSError as error:
            return self._without_files(f"the folder can't be read: {error.strerror}")

    def _without_files(self, sentence: str) -> Snapshot:
        return Snapshot(
            {}, unreadable={self.path.name: sentence}, problems=(Problem(self.path.name, 1, 1, "", sentence),)
        )

    def _read_all(self, folder: Folder, *, is_set: bool) -> Snapshot:
        reading = _Reading(folder)
        names, problems = self._list(reading) if is_set else ([self.path.name], [])
        files = {name: reading.read(name) for name in names}
        policies = _texts(files)
        problems += [
            Problem(name, *content.position, "", content.sentence)
            for name, content in files.items()
            if content.sentence
        ]
        named = self._named(policies, files)
        calendars = {name: reading.read(name) for name in named.files}
        unreadable = _failures(files | calendars)
        fetched, awaiting = self._fetch(named.subscriptions)
        snapshot = Snapshot(
            policies, _texts(calendars) | fetched, unreadable, tuple(problems), reading.changed_at, awaiting
        )
        snapshot.__dict__["subscriptions"] = named.subscriptions  # found already
        return snapshot

    def _fetch(self, wanted: Sequence[Subscription]) -> tuple[dict[str, str], bool]:
        """Return what was fetched of these calendars, and whether any is still awaited."""
        if self._fetched is None:
            return {}, False
        texts = {each.key: self._fetched.text(each) for each in wanted}
        awaiting = any(map(self._fetched.is_awaited, wanted))
        return {key: text for key, text in texts.items() if text is not None}, awaiting

    def _list(self, reading: "_Reading") -> tuple[list[str], list[Problem]]:
        """Return the policy files of a folder, and warnings about its other files."""
        names = [name for name in reading.names() if not name.startswith(".")]
        chosen = [name for name in names if name.endswith(_SUFFIX)]
        problems = _on_ignored(names, reading.folders())
        if not chosen:
            problems.insert(0, Problem(self.path.name, 1, 1, "", "there is no *.yaml file in this folder"))
        if len(chosen) > MOST_FILES:
            sentence = f"there are {len(chosen):,} *.yaml files in this folder; {MOST_FILES:,} are the most"
            return [], [Problem(self.path.name, 1, 1, "", sentence)]
        return chosen, problems

    def _named(self, policies: Mapping[str, str], files: Mapping[str, _Content]) -> _Named:
        """Return the calendars that the policies name; searched only when a text has changed."""
        revision = _revision({name: files[name].digest for name in policies})
        if self._named_by[0] != revision:
            named = {name for text in policies.values() for name in _calendars_of(text)}
            self._named_by = (revision, _Named(tuple(sorted(named)), subscriptions(policies.values())))
        return self._named_by[1]


class _Reading:
    """One read of a folder, with the remaining size limit."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._left = LARGEST_SET
        self.changed_at = 0.0
        """The newest modification time of the files read."""

    def names(self) -> list[str]:
        self.changed_at = max(self.changed_at, self._folder.changed_at)
        return self._folder.names()

    def folders(self) -> list[str]:
        return self._folder.folders(_SUFFIX)

    def read(self, name: str) -> _Content:
        try:
            found = self._folder.read(name, LARGEST + 1)
        except (FileNotFoundError, ValueError):  # ValueError: an invalid file name
            return _Content("", "", "there is no such file")
        except OSError as error:
            return _Content("", "", f"the file can't be read: {error.strerror}")
        if found is None:
            return _Content("", "", "this is not a file")
        self.changed_at = max(self.changed_at, found.changed_at)
        self._left -= len(found.content)
        if self._left < 0:
            sentence = f"the files of this set hold more than {LARGEST_SET >> 20} MiB together"
            return _Content("", "", sentence)
        return _decoded(found.content)


def _texts(files: Mapping[str, _Content]) -> dict[str, str]:
    return {name: content.text for name, content in files.items() if content.sentence is None}


def _failures(files: Mapping[str, _Content]) -> dict[str, str]:
    return {name: content.sentence for name, content in files.items() if content.sentence}


def _on_ignored(names: Iterable[str], folders: Iterable[str]) -> list[Problem]:
    """Return a warning for each file or folder that may be meant, but isn't read."""
    unread = dict.fromkeys(filter(_is_yaml_otherwise, names), _NOT_YAML)
    unread |= {name: _NOT_BELOW for name in folders if not name.endswith(_SUFFIX)}
    return [Problem(name, 1, 1, "", unread[name], Severity.WARNING) for name in sorted(unread)]


def _is_yaml_otherwise(name: str) -> bool:
    """Return whether a file is named like YAML but doesn't end in ``.yaml``."""
    return name.lower().endswith((".yml", _SUFFIX)) and not name.endswith(_SUFFIX)


def _decoded(content: bytes) -> _Content:
    if len(content) > LARGEST:
        return _Content("", "", "the file is larger than 16 MiB")
    try:
        return _Content(content.decode("utf-8"), _digest(content))
    except UnicodeDecodeError as error:
        return _Content("", "", *_not_utf8(content, error.start))


def _not_utf8(content: bytes, index: int) -> tuple[str, Position]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "the file is UTF-16; save it as UTF-8", Position(1, 1)
    before = content[:index].decode("utf-8")
    return "the file is not UTF-8 from here on", position_of(before, len(before))


def _calendars_of(text: str) -> Iterator[str]:
    for _, window in windows(text):
        name = window.get("file")
        if isinstance(name, str) and _lies_inside(name):
            yield name


def _lies_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and not set(name) & set("\\:\0")


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _revision(digests: Mapping[str, str]) -> str:
    return f"sha256:{_digest(''.join(_lines(digests.items())).encode('utf-8', 'surrogateescape'))}"


def _lines(digests: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (f"{digest}  {name}\n" for name, digest in sorted(digests))
