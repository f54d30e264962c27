"""The state of the environments as lines for a terminal: frozen ones first, open ones together in one line.

With 12 environments and 300 services it fits a screen of 40 lines: services that differ share a line.
"""

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

from app.core.counted import counted
from app.core.decision_text import one_line
from app.core.reason import title_and_reason

SCREEN: Final = 38
"""Lines that a screen of 40 has for the answer, beside the command and the next prompt."""

_FEW_FROZEN: Final = 6
"""Frozen groups up to which each rule has a line; of more, the first rule has one."""

_FEW_DIFFER: Final = 2
"""Frozen groups up to which services that differ have a few lines, by rule; of more, one, and then none."""

_MOST_RULES: Final = 3
_MOST_NAMES: Final = 6
_MOST_SERVICES: Final = 3
_MOST_WARNINGS: Final = 3
_MARGIN: Final = "        "

Body = Mapping[str, Any]
Local = Callable[[object], str]
"""Prints an instant of the API as local time."""


class Line(NamedTuple):
    """A line, and the colour of its first word."""

    text: str
    colour: str | None = None


class Times(NamedTuple):
    """The ways to print instants."""

    local: Local
    wait: Callable[[object], str]
    """The time from the state's instant to another: ``2 d 17 h``."""

    def until(self, state: Body) -> str:
        """Return until when a state lasts."""
        flips = state.get("closes_at") if state.get("allowed") else state.get("opens_at")
        if flips is not None:
            return f"until {self.local(flips)}, for {self.wait(flips)}"
        if state.get("allowed"):
            return "no freeze in sight"
        open_ended = any(each.get("kind") == "freeze" for each in state.get("blocking") or ())
        return "until it is lifted" if open_ended else "no end in sight"


class Group(NamedTuple):
    """Environments in the same state."""

    states: list[Body]

    @property
    def names(self) -> list[str]:
        """The names of the environments."""
        return [str(each.get("environment")) for each in self.states]

    @property
    def first(self) -> Body:
        """The first of the states; the others say the same."""
        return self.states[0]


def status_lines(body: Body, times: Times, *, everything: bool = False) -> list[Line]:
    """Return the lines for an answer of `/status`.

    Args:
        body: the answer; with all pages of services for `everything`.
        times: prints its instants.
        everything: whether every service that differs has its name on a line.
    """
    states = list(body.get("environments") or ())
    lines = _places(states, times)
    if everything:
        lines += itertools.chain.from_iterable(_every_service(state, times) for state in states)
    warnings = list(_warnings(body))
    lines += _next(body, times, SCREEN - len(lines) - len(warnings))
    return [*lines, *warnings]


def _places(states: Sequence[Body], times: Times) -> list[Line]:
    """Return the lines of the environments, the frozen ones first."""
    opened = [each for each in states if each.get("allowed")]
    frozen = grouped(each for each in states if not each.get("allowed"))
    rules, ways = (_MOST_RULES, 1) if len(frozen) <= _FEW_FROZEN else (1, 0)
    ways = _MOST_RULES if len(frozen) <= _FEW_DIFFER else ways
    lines: list[Line] = []
    for group in frozen:
        lines += [*_frozen(group, times, rules), *_differing(group.states, times, ways)]
    return [*lines, *(_open(opened, times, ways) if opened else ())]


def titles(state: Body, key: str) -> str:
    """Return the titles of the rules under a key of a state, joined."""
    return "; ".join(str(rule.get("title")) for rule in state.get(key) or ())


def named(names: Sequence[str], most: int = _MOST_NAMES) -> str:
    """Return the first of these names, and how many more there are."""
    if len(names) <= most:
        return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def rule_line(rule: Body) -> str:
    """Return the title of a rule, its reason, who began it, whom to ask, and where to read more."""
    by = f" Started by {rule['started_by']}." if rule.get("started_by") else ""
    contact = f" Ask {rule['contact']}." if rule.get("contact") else ""
    link = f" {rule['link']}" if rule.get("link") else ""
    return one_line(f"{title_and_reason(rule.get('title'), rule.get('reason'))}{by}{contact}{link}")


def grouped(states: Iterable[Body]) -> list[Group]:
    """Gather environments with the same rules and the same end, in the order of the first of each."""
    groups: dict[object, list[Body]] = {}
    for each in states:
        groups.setdefault(state_key(each), []).append(each)
    return [Group(found) for found in groups.values()]


def _frozen(group: Group, times: Times, most: int) -> Iterator[Line]:
    yield Line(f"FROZEN  {named(group.names)}  {times.until(group.first)}", "red")
    rules = group.first.get("blocking") or ()
    for rule in rules[:most]:
        yield Line(f"{_MARGIN}{rule_line(rule)}")
    if len(rules) > most:
        yield Line(f"{_MARGIN}and {counted(len(rules) - most, 'more rule')}")


def _open(states: Sequence[Body], times: Times, ways: int) -> Iterator[Line]:
    """Yield the line of all open environments, which of them closes first, and those that warn."""
    names = [str(each.get("environment")) for each in states]
    if len(states) == 1:
        yield Line(f"OPEN    {names[0]}  {times.until(states[0])}", "green")
    else:
        yield Line(f"OPEN    {len(states)} environments open: {named(names)}", "green")
    yield from _closing(states, times)
    warned: dict[str, list[str]] = {}
    for name, each in zip(names, states, strict=True):
        for rule in each.get("warnings") or ():
            warned.setdefault(rule_line(rule), []).append(name)
    for text, places in warned.items():
        yield Line(f"{_MARGIN}{_these(places, names)} {_verb(places, 'warn')}: {text}")
    yield from _differing(states, times, ways)


def _closing(states: Sequence[Body], times: Times) -> Iterator[Line]:
    """Yield the line of the environments that close first."""
    names = [str(each.get("environment")) for each in states]
    closing = [each for each in states if each.get("closes_at")]
    if not closing:
        return
    first = min(closing, key=lambda each: str(each["closes_at"]))
    at = first["closes_at"]
    soonest = [str(each["environment"]) for each in closing if each["closes_at"] == at]
    before = "" if len(soonest) == len(names) else " first"
    yield Line(
        f"{_MARGIN}{_these(soonest, names)} {_verb(soonest, 'close')}{before} {times.local(at)}, in "
        f"{times.wait(at)}: {one_line(titles(first, 'closing'))}"
    )


def _these(chosen: Sequence[str], names: Sequence[str]) -> str:
    """Return some of the open environments, named in the line above."""
    return "all" if len(chosen) == len(names) > 1 else named(chosen)


def _verb(names: Sequence[str], verb: str) -> str:
    return verb if len(names) > 1 else f"{verb}s"


def _differing(states: Sequence[Body], times: Times, most: int) -> Iterator[Line]:
    """Yield the services that differ from these environments, then by which rules, and until when."""
    services = list(itertools.chain.from_iterable(state.get("services") or () for state in states))
    frozen, opened = _on_side(services, allowed=False), _on_side(services, allowed=True)
    sides = [("frozen", frozen), ("open", opened)]
    parts = [f"{len(each)} {word} ({named(each, _MOST_SERVICES)})" for word, each in sides if each]
    if parts:
        more = "at least " if any(each.get("next") for each in states) else ""
        yield Line(f"{_MARGIN}{more}{_differ(len({*frozen, *opened}))}: {', '.join(parts)}")
        yield from _ways(states, services, times, most)


def _ways(states: Sequence[Body], services: Sequence[Body], times: Times, most: int) -> Iterator[Line]:
    """Yield the rules by which services differ, each with its end and its services, most services first."""
    own = {rule.get("id") for state in states for rule in state.get("blocking") or ()}
    found: dict[str, dict[str, None]] = {}
    for each in services:
        found.setdefault(_way(each, own, times), {}).update(dict.fromkeys(_all_names([each])))
    ways = sorted(found.items(), key=lambda way: -len(way[1]))
    left = len(ways) - most
    for number, (way, names) in enumerate(ways[:most], 1):
        more = f"; and {counted(left, 'more rule')}" if number == most and left > 0 else ""
        yield Line(f"{_MARGIN}  {way}: {named(list(names), _MOST_SERVICES)}{more}")


def _way(service: Body, own: Collection[object], times: Times) -> str:
    """Return by which rules a service is frozen, or that it is open, and until when.

    Args:
        service: its state.
        own: the ids of the rules of its environment, which are not what differs, unless nothing else is.
        times: prints its instants.
    """
    rules = service.get("blocking") or ()
    why = titles({"blocking": [each for each in rules if each.get("id") not in own] or rules}, "blocking")
    return one_line(f"{why or 'open'}, {times.until(service)}")


def _differ(number: int) -> str:
    return counted(number, "service differs", "services differ")


def _on_side(services: Iterable[Body], *, allowed: bool) -> list[str]:
    """Return the names of those of these services that are open, or frozen, each once."""
    alike = [each for each in services if bool(each.get("allowed")) is allowed]
    return list(dict.fromkeys(_all_names(alike)))


def _every_service(state: Body, times: Times) -> Iterator[Line]:
    """Yield every service that differs from an environment, those in one state on one line."""
    services = sorted(state.get("services") or (), key=state_key)
    if services:
        yield Line("")
        yield Line(f"{_differ(len(_all_names(services)))} in {state.get('environment')}")
    for _, found in groupby(services, state_key):
        alike = list(found)
        word, colour = ("OPEN    ", "green") if alike[0].get("allowed") else ("FROZEN  ", "red")
        rules = one_line(titles(alike[0], "blocking"))
        text = f"{word}{', '.join(_all_names(alike))}  {times.until(alike[0])}"
        yield Line(f"{text} ({rules})" if rules else text, colour)


def _all_names(services: Iterable[Body]) -> list[str]:
    return [str(name) for each in services for name in (each.get("service"), *(each.get("also") or ()))]


def state_key(state: Body) -> tuple[bool, tuple[str, ...], str]:
    """Return a value that two states share if the same rules hold in both, until the same time."""
    rules = tuple(str(each.get("id")) for each in state.get("blocking") or ())
    return bool(state.get("allowed")), rules, str(state.get("opens_at") or state.get("closes_at"))


def _next(body: Body, times: Times, room: int) -> Iterator[Line]:
    """Yield the freezes of the coming weeks, as far as there is room."""
    coming = (body.get("freezes") or {}).get("upcoming") or ()
    for number, each in enumerate(coming[: max(0, min(room, _MOST_RULES))]):
        lead = _MARGIN if number else "NEXT    "
        yield Line(f"{lead}{times.local(each.get('from'))}  {one_line(each.get('title'))}")


def _warnings(body: Body) -> Iterator[Line]:
    """Yield what is wrong with the gate, or forgotten."""
    policies = body.get("policies") or {}
    if policies.get("stale"):
        yield Line("NOTE    the policy files have errors; the set before them is in force", "yellow")
    for each in (body.get("warnings") or ())[:_MOST_WARNINGS]:
        yield Line(f"NOTE    {one_line(each)}", "yellow")
