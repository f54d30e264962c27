"""The first view: what is frozen and open, by rules instead of by environment, and which services differ.

Environments that the same rules freeze until the same instant are shown once, and so are services that one
rule singles out: a dozen environments and hundreds of services take a few lines.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from app.core.counted import counted
from app.core.decision import Decision, Stretch
from app.core.decision_json import entry
from app.core.explain import scope_in_words, undirected
from app.core.instant import parse_instant
from app.core.policy import PolicySet
from app.gate.overview import Overview
from app.gate.service_state import EnvironmentState, ServiceGroup

MOST_NAMES: Final = 3
"""Environments that a line names; more are counted."""

Kind = Literal["frozen", "longer", "open", "closes", "stays"]

Entry = Mapping[str, Any]
"""A rule, as in `app.core.decision_json.entry`."""


class Place(NamedTuple):
    """Environments in one state: by the same rules, until the same instant."""

    environments: tuple[str, ...]
    allowed: bool
    rules: tuple[Entry, ...]
    """The rules that freeze it, or that warn while it is open."""
    changes_at: int | None
    """None if not within two years."""
    closing: tuple[Entry, ...]
    """The rules that will close it."""
    then: int | None
    """The instant of the change after the next one; None too if it is not the same for all of them."""
    exempt: str
    """The requests that the rules leave alone, in words; empty if there are none."""
    decision: Decision
    """The decision on the first of the environments; its zones are those of the times."""

    @property
    def key(self) -> str:
        """Return what identifies the place among the others of a page: its rules, and an environment.

        Places with the same rules may change at other times, by what follows.
        """
        rules = [each["id"] for each in self.rules or self.closing] or ["open"]
        return " ".join((*rules, self.environments[0]))

    @property
    def freeze(self) -> Entry | None:
        """The first ad-hoc freeze among its rules."""
        return next((each for each in self.rules if "started_by" in each), None)

    @property
    def is_incident(self) -> bool:
        """Whether an ad-hoc freeze is among the rules that freeze it."""
        return not self.allowed and self.freeze is not None

    @property
    def title(self) -> str:
        """Return the titles of its rules as plain text."""
        return undirected("; ".join(each["title"].rstrip(".") for each in self.rules))


class Difference(NamedTuple):
    """Services that a rule singles out, in the environments in which it does."""

    kind: Kind
    """Frozen while others are not, or for longer; open while others are not; closing earlier, or later."""
    rules: tuple[Entry, ...]
    environments: tuple[str, ...]
    services: tuple[str, ...]
    """Catalogued ones; empty for a rule about services outside the catalogue, or about kinds of change."""
    scope: str
    """In words, if there is no list of services."""
    changes_at: int | None
    """When the first of them changes; None if none does within two years."""
    varies: bool
    """Whether they change at several instants."""
    decision: Decision | None
    """The decision on the first of the services; None for a scope."""

    @property
    def key(self) -> str:
        """Return what identifies it among the others of a page.

        A rule may single out services in one environment, and a kind of change in another; and that by the
        zones of services.
        """
        zones = (each["timezone"] or "" for each in self.rules if "timezone" in each)
        return " ".join((self.kind, *(each["id"] for each in self.rules), self.scope, *zones))


class FrontView(NamedTuple):
    """The state of everything, for the first view."""

    frozen: list[Place]
    open: list[Place]
    differences: list[Difference]
    total: int
    """The number of all environments."""

    @property
    def frozen_environments(self) -> list[str]:
        """Return the environments that are frozen."""
        return [name for place in self.frozen for name in place.environments]

    @property
    def open_environments(self) -> list[str]:
        """Return the environments that are open."""
        return [name for place in self.open for name in place.environments]

    @property
    def next_to_close(self) -> Place | None:
        """Return the open environments that close first."""
        closing = [each for each in self.open if each.changes_at is not None]
        return min(closing, key=lambda each: each.changes_at or 0, default=None)

    @property
    def excepted_from_open(self) -> str:
        """Return what is frozen although all environments are open, in words."""
        return excepted(self.differences, "frozen")

    def excepted(self, environment: str) -> list[Difference]:
        """Return the differences of an open environment in which something is frozen."""
        return [
            each for each in self.differences if each.kind == "frozen" and environment in each.environments
        ]


def front_view(shown: Overview, policy_set: PolicySet) -> FrontView:
    """Return the first view of an overview."""
    frozen, opened = places(shown)
    return FrontView(frozen, opened, differences(shown, policy_set), len(shown.states))


def differences(shown: Overview, policy_set: PolicySet) -> list[Difference]:
    """Return what rules single out: services, and requests that no environment's state stands for."""
    found = _Differences()
    for each in shown.states:
        found.add(each)
    found.add_scopes(shown, policy_set)
    return found.differences()


def excepted(found: Iterable[Difference], kind: Kind) -> str:
    """Return the differences of a kind in words, as exceptions to a headline; empty if there are none."""
    services = [each.services for each in found if each.kind == kind]
    if not all(services):
        return "with exceptions"
    count = len(set().union(*services))
    return f"except {counted(count, 'service')}" if count else ""


class Coming(NamedTuple):
    """A freeze to come."""

    first: Entry
    """As in `/status`, in the zone in which it begins first."""
    zones: int
    """The number of zones in which it begins at other times, for policies in the zones of the services."""


def coming(upcoming: Iterable[Entry]) -> list[Coming]:
    """Return the freezes to come, each once."""
    found: dict[str, list[Entry]] = {}
    for each in upcoming:
        found.setdefault(each["id"], []).append(each)
    return [Coming(each[0], len(each) - 1) for each in found.values()]


def named(environments: Sequence[str], total: int) -> str:
    """Return environments in words, such as "production and 4 more", or "all 12 environments"."""
    if len(environments) == total > MOST_NAMES:
        return f"all {total} environments"
    if len(environments) <= MOST_NAMES:
        *rest, last = environments
        return f"{', '.join(rest)} and {last}" if rest else last
    return f"{environments[0]}, {environments[1]} and {len(environments) - 2} more"


def places(shown: Overview) -> tuple[list[Place], list[Place]]:
    """Return the environments that are frozen, those of an incident first, and the open ones."""
    exempt = {each["id"]: each["exempt"] for each in (*shown.policies, *shown.freezes)}
    found = [_place(group, shown.then, exempt) for group in _alike(shown.states)]
    frozen = sorted((each for each in found if not each.allowed), key=lambda each: not each.is_incident)
    return frozen, [each for each in found if each.allowed]


def _alike(states: Iterable[EnvironmentState]) -> Iterable[list[EnvironmentState]]:
    """Group environments by the rules that freeze or will close them, and by the instant of the change."""
    groups: dict[tuple[object, ...], list[EnvironmentState]] = {}
    for each in states:
        decision = each.decision
        told = decision.blocking or decision.warnings
        key = (decision.allowed, _ids(told), decision.flips_at, _ids(decision.closing))
        groups.setdefault(key, []).append(each)
    return groups.values()


def _place(
    group: Sequence[EnvironmentState],
    then: Mapping[str, int | None],
    exempt: Mapping[str, Sequence[Entry] | None],
) -> Place:
    decision = group[0].decision
    afterwards = {then[each.environment] for each in group}
    rules = _entries(decision.blocking or decision.warnings, decision.at)
    left_alone = [scope_in_words(exempt[each["id"]]) for each in rules if exempt.get(each["id"])]
    return Place(
        tuple(each.environment for each in group),
        decision.allowed,
        rules,
        decision.flips_at,
        _entries(decision.closing, decision.at),
        afterwards.pop() if len(afterwards) == 1 else None,
        # What one rule leaves alone may be frozen by another.
        left_alone[0] if len(rules) == 1 and left_alone and not decision.allowed else "",
        decision,
    )


class _Found(NamedTuple):
    """A difference, as it is being gathered over the environments."""

    kind: Kind
    rules: tuple[Entry, ...]
    environments: dict[str, None]
    services: dict[str, None]
    instants: set[int | None]
    decision: Decision | None
    otherwise_open: set[str]
    """The environments that are open for other services."""
    scope: str = ""


class _Differences:
    """Gathers what differs in each environment by the rules that make the difference."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._found: dict[tuple[object, ...], _Found] = {}
        self._covered: set[tuple[str, str]] = set()

    def add(self, state: EnvironmentState) -> None:
        """Add the services that differ in an environment."""
        for group in state.differing:
            own, general = group.decision, state.decision
            self._covered.update((state.environment, each.rule.id) for each in own.blocking)
            if own.blocking:
                for stretch in _making_the_difference(own, general):
                    self._gather(state, group, "frozen", [stretch], stretch.end)
            elif general.blocking:
                self._gather(state, group, "open", general.blocking, own.flips_at)
            elif own.closing and own.flips_at != general.flips_at:
                kind: Kind = "stays" if _after(own.flips_at, general.flips_at) else "closes"
                self._gather(state, group, kind, own.closing, own.flips_at)

    def _gather(
        self,
        state: EnvironmentState,
        group: ServiceGroup,
        kind: Kind,
        stretches: Sequence[Stretch],
        changes_at: int | None,
    ) -> None:
        made = _Found(kind, _entries(stretches, group.decision.at), {}, {}, set(), group.decision, set())
        found = self._found.setdefault((kind, _ids(stretches)), made)
        found.environments[state.environment] = None
        found.services.update(dict.fromkeys(group.services))
        found.instants.add(changes_at)
        if state.decision.allowed:
            found.otherwise_open.add(state.environment)

    def add_scopes(self, shown: Overview, policy_set: PolicySet) -> None:
        """Add the active rules about services that no catalogue lists, and about unusual changes.

        Only catalogued services have tags, so that selectors with tags are covered by the groups.
        """
        for each in shown.status["freezes"]["active"]:
            for state in shown.states:
                told = {stretch.rule.id for stretch in state.decision.blocking}
                if each["id"] in told or (state.environment, each["id"]) in self._covered:
                    continue
                selectors = [
                    selector
                    for selector in each["applies_to"] or ()
                    if _reaches(selector, state.environment, policy_set.usual_change)
                ]
                if selectors:
                    self._add_scope(each, state.environment, selectors)

    def _add_scope(self, rule: Entry, environment: str, selectors: Iterable[Entry]) -> None:
        placeless = [
            {name: each for name, each in one.items() if name != "environments"} for one in selectors
        ]
        key = ("scope", rule["id"], rule.get("timezone"))
        until = None if rule["until"] is None else parse_instant(rule["until"])
        found = self._found.setdefault(
            key, _Found("frozen", (rule,), {}, {}, {until}, None, {environment}, scope_in_words(placeless))
        )
        found.environments[environment] = None

    def differences(self) -> list[Difference]:
        """Return what was gathered, the frozen ones first."""
        order = ("frozen", "longer", "open", "closes", "stays")
        made = [_finished(each) for each in self._found.values()]
        return sorted(made, key=lambda each: order.index(each.kind))


def _making_the_difference(own: Decision, general: Decision) -> Iterator[Stretch]:
    """Yield the rules that freeze services while others are not frozen, or for longer than those."""
    known = set() if general.allowed else set(_ids(general.blocking))
    for each in own.blocking if general.allowed else (*own.blocking, *own.following):
        lasts_longer = general.allowed or _after(each.end, general.opens_at)
        if each.rule.id not in known and lasts_longer and _after(own.opens_at, own.at):
            known.add(each.rule.id)
            yield each


def _after(instant: int | None, other: int | None) -> bool:
    """Return whether one instant is later than another; None is later than all."""
    return other is not None and (instant is None or instant > other)


def _finished(found: _Found) -> Difference:
    known = [each for each in found.instants if each is not None]
    is_longer = found.kind == "frozen" and not found.otherwise_open
    return Difference(
        "longer" if is_longer else found.kind,
        found.rules,
        tuple(found.environments),
        tuple(sorted(found.services)),
        found.scope,
        min(known, default=None),
        len(found.instants) > 1,
        found.decision,
    )


def _reaches(selector: Entry, environment: str, usual_change: str) -> bool:
    """Return whether a selector selects requests to an environment that no group stands for."""
    places, changes = selector.get("environments"), selector.get("changes")
    if selector.get("tags") or (places is not None and environment not in places):
        return False
    return bool(selector.get("services")) or (changes is not None and usual_change not in changes)


def _entries(stretches: Iterable[Stretch], at: int) -> tuple[Entry, ...]:
    """Return the entries of stretches, each rule once."""
    first: dict[str, Stretch] = {}
    for each in stretches:
        first.setdefault(each.rule.id, each)
    return tuple(entry(each, at) for each in first.values())


def _ids(stretches: Iterable[Stretch]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.rule.id for each in stretches))
