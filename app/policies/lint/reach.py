"""Compare the requests that policies match: whether there are any, and whether another matches them all.

The services of a catalogue are enumerated. Services outside it can have any name, so their globs are
compared. Every result is proven; where a proof would need more than comparing single globs, there is none.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from app.core.policy import Policy, PolicySet, Selector, glob_pattern

_ANY: Final = None
"""In place of a glob: every name, with slashes."""

_Glob = str | None

_EVERY_REQUEST: Final = (Selector.model_validate({}),)


class Request(NamedTuple):
    """A request that policies are matched against."""

    service: str
    tags: frozenset[str]
    environment: str
    change: str


class _Names(NamedTuple):
    """The services outside the catalogue that a policy reaches in one environment and kind of change."""

    meant: list[_Glob]
    exempt: list[_Glob]

    def all_within(self, other: "_Names") -> bool:
        """Return whether each of these names is certainly one of `other`'s."""
        reached = all(any(_covers(wide, glob) for wide in other.meant) for glob in self.meant)
        return reached and all(self._lacks(glob) for glob in other.exempt)

    def _lacks(self, glob: _Glob) -> bool:
        exempt = any(_covers(wide, glob) for wide in self.exempt)
        return exempt or not any(_may_meet(glob, meant) for meant in self.meant)


class Reach:
    """The requests that a policy set accepts."""

    def __init__(self, policy_set: PolicySet) -> None:
        """Collect the names that the set defines."""
        self.catalogue = {name: policy_set.tags_of(name) for name in policy_set.services or ()}
        self._tagged: dict[str, dict[str, None]] = {}
        """The services with each tag, in the order of the catalogue."""
        for name, tags in self.catalogue.items():
            for tag in tags:
                self._tagged.setdefault(tag, {})[name] = None
        self.takes_unknown = not policy_set.refuses_unknown
        self.scopes = [(place, change) for place in policy_set.environments for change in policy_set.changes]

    def matches_nothing(self, policy: Policy) -> bool:
        """Return whether no request at all can match a policy."""
        return next(self.catalogued(policy), None) is None and not any(
            self._names(policy, *scope).meant for scope in self.scopes
        )

    def within(self, inner: Policy, outer: Policy) -> bool:
        """Return whether the outer policy certainly matches every request that the inner one does."""
        return all(outer.matches(*request) for request in self.catalogued(inner)) and all(
            self._names(inner, *scope).all_within(self._names(outer, *scope)) for scope in self.scopes
        )

    def some_service(self, policy: Policy) -> str | None:
        """Return a service that a policy matches by name or in the catalogue, if there is one."""
        request = next(self.catalogued(policy), None)
        return request.service if request else next(iter(literal_services(policy) or ()), None)

    def catalogued(self, policy: Policy) -> Iterator[Request]:
        """Yield the requests for services of the catalogue that a policy matches."""
        for name in self._perhaps(policy):
            for environment, change in self.scopes:
                request = Request(name, self.catalogue[name], environment, change)
                if policy.matches(*request):
                    yield request

    def _perhaps(self, policy: Policy) -> Iterable[str]:
        """Return the services of the catalogue with a name or tag that the policy selects."""
        literal = literal_services(policy)
        if literal is not None:
            return [name for name in literal if name in self.catalogue]
        tags = _literal_tags(policy)
        if tags is None:
            return self.catalogue
        return {name: None for tag in tags for name in self._tagged.get(tag, ())}

    def matches_every_unknown(self, policy: Policy, environment: str, change: str) -> bool:
        """Return whether a policy certainly matches every service outside the catalogue."""
        names = self._names(policy, environment, change)
        return _ANY in names.meant and not names.exempt

    def _names(self, policy: Policy, environment: str, change: str) -> _Names:
        if not self.takes_unknown:
            return _Names([], [])
        exempt = list(_globs(policy.exempt or (), environment, change))
        meant = [
            glob
            for glob in _globs(policy.applies_to or _EVERY_REQUEST, environment, change)
            if glob not in self.catalogue and not any(_covers(wide, glob) for wide in exempt)
        ]
        return _Names(meant, exempt)


def _globs(selectors: Sequence[Selector], environment: str, change: str) -> Iterator[_Glob]:
    """Yield the globs of selectors for services without tags."""
    for selector in selectors:
        in_scope = (selector.environments is None or environment in selector.environments) and (
            selector.changes is None or change in selector.changes
        )
        if in_scope and selector.tags is None:
            yield from (_ANY,) if selector.services is None else selector.services


def literal_services(policy: Policy) -> list[str] | None:
    """Return the services that a policy names, if it can match no others; else None."""
    names: dict[str, None] = {}
    for selector in policy.applies_to or _EVERY_REQUEST:
        if selector.services is None or any("*" in name for name in selector.services):
            return None
        names.update(dict.fromkeys(selector.services))
    return list(names)


def _literal_tags(policy: Policy) -> list[str] | None:
    """Return the tags of which a matching service has at least one; None if it needs none."""
    tags: dict[str, None] = {}
    for selector in policy.applies_to or _EVERY_REQUEST:
        if selector.tags is None or any("*" in tag for tag in selector.tags):
            return None
        tags.update(dict.fromkeys(selector.tags))
    return list(tags)


def _covers(wide: _Glob, glob: _Glob) -> bool:
    """Return whether every name that matches `glob` matches `wide`."""
    if wide is _ANY:
        return True
    # A * of `glob` can match anything, so only a * of `wide` covers it.
    return glob is not _ANY and glob_pattern([wide]).fullmatch(glob.replace("*", "\0")) is not None


def _may_meet(one: _Glob, other: _Glob) -> bool:
    """Return whether some name may match both globs."""
    if one is _ANY or other is _ANY or ("*" in one and "*" in other):
        return True
    return _covers(one, other) or _covers(other, one)
