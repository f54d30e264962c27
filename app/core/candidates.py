"""An index of policies by service name, prefix and tag: finds the policies that may apply to a request."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from app.core.policy import Policy, Selector

_Key = tuple[Literal["service", "prefix", "tag"], str]


class Candidates:
    """The policies of a set, indexed by what a request must have for them to apply."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        """Index the policies by number, which is their position in the file."""
        self._by_name = _Index()
        self._by_other = _Index()
        for number, policy in enumerate(policies):
            index = self._by_name if _looks_at_names(policy) else self._by_other
            for key in _keys(policy):
                index.add(key, number)

    def of(self, service: str, tags: Iterable[str]) -> list[int]:
        """Return the policies that may apply to a service with these tags, in file order; no other does."""
        tags = frozenset(tags)
        return sorted({*self.of_name(service, tags), *self.of_tags(tags)})

    def of_name(self, service: str, tags: Iterable[str]) -> set[int]:
        """Return the candidates that match by service name."""
        return self._by_name.find(service, tags)

    def of_tags(self, tags: Iterable[str]) -> set[int]:
        """Return the candidates that ignore the name: the same for all services with these tags."""
        return self._by_other.find("", tags)


class _Index:
    """Policy numbers by key: a request must have one of the keys, and every request has None."""

    def __init__(self) -> None:
        self._numbers: dict[_Key | None, list[int]] = {}
        self._lengths: set[int] = set()

    def add(self, key: _Key | None, number: int) -> None:
        self._numbers.setdefault(key, []).append(number)
        if key is not None and key[0] == "prefix":
            self._lengths.add(len(key[1]))

    def find(self, service: str, tags: Iterable[str]) -> set[int]:
        keys: tuple[_Key | None, ...] = (
            None,
            ("service", service),
            *(("prefix", service[:length]) for length in self._lengths),
            *(("tag", tag) for tag in tags),
        )
        return {number for key in keys for number in self._numbers.get(key, ())}


def _looks_at_names(policy: Policy) -> bool:
    selectors = (*(policy.applies_to or ()), *(policy.exempt or ()))
    return any(selector.services is not None for selector in selectors)


def _keys(policy: Policy) -> set[_Key | None]:
    """Return the keys of which a request needs one for the policy to apply; None matches every request."""
    selectors = policy.applies_to
    if not selectors:
        return {None}
    return {key for selector in selectors for key in _selector_keys(selector)}


def _selector_keys(selector: Selector) -> Iterator[_Key | None]:
    if selector.services is not None:
        yield from map(_name_key, selector.services)
    elif selector.tags is not None and not any("*" in tag for tag in selector.tags):
        yield from (("tag", tag) for tag in selector.tags)
    else:
        yield None


def _name_key(glob: str) -> _Key | None:
    """Return the literal prefix of a glob, up to its first star."""
    prefix, star, _ = glob.partition("*")
    if not star:
        return "service", glob
    return ("prefix", prefix) if prefix else None
