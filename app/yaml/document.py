"""A YAML document: plain values, with the line and column of each.

Positions are kept flat: every key and value is a node with a number, in the order of the text; an
array holds each one's line and column, another where each container's nodes end. They are looked
up only when there is something to show.
"""

from array import array
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from app.yaml.problem import Path, Problem, Severity, format_path
from app.yaml.syntax import Position

_COLUMN_BITS: Final = 25
_COLUMN: Final = (1 << _COLUMN_BITS) - 1


class Place(NamedTuple):
    """The position of a value, and of its key where it has one."""

    key: Position | None
    value: Position

    @property
    def best(self) -> Position:
        """The position to report: the value's if it begins on its key's line, else the key's."""
        return self.value if self.key is None or self.key.line == self.value.line else self.key


class Nodes:
    """The nodes of a text by number; filled while it is read."""

    def __init__(self) -> None:
        self._marks = array("Q")
        self._ends = array("L")  # one past the last node within; 0 for an empty node
        self._aliases: dict[int, int] = {}
        self._dropped: set[int] = set()

    def __len__(self) -> int:
        return len(self._marks)

    def add(self, line: int, column: int) -> int:
        """Number the next node; line and column count from 0."""
        self._marks.append(line << _COLUMN_BITS | column)
        self._ends.append(0)
        return len(self._marks) - 1

    def close(self, node: int) -> None:
        """End a container at the last numbered node."""
        self._ends[node] = len(self._marks)

    def alias(self, node: int, target: int) -> None:
        """Record that a node is an alias of another."""
        self._aliases[node] = target

    def drop(self, key: int) -> None:
        """Leave out a duplicate key and its value."""
        self._dropped.add(key)

    def position(self, node: int) -> Position:
        """Return the position at which a node begins."""
        mark = self._marks[node]
        return Position((mark >> _COLUMN_BITS) + 1, (mark & _COLUMN) + 1)

    def children(self, node: int) -> Iterator[int]:
        """Yield the child nodes of a container; of a mapping, keys and values in turn."""
        node = self.meant(node)
        child, end = node + 1, self._ends[node]
        while child < end:
            if child in self._dropped:
                child = self._after(self._after(child))
            else:
                yield child
                child = self._after(child)

    def meant(self, node: int) -> int:
        """Return the node, or the one that it is an alias of."""
        return self._aliases.get(node, node)

    def _after(self, node: int) -> int:
        return self._ends[node] or node + 1


class Document:
    """The values of a YAML text, their positions and its YAML errors.

    `data` holds everything before the first fatal error; None if that is nothing.
    """

    def __init__(self, name: str, data: Any, nodes: Nodes) -> None:
        self.name = name
        self.data = data
        self.whole = True
        """Whether the text was read to its end."""
        self.holds_null = False
        """Whether any value may be null."""
        self.spoilt: set[Path] = set()
        """The paths of values that `problems` already report."""
        self.problems: list[Problem] = []
        self.more_problems = 0
        """The number of further problems, not kept."""
        self._nodes = nodes
        self._entries: dict[int, dict[str | int, tuple[int | None, int]]] = {}

    def place(self, path: Path) -> Place:
        """Return the position of the value at `path`, or of its nearest parent."""
        if not len(self._nodes):
            return Place(None, Position(1, 1))
        node, key, value = 0, None, self.data
        for part in path:
            found = self._entries_of(node, value).get(part)
            if found is None:
                break
            key, node = found
            value = value[part]
        return Place(None if key is None else self._nodes.position(key), self._nodes.position(node))

    def problem(self, path: Path, message: str, severity: Severity = Severity.ERROR) -> Problem:
        """Return a problem at the value at `path`."""
        return self.problem_at(self.place(path).best, path, message, severity)

    def problem_of_key(self, path: Path, message: str) -> Problem:
        """Return a problem at the key that `path` ends with."""
        place = self.place(path)
        return self.problem_at(place.key or place.value, path, message)

    def problem_at(
        self, position: Position, path: Path, message: str, severity: Severity = Severity.ERROR
    ) -> Problem:
        """Return a problem at a position."""
        return Problem(self.name, position.line, position.column, format_path(path), message, severity)

    def nulls(self) -> Iterator[Path]:
        """Yield the path of each null value: a key with nothing behind it."""
        stack: list[tuple[Path, Any]] = [((), self.data)] if self.holds_null else []
        while stack:
            path, value = stack.pop()
            if isinstance(value, dict):
                stack.extend(((*path, key), inner) for key, inner in value.items())
            elif isinstance(value, list):
                stack.extend(((*path, index), inner) for index, inner in enumerate(value))
            elif value is None:
                yield path

    def _entries_of(self, node: int, value: Any) -> dict[str | int, tuple[int | None, int]]:
        """Return the nodes of key and value for each entry of a container."""
        node = self._nodes.meant(node)
        known = self._entries.get(node)
        if known is None:
            children = self._nodes.children(node)
            known = {}
            if isinstance(value, dict):
                known.update({key: (next(children), next(children)) for key in value})
            elif isinstance(value, list):
                known.update({index: (None, next(children)) for index in range(len(value))})
            self._entries[node] = known
        return known
