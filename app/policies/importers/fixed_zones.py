"""IANA zones of a fixed offset from UTC, for formats that know offsets only."""

from typing import Final

from app.core.errors import MalformedValueError

_OTHERS: Final = {
    -570: "Pacific/Marquesas",
    0: "UTC",
    270: "Asia/Kabul",
    330: "Asia/Kolkata",
    345: "Asia/Kathmandu",
    390: "Asia/Yangon",
    570: "Australia/Darwin",
}
"""Zones whose offset, in minutes, isn't a whole hour and hasn't changed since 2000."""

_HOURS: Final = range(-12, 15)
"""The offsets of the zones Etc/GMT+12 to Etc/GMT-14."""


def zone_ahead_of_utc(minutes: int) -> str:
    """Return the name of a zone that is always that many minutes ahead of UTC.

    Raises:
        MalformedValueError: there is none.
    """
    if minutes in _OTHERS:
        return _OTHERS[minutes]
    hours, rest = divmod(minutes, 60)
    if rest or hours not in _HOURS:
        raise MalformedValueError(f"no time zone has always been {minutes} minutes ahead of UTC")
    return f"Etc/GMT{-hours:+d}"
