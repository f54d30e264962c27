"""Policies named on the command line: a file, a folder, or either of them in a git revision."""

from pathlib import Path

import click

from app.cli.calendars import CommandCalendars
from app.cli.files import loaded_from
from app.cli.git_source import GitSource, Revision
from app.cli.report import echo
from app.policies.loaded import LoadedPolicies
from app.policies.source import Source
from app.yaml.problem import did_you_mean, quoted


def policy_source(text: str, calendars: CommandCalendars) -> Source:
    """Return the source of the policies that a path names, or ``git:REVISION:PATH``.

    Raises:
        UsageError: there is no such file, folder or revision.
        UndecidedError: git can't be run.
    """
    revision = Revision.parse(text)
    if revision is not None:
        return GitSource(revision, calendars)
    path = Path(text)
    if not path.exists():
        near = did_you_mean(path.name, _beside(path))
        raise click.UsageError(f"{quoted(text)}: there is no such file or folder{near}")
    return Source(path, calendars)


def _beside(path: Path) -> list[str]:
    try:
        return [each.name for each in path.parent.iterdir()]
    except OSError:
        return []


def load_source(source: Source, calendars: CommandCalendars) -> LoadedPolicies:
    """Load policies without their self-tests; warn about calendars that could not be fetched.

    Raises:
        PolicyFileError: the policies have errors.
    """
    snapshot = source.read()
    for problem in calendars.problems(snapshot):
        echo(str(source.shown(problem)), colour="yellow", err=True)
    return loaded_from(source, snapshot, tested=False)
