"""The services of a catalogue, grouped by the rules that can tell them apart.

Services that the same selectors select, and that are in the same zone, get the same decision in every
environment: so a catalogue of hundreds of services needs a few decisions only.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from app.core.freeze import Freeze
from app.core.policy import SERVICE_ZONE, PolicySet, Selector
from app.core.scope import ScopeTimeline


class ServiceGroup(NamedTuple):
    """The services that the same rules match in an environment, with the timeline of these rules."""

    scope: ScopeTimeline
    services: Sequence[str]
    """In the order of the catalogue."""


class Catalogue:
    """The services of a policy set, indexed by tag."""

    def __init__(self, policy_set: PolicySet) -> None:
        """Index the catalogue; a set without one has no services."""
        self._tags = {name: frozenset(each.tags) for name, each in (policy_set.services or {}).items()}
        self._places = {name: place for place, name in enumerate(self._tags)}
        self._tagged: dict[str, list[str]] = {}
        for name, tags in self._tags.items():
            for tag in tags:
                self._tagged.setdefault(tag, []).append(name)

    @property
    def services(self) -> Mapping[str, int]:
        """The place of each service, by name."""
        return self._places

    def in_order(self, services: Iterable[str]) -> list[str]:
        """Return services in the order of the catalogue."""
        return sorted(services, key=self._places.__getitem__)

    def selected(self, selector: Selector) -> Iterator[str]:
        """Yield the services that a selector selects in some environments."""
        for name in self._candidates(selector):
            if selector.selects_service(name, self._tags[name]):
                yield name

    def _candidates(self, selector: Selector) -> Iterable[str]:
        """Return services of which a selector selects no others."""
        if selector.services is not None and not _have_stars(selector.services):
            return self._tags.keys() & set(selector.services)
        if selector.tags is not None and not _have_stars(selector.tags):
            return {name for tag in selector.tags for name in self._tagged.get(tag, ())}
        return self._tags


def split_by_policies(catalogue: Catalogue, policy_set: PolicySet) -> list[Sequence[str]]:
    """Return the services in groups that no policy tells apart, in any environment."""
    selectors = (
        selector
        for policy in policy_set.policies
        for selector in (*(policy.applies_to or ()), *(policy.exempt or ()))
    )
    groups: list[Sequence[str]] = [list(catalogue.services)]
    if any(policy.timezone == SERVICE_ZONE for policy in policy_set.policies):
        groups = _by_zone(groups[0], policy_set)
    return split(groups, catalogue, selectors)


def split_by_freezes(
    groups: Sequence[Sequence[str]], catalogue: Catalogue, freezes: Iterable[Freeze]
) -> list[Sequence[str]]:
    """Return groups of services split into those that no freeze tells apart."""
    selectors = (selector for freeze in freezes for selector in (freeze.selector, *freeze.exempt))
    return split(groups, catalogue, selectors)


def split(
    groups: Sequence[Sequence[str]], catalogue: Catalogue, selectors: Iterable[Selector]
) -> list[Sequence[str]]:
    """Return groups of services split into those that no selector tells apart."""
    seen: dict[str, list[int]] = {}
    known: set[tuple[object, object]] = set()
    for number, selector in enumerate(selectors):
        key = (_key(selector.services), _key(selector.tags))
        if key == (None, None) or key in known:
            continue
        known.add(key)
        for name in catalogue.selected(selector):
            seen.setdefault(name, []).append(number)
    parts: dict[tuple[int, tuple[int, ...]], list[str]] = {}
    for group_number, group in enumerate(groups):
        for name in group:
            parts.setdefault((group_number, tuple(seen.get(name, ()))), []).append(name)
    return list(parts.values())


def _have_stars(globs: Iterable[str]) -> bool:
    return any("*" in glob for glob in globs)


def _by_zone(services: Iterable[str], policy_set: PolicySet) -> list[Sequence[str]]:
    zones: dict[str, list[str]] = {}
    for name in services:
        zones.setdefault(policy_set.service_zone(name), []).append(name)
    return list(zones.values())


def _key(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
