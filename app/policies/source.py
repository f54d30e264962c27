"""Where policies come from: a file or a folder, read as a whole into a snapshot.

A snapshot holds everything that loading needs, so that a recorded decision can be evaluated again
from the snapshot alone, long after the files have changed.
"""

import json
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple, Self

from app.core.errors import MalformedValueError
from app.yaml.compose import read_document
from app.yaml.problem import Problem, Severity, quoted
from app.yaml.syntax import LARGEST, Position, position_of

_ATTEMPTS: Final = 3
"""A ConfigMap is swapped under the reader now and then; the second attempt sees the new one."""


@dataclass(frozen=True)
class Snapshot:
    """The texts of all files of a policy set, by their names within the folder."""

    policies: Mapping[str, str]
    calendars: Mapping[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Files that could not be read, each with a sentence that says why."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the files before a word in them is read."""

    @classmethod
    def of(cls, text: str, name: str = "policies.yaml", calendars: Mapping[str, str] | None = None) -> Self:
        """A set of a single file, given by its text."""
        return cls({name: text}, calendars or {})

    @cached_property
    def revision(self) -> str:
        """``sha256:…`` of the listing that ``sha256sum`` prints for the files."""
        texts = {**self.calendars, **self.policies}
        digests = {name: _digest(text.encode("utf-8", "surrogatepass")) for name, text in texts.items()}
        return _revision(digests | dict(self.unreadable))

    def calendar(self, name: str) -> str:
        """The text of an iCalendar file that a policy names.

        Raises:
            MalformedValueError: the name leads out of the folder, or the file can't be read.
        """
        if not _lies_inside(name):
            raise MalformedValueError("the file must lie in the folder of the policies, or below it")
        if name not in self.calendars:
            raise MalformedValueError(self.unreadable.get(name, f"there is no file {quoted(name)}"))
        return self.calendars[name]

    def to_json(self) -> str:
        """The texts as canonical JSON, to be kept with the decisions made by them."""
        texts = {"policies": dict(self.policies), "calendars": dict(self.calendars)}
        return json.dumps(texts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote; the revision is the same again."""
        texts = json.loads(text)
        return cls(texts["policies"], texts["calendars"])


class _Content(NamedTuple):
    """What a file holds, or the sentence that says why it can't be read."""

    text: str
    digest: str
    sentence: str | None = None
    position: Position = Position(1, 1)


class Source:
    """A policy file, or a folder whose ``*.yaml`` files make one set."""

    def __init__(self, path: Path | str) -> None:
        """Take policies from `path`; nothing is read yet."""
        self.path = Path(path)
        self._named_by: tuple[str, tuple[str, ...]] = ("", ())

    def read(self) -> Snapshot:
        """Read everything. What can't be read is told in the snapshot; nothing is raised."""
        files, problems = self._policy_files()
        policies = {name: content.text for name, content in files.items() if content.sentence is None}
        unreadable = {name: content.sentence for name, content in files.items() if content.sentence}
        problems += [
            Problem(name, *content.position, "", content.sentence)
            for name, content in files.items()
            if content.sentence
        ]
        calendars = {}
        for name in self._calendar_names(policies, files):
            content = _read(self._folder / name)
            if content.sentence is None:
                calendars[name] = content.text
            else:
                unreadable[name] = content.sentence
        return Snapshot(policies, calendars, unreadable, tuple(problems))

    def fingerprint(self) -> str:
        """The revision of what is there now: it changes when any file that is used does."""
        return self.read().revision

    def shown(self, problem: Problem) -> Problem:
        """A problem with its file as the author named the path: ``conf/policies.yaml``."""
        of_folder = problem.file == self.path.name
        return problem._replace(file=str(self.path if of_folder else self._folder / problem.file))

    @property
    def _folder(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    def _policy_files(self) -> tuple[dict[str, _Content], list[Problem]]:
        for attempt in range(1, _ATTEMPTS + 1):
            names, problems = self._list()
            files = {name: _read(self._folder / name) for name in names}
            if attempt == _ATTEMPTS or not any(content.sentence for content in files.values()):
                break
        return files, problems

    def _list(self) -> tuple[list[str], list[Problem]]:
        if not self.path.is_dir():
            return [self.path.name], []
        try:
            names = sorted(entry.name for entry in self.path.iterdir() if not entry.name.startswith("."))
        except OSError as error:
            return [], [Problem(self.path.name, 1, 1, "", f"the folder can't be read: {error.strerror}")]
        problems = [
            Problem(
                name, 1, 1, "", "this file is not read: only names that end in .yaml are", Severity.WARNING
            )
            for name in names
            if name.endswith(".yml")
        ]
        chosen = [name for name in names if name.endswith(".yaml")]
        if not chosen:
            problems.append(Problem(self.path.name, 1, 1, "", "there is no *.yaml file in this folder"))
        return chosen, problems

    def _calendar_names(self, policies: Mapping[str, str], files: Mapping[str, _Content]) -> tuple[str, ...]:
        """The calendars that the policies name; looked for only when a text has changed."""
        revision = _revision({name: files[name].digest for name in policies})
        if self._named_by[0] != revision:
            named = {name for text in policies.values() for name in _calendars_of(text)}
            self._named_by = (revision, tuple(sorted(named)))
        return self._named_by[1]


def _read(path: Path) -> _Content:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return _Content("", "", "this is not a file")
        with path.open("rb") as file:
            return _decoded(file.read(LARGEST + 1))
    except (FileNotFoundError, ValueError):  # ValueError: a name that no system allows
        return _Content("", "", "there is no such file")
    except OSError as error:
        return _Content("", "", f"the file can't be read: {error.strerror}")


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
    if "icalendar" not in text:
        return
    data = read_document("", text).data
    for policy in _list_in(data, "policies"):
        for entry in (*_list_in(policy, "when"), *_list_in(policy, "except_when")):
            window = entry.get("icalendar") if isinstance(entry, dict) else None
            name = window.get("file") if isinstance(window, dict) else None
            if isinstance(name, str) and _lies_inside(name):
                yield name


def _list_in(data: Any, key: str) -> list[Any]:
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, list) else []


def _lies_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and not set(name) & set("\\:\0")


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _revision(digests: Mapping[str, str]) -> str:
    return f"sha256:{_digest(''.join(_lines(digests.items())).encode('utf-8', 'surrogateescape'))}"


def _lines(digests: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (f"{digest}  {name}\n" for name, digest in sorted(digests))
