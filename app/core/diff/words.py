"""A difference in words: the lines of the terminal and of pages, short ones; the JSON has every stretch."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from app.core.counted import counted, noun_for
from app.core.diff.occurrences import Occurrence, span_in_words
from app.core.diff.paragraphs import Paragraph, Part, Place, Reason, paragraphs, places
from app.core.diff.period import LONGEST_DAYS
from app.core.diff.result import (
    Diff,
    NameChanges,
    PolicyChange,
    ServiceGroup,
    UnlistedNames,
)
from app.core.diff.totals import headline, listed
from app.core.explain import local_time
from app.core.instant import DAY
from app.core.wallclock import Zone, calendar_date

_MOST_POLICIES: Final = 12
"""Policies that changed, up to which each has its own line; more are counted."""
_MOST_GROUPS: Final = 12
"""Differences that are shown; a screen or two."""
_MOST_TIMES: Final = 6
"""Recurring times that are shown of each."""
_MOST_DATES: Final = 8
"""Dates that are listed where more are counted."""
_FEW: Final = 3
"""Names that are shown where more are counted."""
_TWICE: Final = 2


def in_words(found: Diff, zone: Zone) -> list[str]:
    """Return a difference in lines of plain text, with local times of a zone."""
    period = span_in_words(found.period, zone, found.period[0])
    head = (
        f"{headline(found)}: the policies have the same content." if found.is_empty else f"{headline(found)}."
    )
    # UTC is named beside each time; another zone is by its short name alone.
    named = "" if zone.name == "UTC" else f", {zone.name} time"
    lines = [head, f"From {period}{named}. Ad-hoc freezes are left out."]
    lines += _policies(found.policies)
    lines += _names(found.names)
    every, unread = paragraphs(found, zone)
    for each in every[:_MOST_GROUPS]:
        lines += _paragraph(each, found, zone)
    if more := len(every[_MOST_GROUPS:]) + unread:
        lines.append(f"{and_more(more)}{_by(every)}; as JSON, all are listed.")
    return [*lines, *filter(None, [nothing_until(found, zone)]), *found.limits]


def nothing_until(found: Diff, zone: Zone) -> str | None:
    """Return a sentence that no hours differ so soon, if policies veto otherwise; else None."""
    if found.differences or not (found.may_differ_later and found.is_complete):
        return None
    start, end = found.period
    fields = "--from and --to (API: from and to)" if end - start >= LONGEST_DAYS * DAY else "--to (API: to)"
    return f"Nothing differs until {local_time(end, zone, start)}; a later {fields} may show more."


def services_in_words(group: ServiceGroup, found: Diff, write: Callable[[str], str] = str) -> str:
    """Return ``every service``, or ``api, web, docs and 12 more``; `write` returns a name as it is shown."""
    names = set(group.names)
    if group.others:
        apart = [write(name) for name in found.services if name not in names]
        apart += [f"those {_like(each, write)}" for each in found.singled_out if each not in group.patterns]
        if not apart:
            return "every service"
        if len(apart) <= max(_FEW, len(group.names) // 10):
            return f"every service except {listed(apart)}"
    parts = [listed([*map(write, group.names)])] if group.names else []
    if group.patterns:
        parts.append(f"unlisted services {listed([_like(each, write) for each in group.patterns])}")
    if group.others:
        parts.append("every other unlisted service" if found.singled_out else "every unlisted service")
    return ", and ".join(parts)


def _like(each: UnlistedNames, write: Callable[[str], str]) -> str:
    return f"like {write(each.sample)} ({' and '.join(map(write, each.globs))})"


def _policies(changes: Sequence[PolicyChange]) -> Iterator[str]:
    if changes:
        yield "Policies:"
    if len(changes) <= _MOST_POLICIES:
        yield from (f"  {_policy(each)}" for each in changes)
        return
    for kind in ("added", "removed", "renamed", "changed"):
        if ids := [each.id for each in changes if each.kind == kind]:
            yield f"  {kind} {len(ids):,}: {listed(ids, _MOST_POLICIES)}"


def _policy(change: PolicyChange) -> str:
    renamed = f" to {change.new_id}" if change.new_id is not None else ""
    fields = f", with other {listed(change.fields, len(change.fields))}" if change.fields and renamed else ""
    if change.fields and not renamed:
        fields = f": {', '.join(change.fields)}"
    return f"{change.kind} {change.id}{renamed}{fields}"


def _names(names: NameChanges) -> Iterator[str]:
    if names.is_empty:
        return
    yield "Lists and settings:"
    for verb, side in (("added", names.added), ("removed", names.removed)):
        for field, values in side._asdict().items():
            if values:
                what = "kinds of change" if field == "changes" else field
                yield f"  {what} {verb}: {listed(values)}"
    if names.changed_services:
        yield f"  services with other tags or another zone: {listed(names.changed_services)}"
    yield from (f"  {each.name}: {each.before} → {each.after}" for each in names.settings)


def _paragraph(each: Paragraph, found: Diff, zone: Zone) -> Iterator[str]:
    yield f"I{_where(each.parts, found)[1:]}:"
    for time in each.times[:_MOST_TIMES]:
        yield f"  {_time(time.occurrence, zone, found.period[0])}; {_because(time.reason)}"
        for fewer in time.fewer[:_FEW]:
            days = days_in_words(fewer.days, zone, found.period[0])
            yield f"    but not {days} {_where(fewer.parts, found)}"
        if more := len(time.fewer[_FEW:]):
            yield f"    and not on all of these days in {more_groups(more)}"
    if rest := [time.occurrence for time in each.times[_MOST_TIMES:]]:
        until = local_time(max(time.last[1] for time in rest), zone, found.period[0])
        yield f"  and {counted(sum(time.times for time in rest), 'more time')} until {until}"


def _where(parts: Sequence[Part], found: Diff) -> str:
    there = places(parts, found)
    shown = [f"in {_place(place, found)}" for place in there[:_FEW]]
    if more := len(there) - len(shown):
        shown.append(f"and in {more_groups(more)}")
    return "; ".join(shown)


def more_groups(count: int) -> str:
    """Return ``1 more group`` or ``2 more groups``."""
    return counted(count, "more group")


def and_more(count: int) -> str:
    """Return ``And 2 more groups of services differ``."""
    return f"And {more_groups(count)} of services {noun_for(count, 'differs', 'differ')}"


def _place(place: Place, found: Diff) -> str:
    """Return ``production and staging, for hotfix changes, every service``."""
    everywhere = place.environments == found.environments and len(place.environments) > _FEW
    where = f"all {len(place.environments)} environments" if everywhere else listed(place.environments)
    changes = "" if place.changes == found.changes else f", for {listed(place.changes)} changes"
    return f"{where}{changes}, {services_in_words(place.services, found)}"


def _by(every: Sequence[Paragraph]) -> str:
    """Return the policies of the paragraphs that are not shown and that those shown don't name."""
    named, others = (
        {name: None for each in some for time in each.times for name in time.reason.ids}
        for some in (every[:_MOST_GROUPS], every[_MOST_GROUPS:])
    )
    only = [name for name in others if name not in named]
    return f", also by {listed(only, _MOST_POLICIES)}" if only else ""


def _time(time: Occurrence, zone: Zone, seen_from: int) -> str:
    """Return ``opens Fri 14:00 to 15:00, 8 times: 4 Dec … 22 Jan 2027``."""
    verb = "opens" if time.opens else "closes"
    if time.times == 1:
        return f"{verb} {span_in_words(time.first, zone, seen_from)}"
    return f"{verb} {time.words}, {dates_in_words(time, zone, seen_from)}"


def dates_in_words(time: Occurrence, zone: Zone, seen_from: int) -> str:
    """Return ``8 times: 4 Dec … 22 Jan 2027``, with the days between them that are skipped.

    Where those are many, the dates are listed instead.
    """
    year = calendar_date(zone.local(seen_from) // DAY).year
    if time.times == _TWICE:
        return f"twice: {listed([_date(day, year) for day in time.days])}"
    skipped = [_date(day, year) for day in time.skipped]
    if len(skipped) * 2 > time.times:
        dates = [_date(day, year) for day in time.days]
        until = f" until {dates[-1]}" if len(dates) > _MOST_DATES + 1 else ""
        return f"{counted(time.times, 'time')}: {listed(dates, _MOST_DATES)}{until}"
    gaps = f", not {listed(skipped)}" if skipped else ""
    return f"{counted(time.times, 'time')}: {_date(time.days[0], year)} … {_date(time.days[-1], year)}{gaps}"


def days_in_words(days: Sequence[int], zone: Zone, seen_from: int) -> str:
    """Return ``25 Dec and 1 Jan 2027``."""
    year = calendar_date(zone.local(seen_from) // DAY).year
    return listed([_date(day, year) for day in days])


def _date(day: int, this_year: int) -> str:
    """Return ``4 Dec``, with the year if it is another."""
    on = calendar_date(day)
    return f"{on.day} {on:%b}" + (f" {on.year}" if on.year != this_year else "")


def _because(reason: Reason) -> str:
    """Return which policies are behind a flip."""
    if reason.opens:
        return f"no more veto by {listed(reason.before)}" if reason.before else "no longer refused as unknown"
    return f"veto by {listed(reason.after)}" if reason.after else "refused as unknown"
