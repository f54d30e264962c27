"""Unlisted service names, told apart by the globs that match them: one sample for each class of names.

Policies may name services with a star that no catalogue lists. Two such services can differ only if another
set of globs matches them. The globs are followed character by character, all at once, from the shortest name
on: names after which the globs stand at the same places have the same future, so that each such state is
visited once. The first name to arrive in each class is its sample.

Samples must not be listed. For classes whose first name is, the globs are followed once more, beside the
listed names: what one of these begins with is visited by itself. So two walks do, however many are listed.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
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
_FILLINGS: Final = ("x", "y", "z", "xx", "xyz", "other", "x" * 20)
"""Replacements for the stars in guessed names."""

_Key = tuple[str, ...]
"""The globs that match the names of a class."""

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
    checkpoint: Callable[[], None] = lambda: None,
) -> UnlistedClasses:
    """Return the classes into which globs divide all valid names that are not listed.

    Args:
        globs: the globs; those without a star match no unlisted name.
        listed: names that are no samples.
        needed: globs of which one must match; all classes are wanted if left out.
        most_places: how many places of globs to look at, all in all. If that isn't enough, as many again are
            spent on a class for each glob, but not for each combination of them.
        checkpoint: called now and then; may raise an error to give up.
    """
    wanted = sorted(filter(has_star, set(globs)))
    walk, budget = _Walk(wanted, needed), _Budget(most_places, checkpoint)
    found: dict[_Key, str] = {}
    complete = walk.run(found, budget)
    missing = {key for key, name in found.items() if name in listed}
    found = {key: name for key, name in found.items() if key not in missing}
    if missing and complete:
        complete = walk.run(found, budget, _Beside(sorted(listed), missing))
    if not complete:
        walk.guess(wanted, found, listed, _Budget(most_places, checkpoint))
    classes = sorted(map(UnlistedNames._make, found.items()), key=lambda each: len(each.sample))
    return UnlistedClasses(tuple(classes), complete)


def has_star(name: str) -> bool:
    """Return whether a name in a policy is a glob."""
    return "*" in name


class _Budget:
    """The places that may still be looked at."""

    def __init__(self, places: int, checkpoint: Callable[[], None]) -> None:
        self._left = places
        self._checkpoint = checkpoint

    def spend(self, places: int) -> bool:
        """Return whether so many were left."""
        self._checkpoint()
        self._left -= places
        return self._left >= 0


class _Beside:
    """Listed names, which are no samples, and the classes that still need one."""

    def __init__(self, names: Sequence[str], missing: set[_Key]) -> None:
        self._names = names
        self.missing = missing

    def after(self, name: str) -> set[str]:
        """Return the characters that follow a name in the listed ones that begin with it."""
        found: set[str] = set()
        at = bisect_left(self._names, name)
        while at < len(self._names) and self._names[at].startswith(name):
            following = self._names[at][len(name) : len(name) + 1]
            found.add(following)
            at = bisect_left(self._names, f"{name}{following}\x7f", at) if following else at + 1
        return found

    def take(self, key: _Key | None, name: str) -> bool:
        """Return whether a name is the sample that a class needs; it needs no other then."""
        at = bisect_left(self._names, name)
        if key not in self.missing or self._names[at : at + 1] == [name]:
            return False
        self.missing.discard(key)
        return True


class _Visit(NamedTuple):
    """A name, and the places in globs that it leads to."""

    state: State
    name: str
    is_prefix: bool
    """Whether a listed name begins with it, which sets it apart from others with the same state."""


class _Walk:
    """The globs as one machine that reads names; a place is a position in a glob."""

    def __init__(self, globs: Sequence[str], needed: Collection[str] | None) -> None:
        self._tokens: list[str] = []
        """The character that each place waits for: ``*`` for a star, nothing at the end of a glob."""
        self._ends: dict[int, str] = {}
        self._needed: set[int] = set()
        self._start = frozenset(place for glob in globs for place in self._add(glob, needed))
        self._needs = needed is not None

    def _add(self, glob: str, needed: Collection[str] | None) -> list[int]:
        first = len(self._tokens)
        self._tokens += [*glob, ""]
        self._ends[len(self._tokens) - 1] = glob
        if needed is not None and glob in needed:
            self._needed.update(range(first, len(self._tokens)))
        return self._from(first)

    def _from(self, place: int) -> list[int]:
        """Return a place, and those behind it if stars that may stand for nothing are in between."""
        places = [place]
        while self._tokens[places[-1]] == "*":
            places.append(places[-1] + 1)
        return places

    def run(self, found: dict[_Key, str], budget: _Budget, beside: _Beside | None = None) -> bool:
        """Add a sample for each class, or for the missing ones; return whether all states were visited."""
        visited: set[State] = set()
        queue = deque([_Visit(self._start, "", beside is not None)])
        while queue:
            visit = queue.popleft()
            apart = beside.after(visit.name) if beside and visit.is_prefix else set[str]()
            if not budget.spend(1 + len(visit.state) + len(apart)):
                return False
            for char, state in self._steps(visit, apart):
                following = _Visit(state, visit.name + char, char in apart)
                self._lengthen(visit, following, found)
                if following.is_prefix or state not in visited:
                    if not following.is_prefix:
                        visited.add(state)
                    self._arrive(following, found, beside)
                    if self._leads_on(following, beside):
                        queue.append(following)
        return True

    def guess(
        self, globs: Iterable[str], found: dict[_Key, str], listed: Collection[str], budget: _Budget
    ) -> None:
        """Add a sample for each glob alone, in which its stars stand for next to nothing, and for none."""
        for glob in ("*", *globs):
            for filling in _FILLINGS:
                name = glob.replace("*", filling)[:_LONGEST]
                if name in listed or name[0] not in _LETTERS:
                    continue
                if (state := self._after(name, budget)) is None:
                    return
                if (key := self._class(state)) is not None:
                    found.setdefault(key, name)
                break

    def _after(self, name: str, budget: _Budget) -> State | None:
        """Return where the globs stand after a name; None if too few places are left to look at."""
        state = self._start
        for char in name:
            if not budget.spend(1 + len(state)):
                return None
            staying, by_char = self._read(state)
            state = frozenset(by_char.get(char, set()) | (set() if char == "/" else staying))
        return state

    def _arrive(self, visit: _Visit, found: dict[_Key, str], beside: _Beside | None) -> None:
        """Take the first name of a class as its sample."""
        key = self._class(visit.state)
        if key is not None and (beside is None or beside.take(key, visit.name)):
            found.setdefault(key, visit.name)

    def _leads_on(self, visit: _Visit, beside: _Beside | None) -> bool:
        """Return whether longer names matter."""
        if len(visit.name) >= _LONGEST:
            return False
        if self._needs:
            return not visit.state.isdisjoint(self._needed)
        return bool(visit.state) or (visit.is_prefix and beside is not None and () in beside.missing)

    def _steps(self, visit: _Visit, apart: set[str]) -> Iterator[tuple[str, State]]:
        """Yield the states that the next characters lead to, for one of those that lead to the same.

        Those that are to be told `apart` are yielded each.
        """
        allowed = _INSIDE if visit.name else _LETTERS
        staying, by_char = self._read(visit.state)
        single = by_char.keys() | apart
        any_other = next((char for char in allowed if char not in single), None)
        if any_other:
            yield any_other, frozenset(staying)
        if visit.name:
            yield "/", frozenset(by_char.get("/", ()))
        for char in sorted(single & set(allowed)):
            yield char, frozenset(by_char.get(char, set()) | staying)

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

    def _lengthen(self, visit: _Visit, following: _Visit, found: dict[_Key, str]) -> None:
        """Prefer ``web-x`` as a sample to ``web-``."""
        name, char = visit.name, following.name[-1]
        if name and name[-1] not in _LETTERS and char in _LETTERS and not following.is_prefix:
            key = self._class(visit.state)
            if key is not None and found.get(key) == name and self._class(following.state) == key:
                found[key] = following.name

    def _class(self, state: State) -> _Key | None:
        """Return the globs that match names which lead to a state; None if the class is not wanted."""
        if self._needs and not any(place in self._needed and place in self._ends for place in state):
            return None
        return tuple(sorted(self._ends[place] for place in state if place in self._ends))
