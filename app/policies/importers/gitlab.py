"""Deploy freeze periods of GitLab: the JSON of ``GET /projects/:id/freeze_periods``.

A period lasts from a firing of `freeze_start` to the next firing of `freeze_end`. Both fire whenever the wall
clock shows their times: twice in an hour that repeats, and not in one that is skipped.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from app.core.errors import MalformedValueError
from app.core.instant import DAY
from app.core.notation import WEEKDAYS
from app.core.wallclock import zone, zone_names
from app.core.zone_names import renamed
from app.policies.importers.documents import json_document, origin_of, origin_of_problem
from app.policies.importers.fugit_cron import read_fugit
from app.policies.importers.imported import Imported, ImportedPolicy, ImportOptions, Origin, SourceText
from app.policies.importers.rails_zones import RAILS_ZONES
from app.policies.importers.recurring import Firings
from app.policies.importers.wall_windows import (
    WIDER_IN_REPEATED_HOUR,
    Window,
    is_repeated,
    is_skipped,
    time_text,
)
from app.yaml.document import Document
from app.yaml.problem import Path, did_you_mean, quoted

WIDER_IN_SKIPPED_HOUR: Final = (
    "where clocks are set forward and the start falls into the hour that is skipped, freezegate begins after "
    "it; GitLab leaves this freeze out"
)


class _Period(NamedTuple):
    """A valid freeze period."""

    start: Firings
    end: Firings
    zone: str

    def is_active(self, instant: int) -> bool:
        """Return whether its last start has no end after it, as GitLab asks."""
        clock = zone(self.zone)
        started, ended = self.start.last(instant, clock), self.end.last(instant, clock)
        return started is not None and (ended is None or ended <= started)


def read(sources: Sequence[SourceText], options: ImportOptions) -> Imported:
    """Return the freeze periods as policies."""
    imported = Imported()
    for source in sources:
        document = json_document(source)
        for problem in document.problems:
            imported.refuse(origin_of_problem(problem), problem.message)
        periods = document.data if isinstance(document.data, list) else [document.data]
        for index, entry in enumerate(periods if not document.problems else ()):
            path: Path = (index,) if isinstance(document.data, list) else ()
            _add(imported, document, path, entry, options)
    return imported


def _add(imported: Imported, document: Document, path: Path, entry: Any, options: ImportOptions) -> None:
    imported.found += 1
    number = entry.get("id", path[0] if path else 0) if isinstance(entry, dict) else path
    origin = origin_of(document, path, f"freeze period {number}")
    try:
        period = _period(entry, options)
        imported.policies.append(_policy(origin, entry, period, options))
    except MalformedValueError as error:
        imported.refuse(origin, str(error))


def _period(entry: Any, options: ImportOptions) -> _Period:
    """Read a period.

    Raises:
        MalformedValueError: GitLab would refuse it, or it can't be expressed.
    """
    if not isinstance(entry, dict):
        raise MalformedValueError("expected an object")
    start, end = (_cron(entry, key) for key in ("freeze_start", "freeze_end"))
    return _Period(start, end, _zone(entry.get("cron_timezone") or options.timezone or "UTC"))


def _cron(entry: Mapping[str, Any], key: str) -> Firings:
    if not isinstance(entry.get(key), str):
        raise MalformedValueError(f"{key} is not a text")
    try:
        return read_fugit(entry[key])
    except MalformedValueError as error:
        raise MalformedValueError(f"{key} {error}") from None


def _zone(name: Any) -> str:
    """Return the IANA zone of a name of Rails or of the IANA database."""
    found = RAILS_ZONES.get(str(name), str(name))
    if found not in zone_names():
        near = did_you_mean(str(name), [*RAILS_ZONES, *zone_names()])
        raise MalformedValueError(f"cron_timezone {quoted(str(name))} is no time zone{near}")
    return renamed(found) or found


def _policy(
    origin: Origin, entry: Mapping[str, Any], period: _Period, options: ImportOptions
) -> ImportedPolicy:
    described = f"from {entry['freeze_start']} to {entry['freeze_end']}"
    return ImportedPolicy(
        name=f"gitlab {described}",
        title=f"No deploys {described}",
        reason=f"Deploy freeze of GitLab, {described}, {entry.get('cron_timezone') or 'UTC'}",
        origins=[origin],
        when=[_window(period)],
        is_open=period.is_active,
        timezone=period.zone,
        applies_to=[{"services": options.services}] if options.services else [],
        wider=_wider(period),
    )


def _window(period: _Period) -> Window:
    """Return a `weekly` window if there is one start and one end a week, else a `cron` window.

    Raises:
        MalformedValueError: the end falls into a skipped hour, or an expression has no equal.
    """
    start, end = period.start, period.end
    if not end.has_wildcard and is_skipped(period.zone, end.times, end.fires_on):
        raise MalformedValueError(
            "freeze_end falls into an hour that is skipped when clocks are set forward; then GitLab freezes "
            "on to the next one. Move it out of that hour"
        )
    once = all(
        each.is_weekly and len(each.times) == 1 and len(each.weekdays or ()) == 1 for each in (start, end)
    )
    if once:
        return {"weekly": {"from": _week_time(start), "to": _week_time(end)}}
    return {"cron": {"start": start.cron(), "end": end.cron()}}


def _week_time(firings: Firings) -> str:
    [day] = firings.weekdays or {0}
    return f"{WEEKDAYS[(day - 1) % 7]} {time_text(firings.times[0] % DAY)}"


def _wider(period: _Period) -> str | None:
    start, end = period.start, period.end
    fixed = [time for each in (start, end) if not each.has_wildcard for time in each.times]
    skipped = not start.has_wildcard and is_skipped(period.zone, start.times, start.fires_on)
    reasons = [WIDER_IN_REPEATED_HOUR] * is_repeated(period.zone, fixed) + [WIDER_IN_SKIPPED_HOUR] * skipped
    return "; ".join(reasons) or None
