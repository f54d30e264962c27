"""A difference as Markdown, for the comment on a pull request.

Everything that the authors of policies choose stands in code spans, and the names that they may choose have
no backtick in them: so nothing becomes a mention, a link or markup.
"""

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from app.core.diff.occurrences import span_in_words
from app.core.diff.paragraphs import Fewer, Paragraph, Place, Reason, Time, paragraphs, places
from app.core.diff.result import Diff, NameChanges, PolicyChange
from app.core.diff.totals import headline, hours_in_words, not_compared
from app.core.diff.words import (
    and_more,
    dates_in_words,
    days_in_words,
    more_groups,
    nothing_until,
    services_in_words,
)
from app.core.wallclock import Zone

LARGEST: Final = 60_000
"""Characters. GitHub takes 65,536 in a comment; the rest is for what a client puts around it."""

_MOST_NAMES: Final = 8
_FEW: Final = 3
"""Environments that are named each, though they are all."""
_MOST_PLACES: Final = 3
"""Further places of the same times that a row names."""
_MOST_PATTERNS: Final = 4
"""Recurring times that a row of the table names; the details have all of them."""

_LINES_TOGETHER: Final = 100
"""Lines of a list that are kept or cut off together."""

_HEAD: Final = "| services | change | opens | closes | when |\n|---|---|---|---|---|"
_CODE: Final = re.compile("`([^`]*)`")
_CUT: Final = (
    "\n\n**This is cut off: a comment holds no more.** "
    "`freezegate diff` on your machine shows the whole difference.\n"
)


def markdown(found: Diff, zone: Zone) -> str:
    """Return a difference as Markdown, at most `LARGEST` characters; a longer one says that it is cut."""
    parts: list[str] = []
    left = LARGEST - len(_CUT)
    for part in _parts(found, zone):
        left -= len(part) + 2
        if left < 0:
            return "\n\n".join(parts) + _CUT
        parts.append(part)
    return "\n\n".join(parts) + "\n"


def _parts(found: Diff, zone: Zone) -> Iterator[str]:
    """Yield the paragraphs, tables and details; each is whole by itself."""
    yield f"### {headline(found, _code)}"
    period = span_in_words(found.period, zone, found.period[0])
    yield f"From {period}. Times are {zone.name}. Ad-hoc freezes are left out."
    yield from _policies(found.policies)
    yield from _names(found.names)
    if found.is_empty:
        yield "The policies have the same content; nothing changes."
    every, unread = paragraphs(found, zone)
    by_environments: dict[tuple[str, ...], list[Paragraph]] = {}
    for each in every:
        by_environments.setdefault(each.environments(found), []).append(each)
    for environments, alike in by_environments.items():
        where = _environments(environments, found)
        yield f"#### {where[0].upper()}{where[1:]}"
        # A few at a time: those behind a cut are never written.
        for number in range(0, len(alike), _LINES_TOGETHER):
            rows = [_row(found, each, zone) for each in alike[number : number + _LINES_TOGETHER]]
            yield "\n".join([_HEAD, *rows])
    if unread:
        yield f"{and_more(unread)}; as JSON, all are listed."
    if later := nothing_until(found, zone):
        yield later
    yield from (_limit(each, found.names) for each in found.limits)
    for each in every:
        yield from _details(found, each, zone)


def _limit(sentence: str, names: NameChanges) -> str:
    """Return what was not compared, with the names in code spans."""
    coded = not_compared(names, _code) if sentence == not_compared(names) else None
    return coded or _plain(sentence)


def _policies(changes: Sequence[PolicyChange]) -> Iterator[str]:
    if changes:
        yield from _in_pieces("**Policies**", [f"- {_policy(each)}" for each in changes])


def _policy(change: PolicyChange) -> str:
    renamed = f" to {_code(change.new_id)}" if change.new_id is not None else ""
    fields = f": {', '.join(map(_code, change.fields))}" if change.fields else ""
    return f"{change.kind} {_code(change.id)}{renamed}{fields}"


def _names(names: NameChanges) -> Iterator[str]:
    lines = [
        f"- {'kinds of change' if field == 'changes' else field} {verb}: {_some(values)}"
        for verb, side in (("added", names.added), ("removed", names.removed))
        for field, values in side._asdict().items()
        if values
    ]
    if names.changed_services:
        lines.append(f"- services with other tags or another zone: {_some(names.changed_services)}")
    lines += [f"- {_code(each.name)}: {_code(each.before)} → {_code(each.after)}" for each in names.settings]
    if lines:
        yield "**Lists and settings**\n\n" + "\n".join(lines)


def _row(found: Diff, each: Paragraph, zone: Zone) -> str:
    opened, closed = (
        sum(end - start for start, end, reason in each.hours() if reason.opens is opens)
        for opens in (True, False)
    )
    when = [line for time in each.times[:_MOST_PATTERNS] for line in _time(time, found, zone)]
    if len(each.times) > _MOST_PATTERNS:
        when.append(f"and {len(each.times) - _MOST_PATTERNS} more")
    first, *others = places(each.parts, found)
    changes = list(dict.fromkeys(_changes(place, found) for place in (first, *others)))
    is_apart = len(changes) > 1 or first.environments != each.environments(found)
    services = [_place(first, found) if is_apart else services_in_words(first.services, found, _code)]
    services += [_place(place, found) for place in others[:_MOST_PLACES]]
    if len(others) > _MOST_PLACES:
        services.append(f"and in {more_groups(len(others) - _MOST_PLACES)}")
    cells = (
        "<br>".join(services),
        changes[0] if len(changes) == 1 else "several",
        hours_in_words(opened),
        hours_in_words(closed),
        "<br>".join(when),
    )
    return f"| {' | '.join(cells)} |"


def _place(place: Place, found: Diff) -> str:
    changes = "" if place.changes == found.changes else f", for {_changes(place, found)}"
    services = services_in_words(place.services, found, _code)
    return f"in {_environments(place.environments, found)}{changes}: {services}"


def _environments(names: Sequence[str], found: Diff) -> str:
    """Return ``all 12 environments``, or those that are meant."""
    everywhere = tuple(names) == found.environments and len(names) > _FEW
    return f"all {len(names)} environments" if everywhere else _some(names)


def _changes(place: Place, found: Diff) -> str:
    return "all" if place.changes == found.changes else ", ".join(map(_code, place.changes))


def _time(time: Time, found: Diff, zone: Zone) -> Iterator[str]:
    each = time.occurrence
    verb, because = _verb(opens=each.opens), _because(time.reason)
    if each.times == 1:
        yield f"{verb} {span_in_words(each.first, zone, found.period[0])}{because}"
        return
    yield f"{verb} {each.words}, {dates_in_words(each, zone, found.period[0])}{because}"
    yield from (_fewer(fewer, found, zone) for fewer in time.fewer[:_MOST_PLACES])
    if more := len(time.fewer[_MOST_PLACES:]):
        yield f"and not on all of these days in {more_groups(more)}"


def _fewer(fewer: Fewer, found: Diff, zone: Zone) -> str:
    there = places(fewer.parts, found)
    where = [_place(place, found) for place in there[:_MOST_PLACES]]
    if more := len(there) - len(where):
        where.append(f"and in {more_groups(more)}")
    return f"but not {days_in_words(fewer.days, zone, found.period[0])} {'; '.join(where)}"


def _details(found: Diff, each: Paragraph, zone: Zone) -> Iterator[str]:
    """Yield each stretch of time of a paragraph with the policies that veto in it, folded."""
    seen_from = found.period[0]
    lines = [
        f"- {_verb(opens=reason.opens)} {span_in_words((start, end), zone, seen_from)}{_because(reason)}"
        for start, end, reason in each.hours()
    ]
    lines += [f"- {_fewer(fewer, found, zone)}" for time in each.times for fewer in time.fewer]
    first, *others = places(each.parts, found)
    more = f", and {more_groups(len(others))}" if others else ""
    services = services_in_words(first.services, found, _code)
    summary = f"Each time: {services} in {_environments(first.environments, found)}{more}"
    summary = _CODE.sub(r"<code>\1</code>", escape(summary))
    for piece in _in_pieces("", lines):
        yield f"<details><summary>{summary}</summary>{piece}\n\n</details>"


def _verb(*, opens: bool) -> str:
    return "opens" if opens else "closes"


def _because(reason: Reason) -> str:
    if not reason.ids:
        return " (the catalogue)"
    return f" ({'no longer ' if reason.opens else ''}{_some(reason.ids)})"


def _in_pieces(head: str, lines: Sequence[str]) -> Iterator[str]:
    """Yield a list in pieces, each under its head, so that a cut loses little."""
    for number in range(0, len(lines), _LINES_TOGETHER):
        yield head + "\n\n" + "\n".join(lines[number : number + _LINES_TOGETHER])


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(_code, names[:_MOST_NAMES]))
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more:,} more" if more > 0 else shown


def _code(text: str) -> str:
    """Return a text as a code span on one line, without anything that could end it or its cell."""
    return f"`{_plain(text)}`" if text else ""


def _plain(text: str) -> str:
    return "".join("'" if letter in "`|" else letter if letter.isprintable() else " " for letter in text)
