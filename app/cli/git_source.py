"""Policy files in a git revision: ``git:REV:path``, a file or a folder, with the calendars that it names.

The `git` program reads them. Nothing is checked out, and no hook or filter of the repository runs.
"""

import os
import posixpath
import subprocess
from collections.abc import Sequence
from pathlib import PurePosixPath
from types import TracebackType
from typing import IO, Final, NamedTuple, Self

import click

from app.cli.errors import UndecidedError
from app.policies.folder import FileContent
from app.policies.source import Fetched, Snapshot, Source
from app.yaml.problem import Problem, did_you_mean, quoted

_PREFIX: Final = "git:"
_WITHIN: Final = 30.0
"""Seconds for one call; a partial clone may have to fetch."""

_CHUNK: Final = 1024 * 1024
_DEAD_LINKS: Final = frozenset({"dangling", "loop", "notdir", "symlink"})
"""Words that begin the answer about a link to nowhere, or out of the repository; its path follows."""

_LARGEST_TREE: Final = 16 * 1024 * 1024
_OBJECT: Final = 3
"""Words of the line before an object: its hash, its type and its size."""


class Revision(NamedTuple):
    """A revision and a path in it, as given on the command line."""

    name: str
    path: str

    @classmethod
    def parse(cls, text: str) -> "Revision | None":
        """Return the parts of ``git:REV:path``; None for the path of a file.

        Raises:
            UsageError: it begins with ``git:`` and has no revision or no path.
        """
        if not text.startswith(_PREFIX):
            return None
        name, colon, path = text.removeprefix(_PREFIX).partition(":")
        # A revision never begins with a dash: git would take it for an option.
        if not colon or not name or name.startswith("-") or not (name + path).isprintable():
            raise click.UsageError(f"{quoted(text)}: write git:REVISION:PATH, such as git:main:policies.yaml")
        return cls(name, path.rstrip("/") or ".")


class GitSource(Source):
    """A policy file, or a folder of them, in a revision of the repository of the current folder."""

    def __init__(self, revision: Revision, fetched: Fetched | None = None) -> None:
        """Resolve the revision, so that all reads see the same commit.

        Raises:
            UsageError: there is no such revision here.
            UndecidedError: git can't be run.
        """
        path = _from_root(revision)
        super().__init__(PurePosixPath(path).name or ".", fetched)
        self._revision = revision
        self._path = path
        self._commit = _commit(revision)

    @property
    def exists(self) -> bool:
        """Whether the revision has the file or folder."""
        with _GitObjects(self._commit) as objects:
            return objects.kind(self._path) in ("blob", "tree")

    @property
    def near(self) -> str:
        """``; did you mean "policies.yaml"?`` where the revision has such a name beside it; else nothing."""
        with _GitObjects(self._commit) as objects:
            return self._near(objects)

    def shown(self, problem: Problem) -> Problem:
        """Return a problem with its file named as the user gave it: ``git:main:policies.yaml``."""
        of_whole = problem.file == self.path.name
        file = self._revision.path if of_whole else posixpath.join(self._folder_shown, problem.file)
        return problem._replace(file=f"{_PREFIX}{self._revision.name}:{file}")

    @property
    def _folder_shown(self) -> str:
        with _GitObjects(self._commit) as objects:
            is_set = objects.kind(self._path) == "tree"
        return self._revision.path if is_set else posixpath.dirname(self._revision.path)

    def _look(self) -> Snapshot:
        with _GitObjects(self._commit) as objects:
            kind = objects.kind(self._path)
            if kind not in ("blob", "tree"):
                return self._without_files(f"there is no such file{self._near(objects)}")
            is_set = kind == "tree"
            folder = self._path if is_set else posixpath.dirname(self._path)
            return self._read_all(_GitFolder(objects, folder), is_set=is_set)

    def _near(self, objects: "_GitObjects") -> str:
        folder, name = posixpath.split(self._path)
        return did_you_mean(name, set(objects.names(folder)) - {name})


class _GitObjects:
    """The files of a commit, read through one process."""

    def __init__(self, commit: str) -> None:
        self._commit = commit
        # Links within the commit are followed, as those between files are.
        self._process = _start(["cat-file", "--batch", "--follow-symlinks"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder; its tree has for each a mode, a blank, the name, NUL and a hash."""
        kind, tree = self._get(folder, _LARGEST_TREE)
        if kind != "tree":
            return []
        names, begin = [], 0
        while (end := tree.find(b"\0", begin)) >= 0:
            names.append(tree[begin:end].partition(b" ")[2].decode("utf-8", "surrogateescape"))
            begin = end + 1 + len(self._commit) // 2
        return sorted(names)

    def kind(self, path: str) -> str:
        return self._get(path, 0)[0]

    def blob(self, path: str, most: int) -> bytes | None:
        kind, content = self._get(path, most)
        if kind == "missing":
            raise FileNotFoundError(path)
        return content if kind == "blob" else None

    def _get(self, path: str, most: int) -> tuple[str, bytes]:
        """Return the type of an object and the first bytes of its content."""
        if "\n" in path:
            return "missing", b""
        written, read = _pipes(self._process)
        try:
            written.write(f"{self._commit}:{path}\n".encode("utf-8", "surrogateescape"))
            written.flush()
            words = read.readline().decode("utf-8", "replace").split()
        except OSError:
            words = []
        if not words:
            raise UndecidedError("git ended too soon")
        if words[0] in _DEAD_LINKS:
            _take(read, int(words[1]) + 1, 0)
        if len(words) != _OBJECT or not words[2].isdigit():
            return "missing", b""
        return words[1], _take(read, int(words[2]) + 1, most)


def _take(read: IO[bytes], size: int, most: int) -> bytes:
    """Read so many bytes, a line break last, and return the first of them."""
    content = read.read(min(size - 1, most))
    left = size - len(content)
    while left > 0 and (piece := read.read(min(left, _CHUNK))):
        left -= len(piece)
    return content


class _GitFolder:
    """A folder of a commit."""

    def __init__(self, objects: _GitObjects, path: str) -> None:
        self._objects = objects
        self._path = path

    changed_at: Final = 0.0

    def names(self) -> list[str]:
        return self._objects.names(self._path)

    def folders(self, suffix: str) -> list[str]:  # noqa: ARG002 - for a warning that only lint shows
        return []

    def read(self, name: str, most: int) -> FileContent | None:
        content = self._objects.blob(posixpath.join(self._path, name), most)
        return None if content is None else FileContent(content, self.changed_at)


def _from_root(revision: Revision) -> str:
    """Return the path from the root of the repository; as in git, ``./`` means the current folder."""
    path = revision.path
    if path.startswith(("./", "../")):
        prefix = git(["rev-parse", "--show-prefix"]).decode("utf-8", "surrogateescape").rstrip("\n")
        path = posixpath.normpath(posixpath.join(prefix, path))
    if path.startswith(("../", "/")) or path == "..":
        raise click.UsageError(f"{quoted(revision.path)} is outside of the repository")
    return "" if path == "." else posixpath.normpath(path)


def _commit(revision: Revision) -> str:
    """Return the hash of a revision's commit."""
    wanted = f"{revision.name}^{{commit}}"
    found = _run(["rev-parse", "--verify", "--quiet", "--end-of-options", wanted])
    if found.returncode:
        raise click.UsageError(
            _on_failure(found)
            or f"there is no revision {quoted(revision.name)} here; in a shallow clone, fetch it first: "
            f"git fetch --depth=1 origin {quoted(revision.name)}"
        )
    return found.stdout.decode("ascii", "replace").strip()


def git(arguments: Sequence[str]) -> bytes:
    """Return the output of a call that can only fail outside of a repository.

    Raises:
        UsageError: it failed; the message is git's.
        UndecidedError: git can't be run.
    """
    found = _run(arguments)
    if found.returncode:
        raise click.UsageError(_on_failure(found) or "git failed without a reason")
    return found.stdout


def _on_failure(found: "subprocess.CompletedProcess[bytes]") -> str:
    """Return git's first line on what is wrong; empty if it gave none."""
    said = found.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
    return f"git: {said.removeprefix('fatal: ')}" if said else ""


def _run(arguments: Sequence[str]) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(  # noqa: S603 - no shell; a revision never begins with a dash
            ["git", *arguments],  # noqa: S607 - the user's git
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_WITHIN,
            check=False,
            env=_environment(),
        )
    except subprocess.TimeoutExpired:
        raise UndecidedError(f"git did not answer within {_WITHIN:g} s") from None
    except OSError as error:
        raise UndecidedError(f"git can't be run: {(error.strerror or 'unknown').lower()}") from None


def _start(arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - the arguments are ours
        ["git", *arguments],  # noqa: S607 - the user's git
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
    )


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:  # pragma: no cover - both are pipes
        raise UndecidedError("git can't be read")
    return process.stdin, process.stdout


def _environment() -> dict[str, str]:
    """Return the environment for git: it asks for no password, takes no lock, and writes English."""
    return {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
