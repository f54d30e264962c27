"""The forms of a difference, by media type: the same from the API and from the command line."""

import json
from typing import Any, Final, NamedTuple

from app.core.diff.markdown import markdown
from app.core.diff.picture import picture
from app.core.diff.representation import to_json
from app.core.diff.result import Diff
from app.core.wallclock import Zone

JSON: Final = "application/json"
MARKDOWN: Final = "text/markdown"
SVG: Final = "image/svg+xml"

_TOGETHER: Final = 1_000
"""Stretches that are written at a time, in a thousandth of a second."""


class Compared(NamedTuple):
    """A difference, with the revisions of both sets and the zone of its local times."""

    found: Diff
    zone: Zone
    old_revision: str
    new_revision: str


def render(compared: Compared, media_type: str) -> str:
    """Return a difference as JSON, Markdown or SVG."""
    found, zone = compared.found, compared.zone
    if media_type == MARKDOWN:
        return markdown(found, zone)
    if media_type == SVG:
        return picture(found, zone)
    return _in_json(to_json(found, zone, compared.old_revision, compared.new_revision))


def _in_json(body: dict[str, Any]) -> str:
    """Return a difference as JSON, written in pieces: the library lets no other thread run meanwhile."""
    differences = (_in_pieces(each) for each in body.pop("differences"))
    return f'{json.dumps(body)[:-1]}, "differences": [{", ".join(differences)}]}}'


def _in_pieces(difference: dict[str, Any]) -> str:
    hours = difference.pop("hours")
    pieces = (json.dumps(hours[at : at + _TOGETHER])[1:-1] for at in range(0, len(hours), _TOGETHER))
    return f'{json.dumps(difference)[:-1]}, "hours": [{", ".join(pieces)}]}}'
