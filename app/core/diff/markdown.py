"""A difference as Markdown, for the comment on a pull request.

Everything that the authors of policies choose stands in code spans, and the names that they may choose have
no backtick in them: so nothing becomes a mention, a link or markup.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from app.core.diff.occurrences import Occurrence, occurrences, span_in_words
from app.core.diff.result import Diff, Difference, NameChanges, PolicyChange
from app.core.diff.totals import by_environments, headline, hours_in_words
from app.core.diff.words import breadth, services_in_words
from app.core.explain import local_time
from app.core.wallclock import Zone

LARGEST: Final = 60_000
"""Characters. GitHub takes 65,536 in a comment; the rest is for what a client puts around it."""

_MOST_NAMES: Final = 8
_MOST_PATTERNS: Final = 4
"""Recurring times that a row of the table names; the details have all of them."""

_LINES_TOGETHER: Final = 100
"""Lines of a list that are kept or cut off together."""

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
    for environments, differences in by_environments(found).items():
        yield f"#### {', '.join(map(_code, environments))}"
        yield from _tables(found, differences, zone)
    yield from map(_plain, found.limits)
    for environments, differences in by_environments(found).items():
        for each in differences:
            yield from _details(found, environments, each, zone)


def _policies(changes: Sequence[PolicyChange]) -> Iterator[str]:
    if changes:
        yield from _in_pieces("**Policies**", [f"- {_policy(each)}" for each in changes])


def _policy(change: PolicyChange) -> str:
    renamed = f" to {_code(change.new_id)}" if change.new_id is not None else ""
    fields = f": {', '.join(map(_code, change.fields))}" if change.fields else ""
    return f"{change.kind} {_code(change.id)}{renamed}{fields}"


def _names(names: NameChanges) -> Iterator[str]:
    lines = [
        f"- {field.replace('_', ' ')} {verb}: {_some(values)}"
        for verb, side in (("added", names.added), ("removed", names.removed))
        for field, values in side._asdict().items()
        if values
    ]
    if names.changed_services:
        lines.append(f"- services with other tags or another zone: {_some(names.changed_services)}")
    lines += [f"- {_code(each.name)}: {_code(each.before)} → {_code(each.after)}" for each in names.settings]
    if lines:
        yield "**Lists and settings**\n\n" + "\n".join(lines)


def _tables(found: Diff, differences: Iterable[Difference], zone: Zone) -> Iterator[str]:
    ordered = sorted(differences, key=lambda each: breadth(each, found))
    head = "| services | change | opens | closes | when |\n|---|---|---|---|---|"
    yield from _in_pieces(head, [_row(found, each, zone) for each in ordered], gap="\n")


def _row(found: Diff, each: Difference, zone: Zone) -> str:
    opened, closed = (
        sum(hours.end - hours.start for hours in each.hours if hours.opens is opens)
        for opens in (True, False)
    )
    times = occurrences(each.hours, zone)
    when = [_occurrence(time, found, zone) for time in times[:_MOST_PATTERNS]]
    if len(times) > _MOST_PATTERNS:
        when.append(f"and {len(times) - _MOST_PATTERNS} more")
    cells = (
        services_in_words(each.services, found, _code),
        "all" if each.changes == found.changes else ", ".join(map(_code, each.changes)),
        hours_in_words(opened),
        hours_in_words(closed),
        "<br>".join(when),
    )
    return f"| {' | '.join(cells)} |"


def _occurrence(each: Occurrence, found: Diff, zone: Zone) -> str:
    verb = _verb(opens=each.opens)
    if each.times == 1:
        return f"{verb} {span_in_words(each.first, zone, found.period[0])}"
    until = local_time(each.last[0], zone, found.period[0])
    return f"{verb} {each.words}, {each.times} times until {until}"


def _details(found: Diff, environments: Sequence[str], each: Difference, zone: Zone) -> Iterator[str]:
    """Yield each stretch of time of a difference with the policies that veto in it, folded."""
    seen_from = found.period[0]
    lines = [
        f"- {_verb(opens=hours.opens)} {span_in_words((hours.start, hours.end), zone, seen_from)}"
        f"{_because(hours.before or hours.after, opens=hours.opens)}"
        for hours in each.hours
    ]
    summary = f"Each time: {services_in_words(each.services, found, _code)} in {_some(environments)}"
    summary = _CODE.sub(r"<code>\1</code>", escape(summary))
    for piece in _in_pieces("", lines):
        yield f"<details><summary>{summary}</summary>{piece}\n\n</details>"


def _verb(*, opens: bool) -> str:
    return "opens" if opens else "closes"


def _because(ids: Sequence[str], *, opens: bool) -> str:
    if not ids:
        return " (the catalogue)"
    return f" ({'no longer ' if opens else ''}{_some(ids)})"


def _in_pieces(head: str, lines: Sequence[str], gap: str = "\n\n") -> Iterator[str]:
    """Yield a list in pieces, each under its head, so that a cut loses little."""
    for number in range(0, len(lines), _LINES_TOGETHER):
        yield head + gap + "\n".join(lines[number : number + _LINES_TOGETHER])


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(_code, names[:_MOST_NAMES]))
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more:,} more" if more > 0 else shown


def _code(text: str) -> str:
    """Return a text as a code span on one line, without anything that could end it or its cell."""
    return f"`{_plain(text)}`" if text else ""


def _plain(text: str) -> str:
    return "".join("'" if letter in "`|" else letter if letter.isprintable() else " " for letter in text)
