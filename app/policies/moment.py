"""Parse the times of self-tests: an instant with an offset, or a local time."""

import re
from typing import Final

from app.core.errors import MalformedValueError
from app.core.instant import DAY, HOUR, MINUTE, in_range
from app.core.notation import parse_date_bound
from app.core.wallclock import Zone

_MOMENT: Final = re.compile(
    r"(?P<local>\d{4}-\d\d-\d\d[ T](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?)"
    r"(?P<offset>Z|(?P<sign>[+-])(?P<hours>[01]\d|2[0-3]):(?P<minutes>[0-5]\d))?",
    re.ASCII,
)


def parse_moment(text: str, home: Zone) -> int:
    """Read ``2026-11-27 14:00`` in `home`, or ``2026-11-27T14:00:00+01:00``, as an instant.

    Raises:
        MalformedValueError: `text` has neither form, or its local time does not exist or occurs
            twice, so that it needs an offset.
        OutOfRangeError: the instant lies outside the years 2000 to 2100.
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise MalformedValueError('not a time such as "2026-11-27 14:00" or "2026-11-27T14:00:00+01:00"')
    bound = parse_date_bound(match["local"])
    local = bound.day * DAY + (bound.time or 0)
    if match["offset"]:
        return in_range(local - _offset(match))
    instants = home.all(local)
    instant = in_range(instants[0])
    if len(instants) > 1:
        raise MalformedValueError(f"this local time occurs twice in {home.name}; write it with an offset")
    if home.local(instant) != local:
        raise MalformedValueError(f"this local time does not exist in {home.name}; write it with an offset")
    return instant


def _offset(match: re.Match[str]) -> int:
    """Return the offset of a time from UTC, in seconds east."""
    seconds = int(match["hours"] or 0) * HOUR + int(match["minutes"] or 0) * MINUTE
    return -seconds if match["sign"] == "-" else seconds
