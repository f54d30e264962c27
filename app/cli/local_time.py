"""Read and print local dates and times, in the zone of the policies or of --timezone.

A local time that a clock change skips or repeats is rejected with both instants that it could mean, because
a freeze must not start or end at another hour than its author intended.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from app.core.errors import MalformedValueError

if TYPE_CHECKING:
    from app.core.wallclock import Zone

ZoneName = Callable[[], str]
"""Returns the name of a zone; asks a server or reads files only when called."""

_EXPECTED: Final = 'an instant such as 2026-11-27T14:00:00+01:00, or a local time such as "2026-11-27 14:00"'
_ENDS: Final = frozenset({"until"})
"""Fields in which a bare date includes its day, as in policies.yaml; in any other it is its first second."""


def instant_or_local(text: str) -> None:
    """Validate that a text is an RFC 3339 instant, a local time, or a date.

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


def to_instant(text: str, zone_name: ZoneName, *, is_end: bool = False) -> str:
    """Convert a local time to an RFC 3339 instant; return a text with an offset unchanged.

    Args:
        text: one that `instant_or_local` accepts.
        zone_name: returns the zone of local times; called only for one.
        is_end: whether a bare date includes its day.

    Raises:
        UsageError: a clock change skips or repeats the local time.
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
        _reject(text, local, where)
    return format_instant(first)


def resolve_fields(body: dict[str, Any], zone_name: ZoneName) -> None:
    """Convert the local times among the fields of a request in place; see `to_instant`."""
    for field in ("starts_at", "until", "expires_at"):
        if isinstance(text := body.get(field), str):
            body[field] = to_instant(text, zone_name, is_end=field in _ENDS)


def local_printer(
    zone_name: ZoneName, write: "Callable[[int, Zone], str] | None" = None
) -> Callable[[object], str]:
    """Return a function that prints an instant of the API as local time: by `write`, else with its offset.

    If the zone can't be found out it prints UTC as sent, because the command itself has succeeded.
    """
    from app.core.errors import FreezegateError
    from app.core.instant import parse_instant
    from app.core.wallclock import zone

    @cache
    def where() -> "Zone | None":
        try:
            return zone(zone_name())
        except FreezegateError:
            return None

    def local(text: object) -> str:
        try:
            instant = parse_instant(str(text))
        except FreezegateError:
            return str(text)
        found = where()
        return str(text) if found is None else (write or _with_offset)(instant, found)

    return local


def zone_of_server(server: str | None, timezone: str | None) -> ZoneName:
    """Return a function for the zone of local times: `timezone`, else that of the server's policies."""

    @cache
    def zone_name() -> str:
        if timezone is not None:
            return timezone
        from app.cli.api_client import ask
        from app.cli.errors import UndecidedError
        from app.core.errors import FreezegateError
        from app.core.notation import parse_zone_name

        try:
            return parse_zone_name(str(ask(server, "GET", "/status").get("timezone")))
        except FreezegateError as error:
            sentence = f"the time zone of the policies is not known ({error}); set it with --timezone"
            raise UndecidedError(sentence) from None

    return zone_name


def zone_of_files(policies: Path, timezone: str | None) -> ZoneName:
    """Return a function for the zone of local times: `timezone`, else that of the policy files."""

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
    """Return whether a text is an instant: it ends with Z, or with an offset after its time."""
    _, _, time = text.upper().partition("T")
    return text[-1:] in ("Z", "z") or "+" in time or "-" in time


def _reject(text: str, local: int, where: "Zone") -> None:
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
