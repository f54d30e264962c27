"""Local dates and times where an instant is wanted, in the zone of the policies or one that is named.

A local time that a clock change skips or repeats is refused, with both instants that it could mean: nobody
should freeze from, or until, another hour than the one they thought of.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from app.core.errors import MalformedValueError

if TYPE_CHECKING:
    from app.core.wallclock import Zone

_EXPECTED: Final = 'an instant such as 2026-11-27T14:00:00+01:00, or a local time such as "2026-11-27 14:00"'
_ENDS: Final = frozenset({"until"})
"""A bare date as one of these includes its day, as in policies.yaml; as any other it is its first second."""


def instant_or_local(text: str) -> None:
    """Check that a text is an RFC 3339 instant, a local time, or a date.

    Raises:
        MalformedValueError: it is none of them.
    """
    from app.core.instant import DAY, in_range, parse_instant
    from app.core.notation import parse_date_bound

    if _has_offset(text):
        parse_instant(text)
        return
    try:
        in_range(parse_date_bound(text).day * DAY)
    except MalformedValueError as error:
        no_such_day = "there is no such day" in str(error)
        raise MalformedValueError(str(error) if no_such_day else _EXPECTED) from None


def resolved(text: str, zone_name: Callable[[], str], *, is_end: bool = False) -> str:
    """Return a text as an RFC 3339 instant; one that has an offset stays as it is.

    Args:
        text: one that `instant_or_local` takes.
        zone_name: gives the zone of a local time; called only for one.
        is_end: whether a bare date includes its day.

    Raises:
        UsageError: the local time is skipped or repeated by a change of the clock.
    """
    if _has_offset(text):
        return text
    from app.core.instant import DAY, format_instant
    from app.core.notation import parse_date_bound
    from app.core.wallclock import zone

    bound = parse_date_bound(text)
    where = zone(zone_name())
    local = bound.day * DAY + (bound.time or 0)
    if bound.time is None:
        return format_instant(where.latest(local + DAY) if is_end else where.earliest(local))
    first, last = where.earliest(local), where.latest(local)
    if first != last or where.local(first) != local:
        _refuse(text, local, where)
    return format_instant(first)


def resolve(wanted: dict[str, Any], zone_name: Callable[[], str]) -> None:
    """Resolve the local times among the fields of a request; see `resolved`."""
    for field in ("starts_at", "until", "expires_at"):
        if isinstance(text := wanted.get(field), str):
            wanted[field] = resolved(text, zone_name, is_end=field in _ENDS)


def zone_of_server(server: str | None, timezone: str | None) -> Callable[[], str]:
    """Return what gives the zone of local times: the one named, else that of the server's policies."""

    @cache
    def zone_name() -> str:
        if timezone is not None:
            return timezone
        from app.cli.errors import UndecidedError
        from app.cli.operations import ask
        from app.core.errors import FreezegateError
        from app.core.notation import parse_zone_name

        try:
            return parse_zone_name(str(ask(server, "GET", "/status").get("timezone")))
        except FreezegateError as error:
            sentence = f"the time zone of the policies is not known ({error}); name it with --timezone"
            raise UndecidedError(sentence) from None

    return zone_name


def zone_of_files(policies: Path, timezone: str | None) -> Callable[[], str]:
    """Return what gives the zone of local times: the one named, else that of the policy files."""

    @cache
    def zone_name() -> str:
        if timezone is not None:
            return timezone
        from app.cli.files import loaded_from
        from app.policies.source import Source

        source = Source(policies)
        return loaded_from(source, source.read(), tested=False).policy_set.timezone

    return zone_name


def _has_offset(text: str) -> bool:
    """Whether it is meant as an instant: it ends with Z, or an offset stands behind its time."""
    _, _, time = text.upper().partition("T")
    return text[-1:] in ("Z", "z") or "+" in time or "-" in time


def _refuse(text: str, local: int, where: "Zone") -> None:
    from app.core.instant import DAY

    offsets = {where.offset(where.earliest(local) + shift) for shift in (-DAY, DAY)}
    readings = sorted(local - offset for offset in offsets)
    occurs = "is skipped" if where.local(where.earliest(local)) != local else "occurs twice"
    written = " or ".join(_with_offset(reading, where) for reading in readings)
    raise click.UsageError(f'"{text}" {occurs} in {where.name}, where the clock changes: write {written}')


def _with_offset(instant: int, where: "Zone") -> str:
    from datetime import UTC, datetime, timedelta, timezone

    offset = timezone(timedelta(seconds=where.offset(instant)))
    return datetime.fromtimestamp(instant, UTC).astimezone(offset).isoformat()
