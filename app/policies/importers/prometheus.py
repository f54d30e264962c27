"""Time intervals of Prometheus Alertmanager, in its configuration file (0.24 and newer).

A named interval that mutes notifications becomes a freeze. One that a route lists as `active_time_intervals`
is the time in which notifications go out, so it becomes the only time in which deploys do.
"""

import calendar
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import filterfalse
from typing import Any, Final

from app.core.errors import MalformedValueError
from app.core.instant import DAY, EARLIEST, HOUR, LATEST, MINUTE
from app.core.interval import Interval, normalise
from app.core.month_day import MONTHS
from app.core.policy import Effect
from app.core.wallclock import calendar_date, zone, zone_names
from app.policies.importers.documents import mappings, origin_of, sound_documents, with_known_keys
from app.policies.importers.imported import Imported, ImportedPolicy, ImportOptions, Origin, SourceText
from app.policies.importers.wall_windows import (
    EVERY_DAY,
    WHOLE_DAY,
    WIDER_IN_REPEATED_HOUR,
    Window,
    cron_numbers,
    cron_windows,
    daily_windows,
    is_repeated,
    other_times,
)
from app.yaml.document import Document
from app.yaml.problem import Path, did_you_mean, quoted

_KEYS: Final = ("time_intervals", "mute_time_intervals")
"""The lists of named intervals; the second is the old name."""

_FIELDS: Final = ("times", "weekdays", "days_of_month", "months", "years", "location")
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS: Final = tuple(calendar.month_name[month].lower() for month in range(1, 13))
_LONGEST_MONTH, _SHORTEST_MONTH = 31, 28
_ONE_SHORT: Final = (
    "Alertmanager takes the month in which clocks are set forward for a day shorter: its 31st is no day of "
    "it, and days counted from the end are one earlier. Here they are as its documentation says"
)
_YEARS: Final = (2000, 2100)
_ALL_MONTHS: Final = frozenset(range(1, 13))


@dataclass(frozen=True)
class _Part:
    """One entry of a named interval; None where a field is left out."""

    origin: Origin
    zone: str
    times: Sequence[Interval] | None
    weekdays: frozenset[int] | None
    days: Sequence[tuple[int, int]] | None
    months: frozenset[int] | None
    years: Sequence[tuple[int, int]] | None

    def contains(self, instant: int) -> bool:
        """Return whether it contains an instant, by Alertmanager's own rules: all fields, each in any way."""
        local = zone(self.zone).local(instant)
        on, minute = calendar_date(local // DAY), local % DAY // MINUTE
        length = calendar.monthrange(on.year, on.month)[1]
        return (
            (self.times is None or any(start <= minute * MINUTE < end for start, end in self.times))
            and (self.days is None or any(_holds(each, on.day, length) for each in self.days))
            and (self.months is None or on.month in self.months)
            and (self.weekdays is None or on.weekday() in self.weekdays)
            and (self.years is None or any(first <= on.year <= last for first, last in self.years))
        )


def _differs_in_spring(part: _Part) -> bool:
    """Return whether Alertmanager's length of a month matters: it divides its elapsed hours by 24."""
    ends = [last for _, last in part.days or ()]
    spring = zone(part.zone).skipped(EARLIEST, LATEST)
    months = {calendar_date(start // DAY).month for start, _ in spring} & (part.months or _ALL_MONTHS)
    return bool(months) and any(last < 0 or last == _LONGEST_MONTH for last in ends)


def _holds(days: tuple[int, int], day: int, length: int) -> bool:
    first, last = (each + length + 1 if each < 0 else each for each in days)
    return first <= day <= min(last, length)


def read(sources: Sequence[SourceText], options: ImportOptions) -> Imported:
    """Return the named intervals as policies."""
    imported = Imported()
    for document in sound_documents(sources, imported):
        if isinstance(document.data, dict):
            _Reader(document, imported, options).read()
    return imported


class _Reader:
    """The named intervals of one document."""

    def __init__(self, document: Document, imported: Imported, options: ImportOptions) -> None:
        self._document = document
        self._imported = imported
        self._options = options
        self._named: dict[str, list[_Part]] = {}
        self._refused: set[str] = set()
        """Names whose definition is refused already."""

    def read(self) -> None:
        """Add the policies of the document."""
        for key in _KEYS:
            self._list(key)
        muting, active = _uses(self._document.data.get("route"))
        only_active = {name for names in active for name in names} - muting
        for name in filterfalse(only_active.__contains__, self._named):
            self._imported.policies += _freezes(name, self._named[name], self._options)
        self._refuse_unknown({*muting, *(name for names in active for name in names)} - set(self._named))
        for names in active:
            self._opening(list(filter(self._named.__contains__, names)), muting)

    def _refuse_unknown(self, names: set[str]) -> None:
        """Refuse the names that routes use and the document doesn't define."""
        for name in sorted(names - self._refused):
            self._imported.refuse(
                origin_of(self._document, ("route",)),
                f"a route uses {quoted(name)}, which isn't defined; Alertmanager refuses the file",
            )

    def _list(self, key: str) -> None:
        entries = self._document.data.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            self._named_interval((key, index), entry)

    def _named_interval(self, path: Path, entry: Any) -> None:
        name = entry.get("name") if isinstance(entry, dict) else None
        intervals = entry.get("time_intervals") if isinstance(entry, dict) else None
        origin = origin_of(self._document, path, name if isinstance(name, str) else None)
        if not isinstance(name, str) or not isinstance(intervals, list):
            self._imported.found += 1
            self._imported.refuse(origin, "expected a name and its time_intervals")
            self._refused.add(str(name))
        elif name in self._named:
            self._imported.found += 1
            self._imported.refuse(origin, "another interval has this name; Alertmanager refuses the file")
        else:
            self._named[name] = []
            for index, interval in enumerate(intervals):
                place = origin_of(self._document, (*path, "time_intervals", index), f"{name}[{index}]")
                self._interval(name, place, interval)

    def _interval(self, name: str, place: Origin, entry: Any) -> None:
        self._imported.found += 1
        try:
            part = _part(place, entry, self._options)
            _windows(part)
        except MalformedValueError as error:
            self._imported.refuse(place, str(error))
        else:
            self._named[name].append(part)
            if _differs_in_spring(part):
                self._imported.differ(place, _ONE_SHORT)

    def _opening(self, names: Sequence[str], muting: set[str]) -> None:
        """Add the policy of one list of `active_time_intervals`: deploys go out in any of them."""
        for name in names:
            if name in muting:
                origin = self._named[name][0].origin if self._named[name] else origin_of(self._document, ())
                self._imported.refuse(
                    origin,
                    "used as active_time_intervals too; only its use in mute_time_intervals is imported",
                )
        parts = [part for name in names if name not in muting for part in self._named[name]]
        joined, alone = _sorted(parts)
        if not parts:
            return
        if len({part.zone for part in parts}) > 1 or (alone and len(parts) > 1):
            for part in parts:
                self._imported.refuse(
                    part.origin,
                    "active times of several zones, or of days of the month with weekdays or years, can't be "
                    "joined into one policy",
                )
            return
        title = f"Deploys only in {', '.join(dict.fromkeys(names))}"
        self._imported.policies.append(
            _policy(" ".join(names), title, joined or alone, Effect.ALLOW_ONLY, self._options)
        )


def _uses(route: Any) -> tuple[set[str], list[tuple[str, ...]]]:
    """Return the names that routes mute by, and each list of names by which they are active."""
    muting: set[str] = set()
    active: dict[tuple[str, ...], None] = {}
    waiting = [route]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            muting.update(_texts(each.get("mute_time_intervals")))
            if names := tuple(_texts(each.get("active_time_intervals"))):
                active[names] = None
            waiting += reversed(mappings(each.get("routes")))
    return muting, list(active)


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _sorted(parts: Sequence[_Part]) -> tuple[list[_Part], list[_Part]]:
    """Return the parts that are windows alone, and those that need others subtracted."""
    joined = [part for part in parts if not _windows(part)[1]]
    return joined, [part for part in parts if _windows(part)[1]]


def _freezes(name: str, parts: Sequence[_Part], options: ImportOptions) -> Iterator[ImportedPolicy]:
    """Yield the policies of a named interval: one for each zone, and one for each part with exceptions."""
    joined, alone = _sorted(parts)
    title = f"No deploys in {name}"
    for zone_name in dict.fromkeys(part.zone for part in joined):
        same = [part for part in joined if part.zone == zone_name]
        yield _policy(name, title, same, Effect.DENY, options)
    for part in alone:
        yield _policy(name, title, [part], Effect.DENY, options)


def _policy(
    name: str, title: str, parts: Sequence[_Part], effect: Effect, options: ImportOptions
) -> ImportedPolicy:
    windows = [_windows(part) for part in parts]
    bounds = [bound for part in parts for each in part.times or WHOLE_DAY for bound in each]
    repeated = is_repeated(parts[0].zone, bounds)
    return ImportedPolicy(
        name=name,
        title=title,
        reason=f"Time interval {quoted(name)} of Alertmanager",
        origins=[part.origin for part in parts],
        when=[window for opened, _ in windows for window in opened],
        except_when=[window for _, excepted in windows for window in excepted],
        is_open=_any_of(parts),
        timezone=parts[0].zone,
        effect=effect,
        applies_to=[{"services": options.services}] if options.services else [],
        wider=WIDER_IN_REPEATED_HOUR if repeated else None,
    )


def _any_of(parts: Sequence[_Part]) -> Callable[[int], bool]:
    return lambda instant: any(part.contains(instant) for part in parts)


def _windows(part: _Part) -> tuple[list[Window], list[Window]]:
    """Return the windows of a part, and those to subtract from them.

    Raises:
        MalformedValueError: it has days that no window can express.
    """
    ranges = normalise(part.times) if part.times is not None else list(WHOLE_DAY)
    weekdays = part.weekdays if part.weekdays is not None else EVERY_DAY
    months = part.months if part.months is not None else _ALL_MONTHS
    excepted = list(_other_years(part.years)) if part.years is not None else []
    month_field = "*" if months == _ALL_MONTHS else cron_numbers(months)
    if part.days is None:
        if months == _ALL_MONTHS:
            return daily_windows(weekdays, ranges), excepted
        week_field = "*" if weekdays == EVERY_DAY else cron_numbers({(day + 1) % 7 for day in weekdays})
        return cron_windows(f"* {month_field} {week_field}", ranges), excepted
    if weekdays != EVERY_DAY:
        excepted += daily_windows(EVERY_DAY - weekdays, WHOLE_DAY)
    if any(each < 0 for pair in part.days for each in pair):
        return _from_end(part.days, months), [*excepted, *daily_windows(EVERY_DAY, other_times(ranges))]
    days = frozenset(day for first, last in part.days for day in range(first, last + 1))
    field = "*" if len(days) == _LONGEST_MONTH else cron_numbers(days)
    return cron_windows(f"{field} {month_field} *", ranges), excepted


def _from_end(days: Sequence[tuple[int, int]], months: frozenset[int]) -> list[Window]:
    """Return windows of whole days, some of them counted from the end of the month.

    Raises:
        MalformedValueError: Alertmanager cuts them off at the start of shorter months.
    """
    if any(-_LONGEST_MONTH < first < -_SHORTEST_MONTH for first, _ in days):
        raise MalformedValueError("days_of_month from -29 or -30 on have no equal; -31 is the first day")
    named = {} if months == _ALL_MONTHS else {"months": [MONTHS[month - 1] for month in sorted(months)]}
    return [{"monthly": {"from": _month_day(first), "to": _month_day(last), **named}} for first, last in days]


def _month_day(day: int) -> str:
    if day > 0:
        return str(day)
    if day == -_LONGEST_MONTH:
        return "1"
    return "last" if day == -1 else f"last {day + 1}"


def _other_years(years: Sequence[tuple[int, int]]) -> Iterator[Window]:
    """Yield a window for each run of years that are not meant."""
    after = _YEARS[0]
    for first, last in [*sorted(years), (_YEARS[1] + 1, 0)]:
        if first > after:
            yield {"dates": {"from": f"{after}-01-01", "to": f"{first - 1}-12-31"}}
        after = max(after, last + 1)


def _part(origin: Origin, entry: Any, options: ImportOptions) -> _Part:
    """Read one entry of a named interval.

    Raises:
        MalformedValueError: Alertmanager would refuse it, or it can't be expressed.
    """
    entry = with_known_keys(entry, _FIELDS)
    weekdays = _ranges(entry, "weekdays", _weekday)
    months = _ranges(entry, "months", _month)
    days = _ranges(entry, "days_of_month", _number)
    for first, last in days or ():
        _check_days(first, last)
    return _Part(
        origin,
        _zone(entry, options),
        _times(entry),
        None if weekdays is None else _members(weekdays, lambda day: (day - 1) % 7),
        days,
        None if months is None else _members(months, lambda month: month),
        _ranges(entry, "years", _number),
    )


def _members(ranges: Sequence[tuple[int, int]], number: Callable[[int], int]) -> frozenset[int]:
    return frozenset(number(each) for first, last in ranges for each in range(first, last + 1))


def _zone(entry: dict[str, Any], options: ImportOptions) -> str:
    name = entry.get("location", options.timezone or "UTC")
    if not isinstance(name, str) or name not in zone_names():
        near = did_you_mean(name, zone_names()) if isinstance(name, str) else ""
        raise MalformedValueError(f"location {quoted(str(name))} is not an IANA time zone{near}")
    return name


def _times(entry: dict[str, Any]) -> list[Interval] | None:
    if "times" not in entry:
        return None
    found = []
    for each in _list(entry, "times"):
        if not isinstance(each, dict):
            raise MalformedValueError("times are mappings of start_time and end_time")
        start, end = (_time(each.get(key), key) for key in ("start_time", "end_time"))
        if start >= end:
            raise MalformedValueError(
                "the start_time isn't before the end_time; write two ranges across midnight"
            )
        found.append((start, end))
    return found


def _time(value: Any, key: str) -> int:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise MalformedValueError(f"{key} is not a time such as 09:00")
    return DAY if match[1] is None else int(match[1]) * HOUR + int(match[2]) * MINUTE


def _list(entry: dict[str, Any], key: str) -> list[Any]:
    value = entry[key]
    if not isinstance(value, list):
        raise MalformedValueError(f"{key} is not a list")
    if not value:
        raise MalformedValueError(f"{key} is empty, so this interval contains no time")
    return value


def _ranges(entry: dict[str, Any], key: str, number: Callable[[str], int]) -> list[tuple[int, int]] | None:
    """Read ``["monday:friday", "sunday"]``; both ends are in the range. None if the key is left out."""
    if key not in entry:
        return None
    found = []
    for each in _list(entry, key):
        first, colon, last = str(each).lower().partition(":")
        try:
            pair = (number(first), number(last if colon else first))
        except MalformedValueError as error:
            raise MalformedValueError(f"{key}: {quoted(str(each))} {error}") from None
        if pair[0] > pair[1] and (pair[0] < 0) is (pair[1] < 0):
            raise MalformedValueError(f"{key}: {quoted(str(each))} ends before it begins")
        found.append(pair)
    return found


def _check_days(first: int, last: int) -> None:
    lowest = [_SHORTEST_MONTH + each if each < 0 else each for each in (first, last)]
    in_month = all(1 <= abs(each) <= _LONGEST_MONTH for each in (first, last))
    if not in_month or first < 0 < last or lowest[0] > lowest[1]:
        raise MalformedValueError(f"days_of_month: {first}:{last} are no days of a month")


def _weekday(text: str) -> int:
    if text not in _WEEKDAYS:
        raise MalformedValueError(f"is no weekday{did_you_mean(text, _WEEKDAYS)}")
    return _WEEKDAYS.index(text)


def _month(text: str) -> int:
    number = _MONTHS.index(text) + 1 if text in _MONTHS else _number(text)
    if number not in _ALL_MONTHS:
        raise MalformedValueError("is no month")
    return number


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise MalformedValueError("is no number")
    return int(text)
