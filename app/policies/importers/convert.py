"""Convert files of a format into the text of a policy file: the whole of `freezegate import` but its I/O."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from app.core.errors import FreezegateError
from app.core.policy import SelfTest
from app.policies.importers.assemble import assemble
from app.policies.importers.evidence import Proven, prove
from app.policies.importers.formats import read_format
from app.policies.importers.imported import MOST_WINDOWS, Imported, ImportOptions, Origin, Remark, SourceText
from app.policies.importers.writer import policy_text
from app.policies.load import load_untested
from app.policies.source import Snapshot


class Converted(NamedTuple):
    """A policy file, and the report on what it was made from."""

    text: str
    calendars: Mapping[str, str]
    """The iCalendar files that it names."""
    policies: int
    tests: int
    windows: int
    """The windows of the source, refused ones included."""
    refused: Sequence[Remark]
    differences: Sequence[Remark]


def convert(name: str, sources: Sequence[SourceText], options: ImportOptions) -> Converted:
    """Return the policy file that files of a format stand for.

    Raises:
        PolicyFileError: the file doesn't load, a bug.
        MiswrittenError: it says something else than what was proven, a bug.
    """
    imported = _bounded(read_format(name, sources, options), sources)
    assembled = assemble(imported, options)
    proven = prove(assembled, imported, options)
    head = [f"Imported by freezegate from {name}: {', '.join(source.name for source in sources)}"]
    text = policy_text(imported, assembled, proven, head)
    check_written(text, proven, imported.calendars)
    return Converted(
        text,
        imported.calendars,
        len(proven.entries),
        len(proven.tests),
        imported.found,
        imported.refused,
        imported.differences,
    )


class MiswrittenError(FreezegateError):
    """A written file doesn't read back as the policies and tests that it was written from."""


def check_written(text: str, proven: Proven, calendars: Mapping[str, str]) -> None:
    """Check that a file reads back as the policies and tests that were proven.

    The tests hold for these policies already, so they aren't run again.

    Raises:
        PolicyFileError: the file doesn't load.
        MiswrittenError: it holds other policies or tests.
    """
    loaded = load_untested(Snapshot.of(text, calendars=calendars)).policy_set
    tests = [SelfTest.model_validate(test) for test in proven.tests]
    if loaded.policies != [entry.policy for entry in proven.entries] or loaded.tests != tests:
        raise MiswrittenError("the file doesn't read back as what was imported; please report this as a bug")


def _bounded(imported: Imported, sources: Sequence[SourceText]) -> Imported:
    """Refuse all windows if there are too many of them, and say so if there is none."""
    whole = Origin(sources[0].name if sources else "", 1, 1, "the file")
    if len(imported.policies) > MOST_WINDOWS:
        imported.policies.clear()
        imported.refuse(whole, f"more than {MOST_WINDOWS:,} windows; import the files one by one")
    elif not imported.found and not imported.refused:
        imported.refuse(whole, "no windows found")
    return imported
