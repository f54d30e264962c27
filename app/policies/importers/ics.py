"""iCalendar files (RFC 5545), as calendar programs export them."""

from collections.abc import Sequence
from pathlib import PurePath

from app.policies.importers.calendars import CalendarText, add_calendar
from app.policies.importers.imported import Imported, ImportOptions, Origin, SourceText


def read(sources: Sequence[SourceText], options: ImportOptions) -> Imported:
    """Return the events of calendars as policies."""
    imported = Imported()
    for source in sources:
        origin = Origin(source.name, 1, 1, "the calendar")
        add_calendar(CalendarText(origin, PurePath(source.name).name, source.text), imported, options)
    return imported
