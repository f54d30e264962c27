"""Promotion windows of Kargo, in ProjectConfig and ClusterConfig manifests.

An active `Deny` window closes a stage. Where `Allow` windows match it, one of them must be active. Each
occurrence begins at a local time of its zone and lasts as long, in elapsed time, as the first one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from app.core.errors import MalformedValueError
from app.core.instant import DAY
from app.core.notation import MAX_DURATION, format_duration
from app.core.policy import Effect
from app.core.wallclock import Zone, calendar_date, zone, zone_names
from app.policies.importers.allow_windows import AllowWindow, Opening, openings
from app.policies.importers.documents import origin_of, resources, sound_documents, with_known_keys
from app.policies.importers.globs import service_glob
from app.policies.importers.imported import Imported, ImportedPolicy, ImportOptions, Origin, SourceText
from app.policies.importers.recurring import lasting_windows
from app.policies.importers.rrule import Rule, read_local_time, read_rrule
from app.policies.importers.selection import Selection, join, select
from app.policies.importers.spans import Entry, after, before, every_weeks, once
from app.policies.importers.wall_windows import is_skipped, wider_reason
from app.yaml.document import Document
from app.yaml.problem import Path, did_you_mean, quoted

_KINDS: Final = ("ProjectConfig", "ClusterConfig")
_KEYS: Final = ("name", "stageSelector", "projectSelector", "kind", "rrule", "dtstart", "dtend")
_WEEK: Final = 7 * DAY


@dataclass(frozen=True)
class _Times:
    """The occurrences of a window."""

    zone: str
    start: int
    """The local time at which the first one begins."""
    length: int
    """Elapsed seconds of each."""
    rule: Rule | None
    until: int | None
    """The last local time at which one may begin."""

    @property
    def clock(self) -> Zone:
        """The wall clock of the zone."""
        return zone(self.zone)

    def is_open(self, instant: int) -> bool:
        """Return whether an occurrence has begun and not ended."""
        for start in self.starts_before(self.clock.local(instant) + DAY):
            begins = self.clock.earliest(start)
            if begins <= instant:
                return instant < begins + self.length
        return False

    def starts_before(self, local: int) -> Iterator[int]:
        """Yield local times at which it begins, from one back; later ones than the last are left out."""
        if self.rule is None:
            yield self.start
            return
        firings = self.rule.firings
        for day in firings.days_before(min(local, self.until if self.until is not None else local) // DAY):
            for time in reversed(firings.times):
                if self.start <= day * DAY + time <= local and self.counts(day * DAY + time):
                    yield day * DAY + time
            if day * DAY < self.start:
                return

    def counts(self, local: int) -> bool:
        """Return whether a firing is within the end and in a week of the rule."""
        weeks = self.rule.weeks if self.rule else 1
        in_week = (_week(local) - _week(self.start)) % weeks == 0
        return in_week and (self.until is None or local <= self.until)


def _week(local: int) -> int:
    """Return the number of a local time's week, which begins on Monday."""
    return (local // DAY + 3) // 7


@dataclass(frozen=True)
class _Window:
    """A valid promotion window."""

    origin: Origin
    name: str
    allows: bool
    times: _Times
    selections: Sequence[Selection]
    when: Sequence[Mapping[str, Any]]
    except_when: Sequence[Mapping[str, Any]]
    bounds: Sequence[int]


def read(sources: Sequence[SourceText], options: ImportOptions) -> Imported:
    """Return the promotion windows as policies; those of a project and of the cluster count together."""
    imported = Imported()
    windows: list[_Window] = []
    for document in sound_documents(sources, imported):
        windows += _windows(document, imported, options)
    imported.policies += [_freeze(window) for window in windows if not window.allows]
    _add_openings([window for window in windows if window.allows], windows, imported, options)
    return imported


def _windows(document: Document, imported: Imported, options: ImportOptions) -> Iterator[_Window]:
    for path, config in _configs(document.data):
        entries = config["spec"].get("promotionWindows", [])
        for index, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            imported.found += 1
            name = entry.get("name") if isinstance(entry, dict) else None
            place = (*path, "spec", "promotionWindows", index)
            origin = origin_of(document, place, name if isinstance(name, str) else None)
            try:
                yield _window(origin, entry, config, options)
            except MalformedValueError as error:
                imported.refuse(origin, str(error))
        if config["spec"].get("promotionFreezes"):
            imported.found += 1
            imported.refuse(
                origin_of(document, (*path, "spec", "promotionFreezes")),
                "promotionFreezes aren't read; write each as a window of dates",
            )


def _configs(data: Any) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for path, item in resources(data):
        if item.get("kind") in _KINDS and isinstance(item.get("spec"), dict):
            yield path, item


def _window(origin: Origin, entry: Any, config: Mapping[str, Any], options: ImportOptions) -> _Window:
    """Read a window.

    Raises:
        MalformedValueError: Kargo would refuse it, or it can't be expressed.
    """
    entry = with_known_keys(entry, _KEYS)
    if entry.get("kind") not in ("Allow", "Deny"):
        raise MalformedValueError("kind is neither Allow nor Deny")
    times = _times(entry, options)
    allows = entry["kind"] == "Allow"
    when, except_when, bounds = _expressed(times, options.now, freezes=not allows)
    return _Window(
        origin,
        str(entry.get("name") or "window"),
        allows,
        times,
        [join([_projects(entry, config, options), _stages(entry, options)])],
        when,
        except_when,
        bounds,
    )


def _times(entry: Mapping[str, Any], options: ImportOptions) -> _Times:
    start, zone_name = _moment(entry, "dtstart", options)
    end, end_zone = _moment(entry, "dtend", options)
    begins, ends = zone(zone_name).earliest(start), zone(end_zone).earliest(end)
    if not 0 < ends - begins <= MAX_DURATION:
        raise MalformedValueError("dtend isn't after dtstart, within 366 days")
    if zone(zone_name).local(begins) != start:
        raise MalformedValueError("dtstart is skipped when clocks are set forward")
    if not entry.get("rrule"):
        return _Times(zone_name, start, ends - begins, None, None)
    rule = read_rrule(_text(entry, "rrule"), start)
    until = None
    if rule.until is not None:
        local, is_utc = read_local_time(rule.until)
        until = zone(zone_name).local(local) if is_utc else local + (DAY - 1) * ("T" not in rule.until)
    times = _Times(zone_name, start, ends - begins, rule, until)
    return _checked(times) if rule.times is None else _checked(_counted(times, rule.times))


def _checked(times: _Times) -> _Times:
    """Check that the first occurrence is one of the rule, and that none begins in a skipped hour."""
    rule = times.rule
    on_day = next(times.starts_before(times.start), None)
    if rule is None or on_day != times.start:
        raise MalformedValueError(
            "dtstart is no occurrence of the rrule; libraries differ on whether it counts"
        )
    if is_skipped(times.zone, rule.firings.times, rule.firings.fires_on):
        raise MalformedValueError(
            "an occurrence would begin in an hour that is skipped when clocks are set forward; move it"
        )
    return times


def _counted(times: _Times, count: int) -> _Times:
    """Return times that end with the last of a number of occurrences."""
    *_, last = islice(_starts_after(times), count)
    return _Times(times.zone, times.start, times.length, times.rule, last)


def _starts_after(times: _Times) -> Iterator[int]:
    """Yield the local times at which occurrences begin, from the first on, for a century."""
    yield times.start
    for day in range(times.start // DAY, times.start // DAY + 366 * 100):
        for time in (
            times.rule.firings.times if times.rule and times.rule.firings.fires_on(calendar_date(day)) else ()
        ):
            if day * DAY + time > times.start and times.counts(day * DAY + time):
                yield day * DAY + time


def _expressed(
    times: _Times, now: int, *, freezes: bool
) -> tuple[Sequence[Entry], Sequence[Entry], list[int]]:
    """Return windows, those to subtract from them, and local times of their bounds."""
    clock, rule = times.clock, times.rule
    end = clock.local(clock.earliest(times.start) + times.length)
    if rule is None:
        return [once(times.start, end)], [], [times.start, end]
    excepted, bounds = _outside(times, now)
    bounds += rule.firings.times
    if clock.is_fixed and rule.weeks == 1 and rule.firings.is_weekly:
        return lasting_windows(rule.firings, times.length, freezes=freezes).windows, excepted, bounds
    if rule.weeks > 1:
        return _every_weeks(times, rule), excepted, bounds
    if rule.firings.has_wildcard:
        raise MalformedValueError(
            "a rule that fires every hour or minute has no equal; write one longer window"
        )
    window = {"start": rule.firings.cron(), "duration": format_duration(times.length)}
    return [{"cron": window}], excepted, bounds


def _outside(times: _Times, now: int) -> tuple[list[Entry], list[int]]:
    """Return windows of the time before the first occurrence and after the last, and bounds of them."""
    clock = times.clock
    excepted = [before(times.start)] if clock.earliest(times.start) > now else []
    if times.until is None:
        return excepted, []
    last = next(times.starts_before(times.until), times.start)
    ended = clock.local(clock.earliest(last) + times.length)
    return [*excepted, after(ended)], [ended]


def _every_weeks(times: _Times, rule: Rule) -> list[Entry]:
    """Return `weekly` windows with an interval: they end on the wall clock, so it must never change."""
    if not times.clock.is_fixed or not rule.firings.weekdays or times.length > _WEEK:
        raise MalformedValueError(
            "an INTERVAL of several weeks has no equal in a zone whose clocks change: a weekly window ends "
            "on the wall clock, a promotion window after an elapsed time"
        )
    monday = times.start // DAY - (times.start // DAY + 3) % 7
    found: list[Entry] = []
    for day in sorted((day - 1) % 7 for day in rule.firings.weekdays):
        for time in rule.firings.times:
            found += every_weeks((monday + day) * DAY + time, times.length, rule.weeks) or []
    return found


def _moment(entry: Mapping[str, Any], key: str, options: ImportOptions) -> tuple[int, str]:
    """Return a local time and its zone."""
    text = _text(entry, key)
    named, colon, written = text.removeprefix("TZID=").rpartition(":")
    local, is_utc = read_local_time(written)
    name = "UTC" if is_utc else named if colon else options.timezone or "UTC"
    if name not in zone_names():
        raise MalformedValueError(
            f"{key}: {quoted(name)} is not an IANA time zone{did_you_mean(name, zone_names())}"
        )
    return local, name


def _text(entry: Mapping[str, Any], key: str) -> str:
    if not isinstance(entry.get(key), str) or not entry[key]:
        raise MalformedValueError(f"{key} is missing, or not a text")
    return str(entry[key])


def _projects(entry: Mapping[str, Any], config: Mapping[str, Any], options: ImportOptions) -> Selection:
    if config["kind"] == "ClusterConfig":
        return _selected("projectSelector", "projects", entry, options, service_glob)
    if "projectSelector" in entry:
        raise MalformedValueError("projectSelector is for ClusterConfig only; Kargo refuses it here")
    metadata = config.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return select("projects", [str(name or "*")], options.mapped, service_glob)


def _stages(entry: Mapping[str, Any], options: ImportOptions) -> Selection:
    return _selected("stageSelector", "stages", entry, options, None)


def _name(key: str, selector: Any) -> str:
    if not isinstance(selector, dict) or set(selector) != {"name"} or not isinstance(selector["name"], str):
        raise MalformedValueError(f"{key}: only a name is read, labels have no equal")
    return str(selector["name"])


def _selected(
    key: str,
    field: str,
    entry: Mapping[str, Any],
    options: ImportOptions,
    service: Callable[[str], str] | None,
) -> Selection:
    """Return what a selector by name selects; everything if there is none."""
    if entry.get(key) is None:
        return Selection()
    name = _name(key, entry[key])
    pattern = name.removeprefix("glob:")
    # Without the prefix, it is what the error of `select` suggests.
    target = options.mapped.get(f"{field}/{name}", options.mapped.get(f"{field}/{pattern}"))
    if target is not None:
        return select(field, [pattern], {f"{field}/{pattern}": target}, service)
    if name.startswith("regex:"):
        raise MalformedValueError(
            f"{key}: a regular expression has no equal; say what it stands for with --map"
        )
    if service is None and name in options.environments:
        return Selection(environments=(name,))
    return select(field, [pattern], {}, service)


def _freeze(window: _Window) -> ImportedPolicy:
    return ImportedPolicy(
        name=window.name,
        title=f"No promotions during {window.name}",
        reason=f"Promotion window {quoted(window.name)} of Kargo",
        origins=[window.origin],
        when=window.when,
        except_when=window.except_when,
        is_open=window.times.is_open,
        timezone=window.times.zone,
        applies_to=[each.to_selector() for each in window.selections if not each.is_everything],
        wider=wider_reason(window.times.zone, window.bounds),
    )


def _add_openings(
    allowing: Sequence[_Window], all_of_them: Sequence[_Window], imported: Imported, options: ImportOptions
) -> None:
    """Add the policies that allow promotions in any of the matching windows only."""
    windows = [
        AllowWindow(each.origin, each.times.zone, each.selections, each.when, each.times.is_open, each)
        for each in allowing
    ]
    try:
        policies = list(map(_opening, openings(windows, _environments(all_of_them, options))))
    except MalformedValueError as error:
        for each in allowing:
            imported.refuse(each.origin, str(error))
        return
    imported.policies += policies


def _environments(windows: Sequence[_Window], options: ImportOptions) -> list[str]:
    """Return the environments of the options and of all windows."""
    named = [name for window in windows for each in window.selections for name in each.environments or ()]
    return list(dict.fromkeys([*options.environments, *named]))


def _opening(group: Opening) -> ImportedPolicy:
    sources: list[_Window] = [window.source for window in group.windows]
    if len(sources) > 1 and any(each.except_when for each in sources):
        raise MalformedValueError("Allow windows that begin later or end can't be joined into one policy")
    names = ", ".join(dict.fromkeys(each.name for each in sources))
    return ImportedPolicy(
        name=names,
        title=f"Promotions only during {names}",
        reason=f"Promotion windows of Kargo: {names}",
        origins=[each.origin for each in sources],
        when=[entry for each in sources for entry in each.when],
        except_when=[entry for each in sources for entry in each.except_when],
        is_open=lambda instant: any(each.times.is_open(instant) for each in sources),
        timezone=sources[0].times.zone,
        effect=Effect.ALLOW_ONLY,
        applies_to=[] if group.selection.is_everything else [group.selection.to_selector()],
        exempt=[{"services": list(group.exempt)}] if group.exempt else [],
        wider=wider_reason(sources[0].times.zone, [bound for each in sources for bound in each.bounds]),
    )
