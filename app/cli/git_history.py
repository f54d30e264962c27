"""The commits of policy files, by the revision that a gate gives them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from app.cli.git_source import GitSource, Revision, git
from app.core.instant import DAY

MOST_COMMITS: Final = 300
"""Commits that are read; three processes each."""

_LOG: Final = ("--literal-pathspecs", "log", "-z", "--no-show-signature")
"""Fields end with NUL, for a subject may hold what other programs take for the end of a line."""

_FORMAT: Final = "--format=%H%x00%ct%x00%an%x00%s"
_SLACK: Final = DAY
"""Seconds by which clocks may differ: a load may seem to come before its commit."""


class Commit(NamedTuple):
    """A commit that changed policy files."""

    hash: str
    at: int
    """When it was committed, in seconds since the Unix epoch, by the clock of that machine."""
    author: str
    subject: str


Commits = dict[str, list[Commit]]
"""The commits by revision, newest first: files may have been put back as they were."""


def commits_of(path: Path, wanted: Mapping[str, int]) -> Commits:
    """Return the latest commits of a policy file or folder of this repository, as far back as needed.

    Revisions with calendars by URL can't be found: their events are not in the repository.

    Args:
        path: the file or folder, from the current folder.
        wanted: the revisions, each with the instant of its first load.

    Raises:
        UsageError: this is no repository, or the path is outside of it.
        UndecidedError: git can't be run.
    """
    shown = os.path.relpath(path)
    log = git([*_LOG, f"--max-count={MOST_COMMITS}", _FORMAT, "--", shown]).decode("utf-8", "replace")
    found: Commits = {}
    left = dict(wanted)
    fields = iter(log.split("\0"))
    for name, at, author, subject in zip(fields, fields, fields, fields, strict=False):
        if not left:
            break
        revision = GitSource(Revision(name, f"./{shown}")).read().revision
        found.setdefault(revision, []).append(Commit(name, int(at), author, subject))
        if revision in left and int(at) <= left[revision] + _SLACK:
            del left[revision]
    return found


def commit_of_load(commits: Commits, revision: str, at: int) -> Commit | None:
    """Return the commit that a load at an instant is of: the last one before it with the revision."""
    named = commits.get(revision, [])
    return next((each for each in named if each.at <= at + _SLACK), named[-1] if named else None)
