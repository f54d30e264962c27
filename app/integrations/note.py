"""Texts of vendors, such as the name of a person, as they may be recorded and shown."""

from typing import Final

from app.core.decision_text import one_line

_LONGEST: Final = 500
"""Characters of a text; those of requests in our own words have as many."""


def note(text: str | None) -> str | None:
    """Return a text on one line; None for none, or for an empty one."""
    return one_line(text or "").strip()[:_LONGEST] or None


def link(url: str | None) -> str | None:
    """Return a link that may be shown; None for one that doesn't lead to a page."""
    found = note(url)
    return found if found is not None and found.startswith(("https://", "http://")) else None
