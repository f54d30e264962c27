"""Resolve the time zones of an iCalendar file: from the IANA database, or as the file defines them.

A known name has the meaning of the IANA database, even if the file defines it: the databases of programs that
write calendars are seldom complete, and never newer than ours. Any other name has the meaning that its file
defines (VTIMEZONE; RFC 5545, 3.6.5), within that file only.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import islice, pairwise, takewhile
from typing import Any, Final, NamedTuple

from app.core.errors import MalformedValueError
from app.core.instant import DAY, EARLIEST, LATEST, LOOK_AHEAD
from app.core.wallclock import Regimes, local_day, zone, zone_names

_FIRST: Final = EARLIEST - 2 * LOOK_AHEAD
_LAST: Final = LATEST + LOOK_AHEAD
_SHORTEST: Final = 2 * DAY
"""The shortest regime, so that local times stay in order; offsets are always below 24 hours."""

_MOST_ONSETS: Final = 2_000
"""Onsets of one observance; yearly from 1601, as Outlook writes, there are 500."""

_RULES: Final = ("YEARLY", "MONTHLY")


class Zones:
    """The zones of one calendar, by TZID."""

    def __init__(self, definitions: Iterable[Any]) -> None:
        """Take the definitions of a calendar, each with its TZID; each is read on first use."""
        self._definitions: dict[str, list[Any]] = {}
        self._read: dict[str, Regimes] = {}
        for each in definitions:
            self._definitions.setdefault(str(each.get("TZID", "")), []).append(each)

    def find(self, tzid: str) -> Regimes | None:
        """Return the zone of a TZID; None if it is unknown.

        Raises:
            MalformedValueError: its definition can't be read, or it has two that differ.
        """
        known = iana_name(tzid)
        if known is not None:
            return zone(known)
        if tzid in self._definitions and tzid not in self._read:
            self._read[tzid] = self._defined(tzid)
        return self._read.get(tzid)

    def _defined(self, tzid: str) -> Regimes:
        first, *others = self._definitions[tzid]
        if any(other.to_ical() != first.to_ical() for other in others):
            raise MalformedValueError(f"the calendar defines the time zone {tzid} twice, in two ways")
        try:
            return regimes(first)
        except MalformedValueError as error:
            raise MalformedValueError(f"the time zone {tzid} can't be used: {error}") from None


def iana_name(tzid: str) -> str | None:
    """Return the IANA name of a TZID, also from a Windows name or behind a vendor's prefix."""
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON  # from the Unicode CLDR

    bare = tzid.strip("/")
    if bare in zone_names():
        return bare
    if bare in WINDOWS_TO_OLSON:
        return WINDOWS_TO_OLSON[bare]
    # A globally unique name begins with a slash (RFC 5545, 3.2.19): /mozilla.org/20050126_1/Europe/Berlin
    parts = bare.split("/") if tzid.startswith("/") else []
    behind = ("/".join(parts[start:]) for start in range(1, len(parts)))
    return next((name for name in behind if name in zone_names()), None)


def similar_name(tzid: str) -> str:
    """Return ``; did you mean "Europe/Berlin"?`` of a known name that is close to an unknown TZID."""
    from difflib import get_close_matches  # for a typo only

    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    near = get_close_matches(tzid[:64], [*sorted(zone_names()), *WINDOWS_TO_OLSON], 1, 0.8)
    return f'; did you mean "{near[0]}"?' if near else ""


class _Onset(NamedTuple):
    """The instant at which an observance begins, and the offsets before and after it, in seconds."""

    instant: int
    before: int
    after: int


def regimes(definition: Any) -> Regimes:
    """Return the regimes of a VTIMEZONE; before its first onset, its TZOFFSETFROM applies.

    Raises:
        MalformedValueError: it is empty, can't be read, or changes its clocks every day.
    """
    onsets = sorted(onset for each in definition.subcomponents for onset in _onsets(each))
    if not onsets:
        raise MalformedValueError("it has neither STANDARD nor DAYLIGHT times")
    starts, offsets = [_FIRST], [onsets[0].before]
    for onset in onsets:
        if onset.instant <= _FIRST:
            offsets = [onset.after]
        elif onset.after != offsets[-1]:
            starts.append(onset.instant)
            offsets.append(onset.after)
    if any(end - start < _SHORTEST for start, end in pairwise(starts[1:])):
        raise MalformedValueError("its clocks are changed again within two days")
    return Regimes(starts, offsets)


def _onsets(observance: Any) -> Iterator[_Onset]:
    for key in ("DTSTART", "TZOFFSETFROM", "TZOFFSETTO"):
        if key not in observance or isinstance(observance[key], list):
            raise MalformedValueError(f"an observance of it needs one {key}")
    before, after = (int(observance[key].td.total_seconds()) for key in ("TZOFFSETFROM", "TZOFFSETTO"))
    for local in _local_onsets(observance, before):
        # An onset is in the local time before the change.
        yield _Onset(_seconds(local) - before, before, after)


def _local_onsets(observance: Any, before: int) -> Iterator[datetime]:
    first = _local(observance["DTSTART"].dt)
    yield first
    for listed in _all(observance, "RDATE"):
        yield from (_local(each.dt) for each in listed.dts)
    for rule in _all(observance, "RRULE"):
        yield from _recurring(first, rule, before)


def _recurring(first: datetime, rule: Any, before: int) -> Iterator[datetime]:
    """Yield the local times of a rule, up to the last supported year."""
    from dateutil.rrule import rrulestr

    if rule.get("FREQ", [""])[0] not in _RULES or any(each < 1 for each in rule.get("INTERVAL", ())):
        raise MalformedValueError("its clocks are changed by a rule that is not of years or months")
    until = min([_LAST, *(_until(each, before) for each in rule.get("UNTIL", ()))])
    lasting = type(rule)({key: value for key, value in rule.items() if key != "UNTIL"})
    try:
        found = iter(rrulestr(lasting.to_ical().decode(), dtstart=first))
        onsets = list(islice(takewhile(lambda each: _seconds(each) - before <= until, found), _MOST_ONSETS))
    except (ValueError, TypeError) as error:
        raise MalformedValueError(f"a rule of it can't be read: {error}") from None
    if len(onsets) == _MOST_ONSETS:
        raise MalformedValueError("its clocks are changed too often")
    yield from onsets


def _until(value: date | datetime, before: int) -> int:
    """Return the last instant of a rule: written in UTC (RFC 5545, 3.3.10), or in local time by mistake."""
    in_utc = isinstance(value, datetime) and value.tzinfo is not None
    return _seconds(_local(value)) - (0 if in_utc else before)


def _all(component: Any, key: str) -> list[Any]:
    found = component.get(key, [])
    return found if isinstance(found, list) else [found]


def _local(value: Any) -> datetime:
    """Return a date or time as a naive datetime: the onsets of a zone are local times."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a local time
    raise MalformedValueError("a time of it can't be read")


def _seconds(local: datetime) -> int:
    """Return a local time in seconds, see `wallclock`."""
    return local_day(local.date()) * DAY + local.hour * 3_600 + local.minute * 60 + local.second
