"""Parse the local times of a browser's date and time fields: no offset, in the zone of the policies."""

import re
from datetime import date
from typing import Final

from app.core.errors import MalformedValueError
from app.core.instant import DAY, HOUR, MINUTE
from app.core.wallclock import Zone, local_day

_LOCAL: Final = re.compile(r"(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_EXPECTED: Final = "write it as 2026-11-27T14:00, or as RFC 3339 with an offset"


def local_instant(text: str, zone: Zone) -> int:
    """Return the instant of a local date and time (HTML standard, "local date and time string").

    Of a time that occurs twice, the earlier one; for one that is skipped, the first after the gap.

    Raises:
        MalformedValueError: the text is not a local date and time.
    """
    match = _LOCAL.fullmatch(text)
    if match is None:
        raise MalformedValueError(_EXPECTED)
    try:
        day = local_day(date.fromisoformat(match[1]))
    except ValueError:
        raise MalformedValueError(_EXPECTED) from None
    seconds = int(match[2]) * HOUR + int(match[3]) * MINUTE + int(match[4] or 0)
    return zone.earliest(day * DAY + seconds)
