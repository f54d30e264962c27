"""Unlisted service names, told apart by the globs that match them: one sample for each class of names.

Policies may name services with a star that no catalogue lists. Two such services can differ only if another
set of globs matches them. The globs are followed character by character, all at once, from the shortest name
on: names after which the globs stand at the same places have the same future, so that each such state is
visited once. The first name to arrive in each class is its sample.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from app.core.diff.result import UnlistedNames

MOST_PLACES: Final = 1_000_000
"""Places of globs to look at before giving up, a second or two. Globs that begin with letters need a few for
each character; only those that begin with a star overlap in every combination."""

_LONGEST: Final = 128
_LETTERS: Final = "xyzabcdefghijklmnopqrstuvw0123456789"
"""The characters that a name may begin with; samples prefer the first ones."""
_INSIDE: Final = f"{_LETTERS}-._"
"""The characters that a star stands for."""

State = frozenset[int]
"""Places in globs that the characters so far lead to."""


class UnlistedClasses(NamedTuple):
    """The classes of unlisted names that were found."""

    classes: tuple[UnlistedNames, ...]
    """Each with a sample, shortest first; the one that no glob matches, too, if there is such a name."""
    complete: bool
    """Whether every class was found."""


def unlisted_classes(
    globs: Iterable[str],
    listed: Collection[str],
    needed: Collection[str] | None = None,
    most_places: int = MOST_PLACES,
) -> UnlistedClasses:
    """Return the classes into which globs divide all valid names that are not listed.

    Args:
        globs: the globs; those without a star match no unlisted name.
        listed: names that are no samples.
        needed: globs of which one must match; all classes are wanted if left out.
        most_places: how many places of globs to look at. If that isn't enough, each glob still has a class,
            but not each combination of them.
    """
    wanted = sorted(filter(has_star, set(globs)))
    found: dict[tuple[str, ...], str] = {}
    avoided: set[str] = set()
    while True:
        walk = _Walk(wanted, needed, avoided)
        complete = walk.run(found, most_places)
        if not complete:
            walk.add_each(wanted, found)
        # Names that are listed are told apart like a glob each, so that another name shows up as sample.
        taken = avoided.union(found.values()).intersection(listed)
        if taken == avoided:
            break
        avoided = taken
        found = {key: name for key, name in found.items() if name not in taken}
    classes = sorted(map(UnlistedNames._make, found.items()), key=lambda each: len(each.sample))
    return UnlistedClasses(tuple(classes), complete)


def has_star(name: str) -> bool:
    """Return whether a name in a policy is a glob."""
    return "*" in name


class _Walk:
    """The globs as one machine that reads names; a place is a position in a glob."""

    def __init__(self, globs: Sequence[str], needed: Collection[str] | None, avoided: Iterable[str]) -> None:
        self._tokens: list[str] = []
        """The character that each place waits for: ``*`` for a star, nothing at the end of a glob."""
        self._ends: dict[int, str] = {}
        self._avoided: set[int] = set()
        self._needed: set[int] = set()
        self._start = frozenset(place for glob in globs for place in self._add(glob, needed))
        self._start |= frozenset(place for name in avoided for place in self._add_avoided(name))
        self._needs = needed is not None

    def _add(self, glob: str, needed: Collection[str] | None) -> list[int]:
        first = len(self._tokens)
        self._tokens += [*glob, ""]
        self._ends[len(self._tokens) - 1] = glob
        if needed is not None and glob in needed:
            self._needed.update(range(first, len(self._tokens)))
        return self._from(first)

    def _add_avoided(self, name: str) -> list[int]:
        first = len(self._tokens)
        self._tokens += [*name, ""]
        self._avoided.add(len(self._tokens) - 1)
        return [first]

    def _from(self, place: int) -> list[int]:
        """Return a place, and those behind it if stars that may stand for nothing are in between."""
        places = [place]
        while self._tokens[places[-1]] == "*":
            places.append(places[-1] + 1)
        return places

    def run(self, found: dict[tuple[str, ...], str], most_places: int) -> bool:
        """Add a sample for each class that has none yet; return whether all states were visited."""
        left = most_places
        visited: set[State] = set()
        queue = deque([(self._start, "")])
        while queue:
            state, name = queue.popleft()
            for char, following in self._steps(state, _INSIDE if name else _LETTERS):
                self._lengthen((state, following), (name, char), found)
                if following not in visited:
                    visited.add(following)
                    self._arrive(following, name + char, found, queue)
            left -= 1 + len(state)
            if left < 0:
                return False
        return True

    def add_each(self, globs: Iterable[str], found: dict[tuple[str, ...], str]) -> None:
        """Add a sample for each glob alone, in which its stars stand for next to nothing."""
        for glob in globs:
            name = glob.replace("*", "x")[:_LONGEST]
            state = self._start
            for number, char in enumerate(name):
                state = self._after(state, char)
                if number == 0 and char not in _LETTERS:
                    state = frozenset()
            if (key := self._class(state)) is not None:
                found.setdefault(key, name)

    def _after(self, state: State, char: str) -> State:
        staying, by_char = self._read(state)
        return frozenset(by_char.get(char, set()) | (set() if char == "/" else staying))

    def _arrive(
        self, state: State, name: str, found: dict[tuple[str, ...], str], queue: deque[tuple[State, str]]
    ) -> None:
        """Take the first name that leads to a state as a sample, and go on if longer ones matter."""
        key = self._class(state)
        if key is not None:
            found.setdefault(key, name)
        wanted = not state.isdisjoint(self._needed) if self._needs else bool(state)
        if wanted and len(name) < _LONGEST:
            queue.append((state, name))

    def _steps(self, state: State, allowed: str) -> Iterator[tuple[str, State]]:
        """Yield the states that the next characters lead to, for one of those that lead to the same."""
        staying, by_char = self._read(state)
        any_other = next((char for char in allowed if char not in by_char), None)
        if any_other:
            yield any_other, frozenset(staying)
        if allowed is _INSIDE:
            yield "/", frozenset(by_char.pop("/", ()))
        for char in sorted(by_char.keys() & set(allowed)):
            yield char, frozenset(by_char[char] | staying)

    def _read(self, state: State) -> tuple[set[int], dict[str, set[int]]]:
        """Return the places that stars stay at, and those that each awaited character leads to."""
        staying: set[int] = set()
        by_char: dict[str, set[int]] = {}
        for place in state:
            awaited = self._tokens[place]
            if awaited == "*":
                staying.update(self._from(place))
            elif awaited:
                by_char.setdefault(awaited, set()).update(self._from(place + 1))
        return staying, by_char

    def _lengthen(
        self, states: tuple[State, State], names: tuple[str, str], found: dict[tuple[str, ...], str]
    ) -> None:
        """Prefer ``web-x`` as a sample to ``web-``."""
        name, char = names
        if name and name[-1] not in _LETTERS and char in _LETTERS:
            key = self._class(states[0])
            if key is not None and found.get(key) == name and self._class(states[1]) == key:
                found[key] = name + char

    def _class(self, state: State) -> tuple[str, ...] | None:
        """Return the globs that match names which lead to a state; None if the class is not wanted."""
        if not state.isdisjoint(self._avoided):
            return None
        if self._needs and not any(place in self._needed and place in self._ends for place in state):
            return None
        return tuple(sorted(self._ends[place] for place in state if place in self._ends))
