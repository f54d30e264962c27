"""One service as lines for a terminal: its state everywhere, its next changes, its rules and decisions."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

from app.cli.status_text import Body, Line, Times, grouped, named, rule_line, titles
from app.core.counted import noun_for
from app.core.decision_text import one_line

_MOST_CHANGES: Final = 6
_MOST_RULES: Final = 6


def service_lines(body: Body, times: Times) -> Iterator[Line]:
    """Yield the lines of a service, from the answers about each of its environments."""
    yield Line(str(body["service"]))
    states = sorted(body["environments"], key=lambda each: bool(each.get("allowed")))
    for group in grouped(states):
        word, colour = ("OPEN  ", "green") if group.first.get("allowed") else ("FROZEN", "red")
        yield Line(f"{word}  {named(group.names)}  {times.until(group.first)}", colour)
    yield from _titled("Next changes", list(_changes(body["schedules"], times))[:_MOST_CHANGES])
    yield from _titled("Rules of the coming four weeks", list(_rules(states, body["schedules"])))
    yield from _titled("Last decisions", list(_decided(body["decisions"], times)))


def _titled(title: str, lines: Sequence[str]) -> Iterator[Line]:
    if lines:
        yield Line("")
        yield Line(title)
        yield from (Line(f"  {line}") for line in lines)


def _changes(schedules: Sequence[Body], times: Times) -> Iterator[str]:
    """Yield when each environment opens or closes, the next first; warnings are no change."""
    found: dict[tuple[str, bool, str], list[str]] = {}
    for schedule in schedules:
        for flip in _flips(schedule):
            found.setdefault(flip, []).append(str(schedule.get("environment")))
    for (at, opens, rules), environments in sorted(found.items()):
        why = f": {one_line(rules)}" if rules else ""
        verb = noun_for(len(environments), *(("opens", "open") if opens else ("freezes", "freeze")))
        yield f"{times.local(at)}  {named(environments)} {verb}{why}"


def _flips(schedule: Body) -> Iterator[tuple[str, bool, str]]:
    """Yield each change of an environment: when, whether it opens, and the titles of what closes it."""
    for before, after in itertools.pairwise(schedule.get("segments") or ()):
        if bool(before.get("allowed")) != bool(after.get("allowed")):
            yield str(after.get("from")), bool(after.get("allowed")), titles(after, "blocking")


def _rules(states: Sequence[Body], schedules: Sequence[Body]) -> Iterator[str]:
    """Yield each rule that stops or warns the service now or in the coming weeks."""
    segments = itertools.chain.from_iterable(schedule.get("segments") or () for schedule in schedules)
    known: dict[str, str] = {}
    for place, key in itertools.product((*states, *segments), ("blocking", "warnings")):
        known |= {str(rule.get("id")): rule_line(rule) for rule in place.get(key) or ()}
    lines = [f"{own_id}  {text}" for own_id, text in known.items()]
    yield from lines[:_MOST_RULES]
    if len(lines) > _MOST_RULES:
        yield f"and {len(lines) - _MOST_RULES} more"


def _decided(decisions: Sequence[Body] | None, times: Times) -> Iterator[str]:
    if decisions is None:
        yield "not shown: set FREEZEGATE_API_KEY to a key with the role viewer"
        return
    for each in decisions:
        who = each.get("actor") or each.get("caller") or "anonymous"
        yield one_line(
            f"{times.local(each.get('at'))}  {each.get('outcome'):8}  {each.get('environment')}  {who}  "
            f"{each.get('decision_id')}"
        )
    if not decisions:
        yield "none yet"
