"""Turn the text of a YAML file into a `Document`.

Uses only the events of libyaml's parser (of PyYAML's own where libyaml is missing); the meaning of a
plain scalar is decided in `scalar`. Containers are read without recursion and the expansion of aliases is
bounded, so no text can exhaust stack or memory.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

import yaml

from app.core.errors import MalformedValueError
from app.yaml.document import Document, Nodes
from app.yaml.problem import MOST_SHOWN, Path, quoted
from app.yaml.scalar import plain_scalar
from app.yaml.syntax import Position, SyntaxFault, check_characters, fault

DEEPEST: Final = 64
"""Levels to which lists and mappings may be nested."""

MOST_ENTRIES: Final = 20_000
"""Entries of one list or mapping."""

MOST_EXPANDED: Final = 10_000
"""Values that the aliases of a text may stand for; as many as are written, if that is more."""

_NO_KEY: Final = "?"
"""Shown in the path of an error in place of an invalid key."""


class Events(Protocol):
    """A YAML parser: one event at a time, None after the last."""

    def get_event(self) -> Any:
        """Return the next event."""


def libyaml_events(text: str) -> Events:
    """Return the parser in C if this PyYAML has it, else the one in Python."""
    try:
        from yaml._yaml import CParser
    except ImportError:
        return python_events(text)
    return CParser(text)


def python_events(text: str) -> Events:
    """Return PyYAML's own parser: the same events, several times slower."""
    return yaml.BaseLoader(text)


def read_document(name: str, text: str, events: Callable[[str], Events] = libyaml_events) -> Document:
    """Read the text of a file; its YAML errors are in the document's `problems`.

    Args:
        name: of the file, for the problems.
        text: its content.
        events: the parser to use.
    """
    composer = _Composer()
    ended_by: SyntaxFault | None = None
    try:
        text = text.removeprefix("\ufeff")
        check_characters(text)
        composer.read(events(text))
    except SyntaxFault as found:
        ended_by = found
    except yaml.YAMLError as error:
        ended_by = fault(error, text)
    return composer.document(name, ended_by)


class _Open(NamedTuple):
    """A container that is still being read."""

    container: Any
    node: int
    anchor: str | None
    size_before: int
    outer: Any
    name: str | int
    """Its key or position in the outer container."""
    is_key: bool


class _Anchored(NamedTuple):
    """The value that an anchor names; its size is None while it is still being read."""

    value: Any
    node: int
    size: int | None


class _Complaint(NamedTuple):
    position: Position
    path: Path
    sentence: str
    twice: bool = False
    """A duplicate key; the sentence names the line of the first."""


class _Composer:
    """Turn the events of one text into values."""

    def __init__(self) -> None:
        self._root: list[Any] = []
        self._nodes = Nodes()
        self._complaints: list[_Complaint] = []
        self._more = 0
        self._container: Any = self._root
        self._key: str | None = None
        self._dropping = False
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._texts: dict[str, str] = {}
        self._documents = 0
        self._size = 0
        self._expanded = 0
        self._overrun: Position | None = None
        self._holds_null = False
        self._spoilt: set[Path] = set()

    def read(self, events: Events) -> None:
        """Take every event of a text.

        Raises:
            SyntaxFault: the rest of the text can't be read.
            yaml.YAMLError: the parser's own complaint.
        """
        handlers: dict[type, Callable[[Any], None]] = {
            yaml.StreamStartEvent: _pass_over,
            yaml.StreamEndEvent: _pass_over,
            yaml.DocumentStartEvent: self._begin_document,
            yaml.DocumentEndEvent: _pass_over,
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.MappingStartEvent: self._begin_mapping,
            yaml.SequenceStartEvent: self._begin_sequence,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
        }
        for event in iter(events.get_event, None):
            handlers[event.__class__](event)
        if self._root in ([], [None]):
            raise SyntaxFault(Position(1, 1), "the file is empty")
        if self._overrun and self._expanded > len(self._nodes):
            raise SyntaxFault(
                self._overrun, f"the aliases of this file stand for more than {MOST_EXPANDED:,} values"
            )

    def document(self, name: str, ended_by: SyntaxFault | None) -> Document:
        """Return the document as far as it was read."""
        for unfinished in self._open:
            self._nodes.close(unfinished.node)
        document = Document(name, self._root[0] if self._root else None, self._nodes)
        document.holds_null = self._holds_null
        document.spoilt = self._spoilt
        document.more_problems = self._more
        for position, path, sentence, twice in self._complaints:
            if twice and (first := document.place(path).key):
                sentence += f", first in line {first.line}"  # noqa: PLW2901 - the sentence goes on
            document.problems.append(document.problem_at(position, path, sentence))
        if ended_by:
            document.whole = False
            document.problems.append(document.problem_at(ended_by.position, (), ended_by.sentence))
        return document

    def _begin_document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise SyntaxFault(_position(event), "a second document begins here; a file holds one")
        if event.version is not None and tuple(event.version) < (1, 2):
            raise SyntaxFault(_position(event), "files are read as YAML 1.2; leave the %YAML line out")

    def _scalar(self, event: Any) -> None:
        mark = event.start_mark
        node = self._nodes.add(mark.line, mark.column)
        self._size += 1
        if event.tag is not None:
            self._refuse_tag(event)
        # Of equal texts one is kept: keys and names are there thousands of times.
        value = self._texts.setdefault(event.value, event.value)
        if self._key is None and self._container.__class__ is dict:
            self._begin_entry(event, value, node)
        else:
            if event.implicit[0]:
                value = self._plain(event, value)
            self._put(value)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, node, 1)

    def _plain(self, event: Any, text: str) -> Any:
        value = None
        try:
            value = plain_scalar(text)
        except MalformedValueError as error:
            self._spoil(event, str(error))
        if value is None:
            self._holds_null = True
        return value

    def _begin_entry(self, event: Any, key: str, node: int) -> None:
        """Take a scalar as a key. Keys are always texts, exactly as written."""
        self._key = key
        if event.implicit[0] and key == "<<":
            self._drop_entry(event, node, "merge keys (<<) are not read; write the keys out")
        elif event.implicit[0] and not key:
            self._drop_entry(event, node, 'a key is missing before ":"')
        elif key in self._container:
            self._drop_entry(event, node, f"the key {quoted(key)} is here twice", twice=True)

    def _alias(self, event: Any) -> None:
        mark = event.start_mark
        node = self._nodes.add(mark.line, mark.column)
        if self._key is None and self._container.__class__ is dict:
            self._key = _NO_KEY
            self._drop_entry(event, node, "an alias can't be a key; write the key out")
            return
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            self._spoil(event, f"no anchor &{event.anchor[:60]} comes before this alias")
        elif anchored.size is None:
            self._spoil(event, "this alias stands inside what it names, so it would never end")
        if anchored is None or anchored.size is None:
            self._size += 1
            self._put(None)
            return
        self._nodes.alias(node, anchored.node)
        self._size += anchored.size
        self._expanded += anchored.size
        if self._overrun is None and self._expanded > MOST_EXPANDED:
            self._overrun = _position(event)
        self._put(anchored.value)

    def _begin_mapping(self, event: Any) -> None:
        self._begin(event, {})

    def _begin_sequence(self, event: Any) -> None:
        self._begin(event, [])

    def _begin(self, event: Any, container: Any) -> None:
        mark = event.start_mark
        node = self._nodes.add(mark.line, mark.column)
        if len(self._open) >= DEEPEST:
            raise SyntaxFault(_position(event), f"nested deeper than {DEEPEST} levels")
        if event.tag is not None:
            self._refuse_tag(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(container, node, None)
        outer = self._container
        is_key = self._key is None and outer.__class__ is dict
        name = _NO_KEY if is_key else len(outer) if self._key is None else self._key
        if is_key:
            self._key = _NO_KEY
            kind = "mapping" if container.__class__ is dict else "list"
            self._drop_entry(
                event, node, f"a key must be a word, not a {kind}; is it a template not filled in?"
            )
        else:
            self._put(container)
        self._open.append(_Open(container, node, event.anchor, self._size, outer, name, is_key))
        self._size += 1
        self._container, self._key, self._dropping = container, None, False

    def _end(self, _: Any) -> None:
        done = self._open.pop()
        self._nodes.close(done.node)
        self._container = done.outer
        # The key was invalid, so its value is dropped as well.
        self._key, self._dropping = (_NO_KEY, True) if done.is_key else (None, False)
        if done.anchor is not None:
            self._anchors[done.anchor] = _Anchored(done.container, done.node, self._size - done.size_before)

    def _put(self, value: Any) -> None:
        container = self._container
        if len(container) >= MOST_ENTRIES:
            kind = "list" if container.__class__ is list else "mapping"
            here = self._nodes.position(len(self._nodes) - 1)
            raise SyntaxFault(here, f"a {kind} may have {MOST_ENTRIES:,} entries; this one has more")
        if container.__class__ is list:
            container.append(value)
            return
        if self._dropping:
            self._dropping = False
        else:
            container[self._key] = value
        self._key = None

    def _refuse_tag(self, event: Any) -> None:
        self._spoil(event, "tags such as !name have no meaning here; leave it out")

    def _drop_entry(self, event: Any, node: int, sentence: str, *, twice: bool = False) -> None:
        """Leave out the entry that begins with this key."""
        self._nodes.drop(node)
        self._dropping = True
        self._complain(event, sentence, twice=twice)

    def _spoil(self, event: Any, sentence: str) -> None:
        """Report a value, and suppress later problems at its path."""
        self._spoilt.add(self._complain(event, sentence))

    def _complain(self, event: Any, sentence: str, *, twice: bool = False) -> Path:
        path: list[str | int] = [each.name for each in self._open[1:]]
        if self._key is not None:
            path.append(self._key)
        elif self._open and self._container.__class__ is list:
            path.append(len(self._container))
        if len(self._complaints) < MOST_SHOWN:
            self._complaints.append(_Complaint(_position(event), tuple(path), sentence, twice))
        else:
            self._more += 1
        return tuple(path)


def _position(event: Any) -> Position:
    return Position(event.start_mark.line + 1, event.start_mark.column + 1)


def _pass_over(_: Any) -> None:
    """Ignore an event that carries no value."""
