"""Changes of the policies themselves, and of the names and settings of their set."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from app.core import calendar_url
from app.core.diff.result import NameChanges, PolicyChange, SetNames, SettingChange
from app.core.environment import Environment
from app.core.notation import format_duration
from app.core.policy import Ceilings, Policy, PolicySet, Selector, Service
from app.core.windows import WindowEntry
from app.core.windows.icalendar import ICalendar

_FIELDS: Final = tuple(name for name in Policy.model_fields if name != "id")
_SCOPE: Final = ("applies_to", "exempt")
_WINDOWS: Final = ("when", "except_when")
_ANSWER: Final = frozenset({"effect", *_SCOPE, *_WINDOWS})
"""The fields that decide, with the zone, which hours are frozen; the others are texts, tokens and notices."""
_WORDS: Final = ("title", "reason")


class Pairing(NamedTuple):
    """The policies of two sets by number: those that are the same policy, and the others."""

    pairs: tuple[tuple[int, int], ...]
    changed: tuple[tuple[str, ...], ...]
    """The fields of each pair whose content differs."""
    removed: tuple[int, ...]
    added: tuple[int, ...]


def pair(old: PolicySet, new: PolicySet) -> Pairing:
    """Find the policies that are in both sets: by id, else by the same content, else by most of it.

    With changes, a policy is taken for a renamed one only if no other could be meant: it alone has this scope
    and these windows, or this title and reason, among those that are left in either set.
    """
    numbers = {policy.id: number for number, policy in enumerate(new.policies)}
    pairs = [
        (number, numbers[policy.id]) for number, policy in enumerate(old.policies) if policy.id in numbers
    ]
    left = _Left(old.policies, new.policies, pairs)
    left.take(lambda policy: _key(policy, _FIELDS), unique=False)
    left.take(lambda policy: _key(policy, ("timezone", *sorted(_ANSWER))), unique=True)
    left.take(lambda policy: _key(policy, _WORDS), unique=True)
    pairs = sorted(left.pairs, key=lambda each: each[1])
    changed = (_changed_fields(old.policies[one], new.policies[other]) for one, other in pairs)
    return Pairing(tuple(pairs), tuple(changed), tuple(left.old), tuple(left.new))


class _Left:
    """The policies without a partner so far."""

    def __init__(self, old: list[Policy], new: list[Policy], pairs: list[tuple[int, int]]) -> None:
        self._policies = old, new
        self.pairs = pairs
        self.old = sorted(set(range(len(old))) - {one for one, _ in pairs})
        self.new = sorted(set(range(len(new))) - {other for _, other in pairs})

    def take(self, key: Callable[[Policy], Hashable], *, unique: bool) -> None:
        """Pair those with the same key, in order; with `unique`, only where one of each side has it."""
        if not (self.old and self.new):
            return
        old, new = self._by_key(0, self.old, key), self._by_key(1, self.new, key)
        for shared in old.keys() & new.keys():
            if not unique or len(old[shared]) == len(new[shared]) == 1:
                self.pairs += zip(old[shared], new[shared], strict=False)
        self.old = sorted(set(self.old) - {one for one, _ in self.pairs})
        self.new = sorted(set(self.new) - {other for _, other in self.pairs})

    def _by_key(
        self, side: int, numbers: Iterable[int], key: Callable[[Policy], Hashable]
    ) -> Mapping[Hashable, list[int]]:
        found: defaultdict[Hashable, list[int]] = defaultdict(list)
        for number in numbers:
            found[key(self._policies[side][number])].append(number)
        return found


def policy_changes(old: PolicySet, new: PolicySet, pairing: Pairing) -> tuple[PolicyChange, ...]:
    """Return what changed: in the order of the new set, then the removed ones in the order of the old."""
    found = [(number, PolicyChange("added", new.policies[number].id, None, ())) for number in pairing.added]
    for (one, other), fields in zip(pairing.pairs, pairing.changed, strict=True):
        before, after = old.policies[one].id, new.policies[other].id
        if before != after:
            found.append((other, PolicyChange("renamed", before, after, fields)))
        elif fields:
            found.append((other, PolicyChange("changed", before, None, fields)))
    removed = (PolicyChange("removed", old.policies[number].id, None, ()) for number in pairing.removed)
    return (*(change for _, change in sorted(found)), *removed)


def alike(old: PolicySet, new: PolicySet, pairing: Pairing) -> dict[int, int]:
    """Return the policies that veto the same in both sets: the number in the old set by that in the new one.

    This holds for services with the same tags and zone in both sets; a policy in the zone of the service
    reads it from the catalogue.
    """
    shared = {}
    for (one, other), fields in zip(pairing.pairs, pairing.changed, strict=True):
        zones = old.policies[one].timezone or old.timezone, new.policies[other].timezone or new.timezone
        if zones[0] == zones[1] and _ANSWER.isdisjoint(fields):
            shared[other] = one
    return shared


def _changed_fields(before: Policy, after: Policy) -> tuple[str, ...]:
    """Return the fields whose content differs; the order within a list means nothing."""
    return () if before == after else tuple(name for name in _FIELDS if not _same(name, before, after))


def _same(name: str, before: Policy, after: Policy) -> bool:
    one, other = getattr(before, name), getattr(after, name)
    if one == other:
        return True
    if name in _WINDOWS:
        return _same_windows(one, other)
    return name in _SCOPE and _selectors(one) == _selectors(other)


def _same_windows(one: Sequence[WindowEntry], other: Sequence[WindowEntry]) -> bool:
    """Return whether unequal lists of windows have the same content."""
    if len(one) != len(other) or (len(one) == 1 and one[0].kind != "icalendar"):
        return False
    return sorted(map(_window, one)) == sorted(map(_window, other))


def _key(policy: Policy, names: tuple[str, ...]) -> Hashable:
    return tuple(_hashable(name, getattr(policy, name)) for name in names)


def _hashable(name: str, value: Any) -> Hashable:
    if name in _WINDOWS:
        return tuple(sorted(map(_window, value)))
    return _selectors(value) if name in _SCOPE else repr(value)


def _window(entry: WindowEntry) -> str:
    """Return the content of a window, with the text of its calendar.

    A URL counts as its masked form: a candidate from the record or the dashboard has no other.
    """
    window = entry.window
    if isinstance(window, ICalendar) and window.url is not None:
        window = window.model_copy(update={"url": calendar_url.masked(window.url)})
    return f"{entry.kind} {window!r} {window.__pydantic_private__}"


def _selectors(selectors: list[Selector] | None) -> Hashable:
    if selectors is None:
        return None
    return frozenset(
        tuple(
            values and frozenset(values)
            for values in (each.environments, each.services, each.tags, each.changes)
        )
        for each in selectors
    )


def name_changes(old: PolicySet, new: PolicySet) -> NameChanges:
    """Return the names that only one set has, the services that changed, and changed settings."""
    before, after = old.services or {}, new.services or {}
    changed = (name for name in before.keys() & after.keys() if _entry(before[name]) != _entry(after[name]))
    settings = (
        SettingChange(name, *values)
        for name, *values in (
            ("timezone", old.timezone, new.timezone),
            ("unknown_services", _unknown(old), _unknown(new)),
            ("overrides", _ceilings(old.overrides), _ceilings(new.overrides)),
            *_environments(old, new),
        )
        if values[0] != values[1]
    )
    return NameChanges(_only(new, old), _only(old, new), tuple(sorted(changed)), tuple(settings))


def _environments(old: PolicySet, new: PolicySet) -> Iterator[tuple[str, str, str]]:
    """Yield the settings of the environments that both sets have."""
    for name in filter(old.environments.__contains__, new.environments):
        before, after = old.environment(name), new.environment(name)
        for field in Environment.model_fields:
            yield f"environments.{name}.{field}", str(getattr(before, field)), str(getattr(after, field))


def _only(one: PolicySet, other: PolicySet) -> SetNames:
    """Return the names that one set knows and the other doesn't."""
    services = _missing(one.services or (), other.services or ())
    return SetNames(
        _missing(one.environments, other.environments),
        _missing(one.changes, other.changes),
        tuple(sorted(services)),
    )


def _missing(names: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    there = set(known)
    return tuple(name for name in names if name not in there)


def _entry(service: Service) -> tuple[frozenset[str], str | None]:
    return frozenset(service.tags), service.timezone


def _unknown(policy_set: PolicySet) -> str:
    return "refuse" if policy_set.refuses_unknown else "allow"


def _ceilings(ceilings: Ceilings) -> str:
    limits = ceilings.model_dump(exclude_none=True)
    if ceilings.max_ttl is not None:
        limits["max_ttl"] = format_duration(ceilings.max_ttl)
    return ", ".join(f"{name} {value}".lower() for name, value in limits.items()) or "no limits"
