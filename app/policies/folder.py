"""Read files through one state of a folder, even if it is swapped meanwhile.

Kubernetes mounts a ConfigMap as links through ``..data``, itself a link that is exchanged when the
map changes; other tools exchange a link to a whole folder. So each folder is opened once per read and
kept open, and every file is opened below it.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

_CONFIG_MAP: Final = "..data"
"""The link through which every file of a mounted ConfigMap or Secret is reached."""

_MOST_LINKS: Final = 40
"""Links followed for one file; the limit of Linux."""

_MOST_FOLDERS: Final = 100
"""Folders below that are searched: this happens every second."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # don't block on a pipe


class FileContent(NamedTuple):
    """The content of a file."""

    content: bytes
    changed_at: float
    """Its modification time, in seconds since the Unix epoch, by the clock of its file system."""


class OpenFolder:
    """One state of a folder; close it after reading."""

    def __init__(self, path: Path) -> None:
        """Open a folder.

        Raises:
            OSError: it can't be opened.
        """
        self._handles: dict[tuple[int, str], int] = {}
        self._root = os.open(path, _FOLDER)
        try:
            self._base = self._folder(self._root, _CONFIG_MAP)
        except OSError:
            self._base = self._root

    def __enter__(self) -> Self:
        """Return the folder itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all opened folders."""
        for handle in (*self._handles.values(), self._root):
            with suppress(OSError):
                os.close(handle)

    @property
    def changed_at(self) -> float:
        """The modification time of the folder: a name was added or removed."""
        return os.fstat(self._base).st_mtime

    def names(self) -> list[str]:
        """Return the names in it, sorted.

        Raises:
            OSError: it can't be read.
        """
        return sorted(os.listdir(self._base))  # noqa: PTH208 - pathlib takes no open folder

    def folders(self, suffix: str) -> list[str]:
        """Return the folders in it that hold names with a suffix, sorted; hidden ones are left out.

        Raises:
            OSError: it can't be read.
        """
        with os.scandir(self._base) as entries:
            found = [each.name for each in entries if _is_folder(each)]
        return [name for name in sorted(found)[:_MOST_FOLDERS] if self._holds(name, suffix)]

    def _holds(self, folder: str, suffix: str) -> bool:
        try:
            names = os.listdir(self._folder(self._base, folder))  # noqa: PTH208 - as above
        except OSError:
            return False
        return any(name.endswith(suffix) and not name.startswith(".") for name in names)

    def read(self, name: str, most: int) -> FileContent | None:
        """Return up to `most` bytes of a file in the folder or below it; None if it is not a regular file.

        Raises:
            OSError: it can't be read.
            ValueError: the name is not valid on any system.
        """
        handle = self._open(name)
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            os.close(handle)
            return None
        with os.fdopen(handle, "rb") as file:
            return FileContent(file.read(most), found.st_mtime)

    def _open(self, name: str) -> int:
        """Follow links one by one, so that each folder on the way is resolved once per read."""
        handle, rest = self._base, name
        for _ in range(_MOST_LINKS):
            parent, last = os.path.split(rest)
            handle = self._folder(handle, parent) if parent else handle
            try:
                rest = os.readlink(last, dir_fd=handle)
            except OSError as error:
                if error.errno != errno.EINVAL:  # EINVAL: not a link
                    raise
                return os.open(last, _FILE, dir_fd=handle)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))

    def _folder(self, within: int, path: str) -> int:
        known = self._handles.get((within, path))
        if known is None:
            known = self._handles[within, path] = os.open(path, _FOLDER, dir_fd=within)
        return known


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.name.startswith(".") and entry.is_dir()
    except OSError:
        return False
