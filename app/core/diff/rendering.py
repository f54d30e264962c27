"""The forms of a difference, by media type: the same from the API and from the command line."""

import json
from typing import Final, NamedTuple

from app.core.diff.markdown import markdown
from app.core.diff.picture import picture
from app.core.diff.representation import to_json
from app.core.diff.result import Diff
from app.core.wallclock import Zone

JSON: Final = "application/json"
MARKDOWN: Final = "text/markdown"
SVG: Final = "image/svg+xml"


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
    return json.dumps(to_json(found, zone, compared.old_revision, compared.new_revision))
