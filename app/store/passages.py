"""Events that share passages: how their data is stored, and how it is read again.

The data of a decision is stored as the name of its form and the values that are its own. A form is a list of
passages; forms and passages are rows of one table, each under the beginning of its SHA-256, and written once.
The hash of an event is that of its whole data, so the chain covers every passage that it is joined from.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, Self, TypeVar

from sqlalchemy import bindparam, delete, or_, select, update

from app.core.passages import HOLE, cut, filled, name_of, pieces_of
from app.store.connection import Connection
from app.store.tables import passages

START: Final = "\x1e"
"""Begins data that is joined from a form, and a form; JSON can't begin with it."""

_NAME_ENDS: Final = 13
"""Where the name ends in data that is joined: after the start and twelve letters."""

REACH: Final = 100_000
"""Positions in the audit log: no event that far after the `used` of a passage is joined from it."""

_A_ROW: Final = 40
"""Bytes that a row takes beside its text."""

_TOGETHER: Final = 64
_MOST_REMEMBERED: Final = 4_096

_OF_NAMES: Final = select(passages.c.name, passages.c.text)
_USED: Final = (
    update(passages)
    .where(passages.c.name == bindparam("named"), passages.c.used < bindparam("now"))
    .values(used=bindparam("now"))
)
_UNUSED: Final = delete(passages).where(passages.c.used < bindparam("before"))


class _WithData(Protocol):
    """A record with the data of an event."""

    @property
    def data(self) -> str: ...

    def _replace(self, *, data: str) -> "Self": ...


Record = TypeVar("Record", bound=_WithData)


class _Form(NamedTuple):
    """The rows that a text is joined from."""

    name: str
    rows: dict[str, str]
    """The texts of the form and its passages, by name."""

    def is_worth(self, stored: Mapping[str, str]) -> bool:
        """Return whether it pays at once, as so much of it is stored that the rest is short."""
        new = sum(len(text) + _A_ROW for name, text in self.rows.items() if name not in stored)
        return 2 * new < sum(map(len, self.rows.values()))


class _Pieces(NamedTuple):
    """A form, ready to be filled."""

    pieces: tuple[str, ...]
    order: tuple[int, ...]


# Both hold what follows from content, so they are right for every database.
_forms: Final[dict[tuple[tuple[str, ...], tuple[int, ...]], _Form]] = {}
_pieces: Final[dict[str, _Pieces]] = {}


class SharedPassages:
    """The forms that are known to be stored, as of committed transactions, and those seen once."""

    def __init__(self) -> None:
        """Know of none."""
        self._used: dict[str, int] = {}
        self._seen: set[str] = set()

    def knows(self, name: str, seq: int) -> bool:
        """Return whether a form is stored, and noted as used, for an event at a position."""
        return seq - self._used.get(name, seq - REACH) < REACH

    def was_seen(self, name: str) -> bool:
        """Return whether a form was seen before: one that is seen once may not be worth its rows."""
        if name in self._seen:
            return True
        if len(self._seen) >= _MOST_REMEMBERED:
            self._seen.clear()
        self._seen.add(name)
        return False

    def note(self, used: Mapping[str, int]) -> None:
        """Note the positions of the forms that a committed transaction stored."""
        if len(self._used) > _MOST_REMEMBERED:
            self._used.clear()
        self._used.update(used)

    def clear(self) -> None:
        """Forget what is stored, as what was committed may be lost."""
        self._used.clear()


class Shortener:
    """Shortens the data of the events of one transaction."""

    def __init__(self, connection: Connection, shared: SharedPassages) -> None:
        """Write missing passages through `connection`; those in `shared` are stored."""
        self._connection = connection
        self._shared = shared
        self.used: dict[str, int] = {}
        """The positions of the forms that it stored."""

    def shortened(self, seq: int, data: str) -> str:
        """Return what to store as the data of the event at a position."""
        if HOLE in data or data.startswith(START):
            return data
        parts = cut(data)
        form = _form_of(parts.passages, parts.order)
        if not self._is_kept(form, seq):
            return data
        return HOLE.join((START + form.name, *parts.values))

    def _is_kept(self, form: _Form, seq: int) -> bool:
        if form.name in self.used or self._shared.knows(form.name, seq):
            return True
        stored = _texts(self._connection, form.rows)
        is_known = form.name in stored or self._shared.was_seen(form.name)
        if not (is_known or form.is_worth(stored)) or not _keep(self._connection, form, stored, seq):
            return False
        self.used[form.name] = seq
        return True


def _form_of(cut_into: tuple[str, ...], order: tuple[int, ...]) -> _Form:
    form = _forms.get((cut_into, order))
    if form is None:
        rows = {name_of(each): each for each in cut_into}
        text = START + HOLE.join((",".join(map(str, order)), *map(name_of, cut_into)))
        name = name_of(text)
        form = _Form(name, {name: text, **rows})
        if len(_forms) >= _MOST_REMEMBERED:
            _forms.clear()
        _forms[cut_into, order] = form
    return form


def _keep(connection: Connection, form: _Form, stored: Mapping[str, str], seq: int) -> bool:
    """Store the missing rows of a form, and note all as used; return False if another text has a name."""
    if any(form.rows[name] != text for name, text in stored.items()):
        return False
    for name in stored:
        connection.change(_USED, named=name, now=seq)
    missing = [(name, text, seq) for name, text in form.rows.items() if name not in stored]
    connection.insert(passages, ("name", "text", "used"), missing)
    return True


def whole(connection: Connection, data: Sequence[str]) -> list[str]:
    """Return the data of events as it was recorded, from what is stored.

    Data whose form can't be read is returned as it is stored; the hash of its event tells.
    """
    wanted = {each[1:_NAME_ENDS] for each in data if each.startswith(START)}
    known = {name: pieces for name in wanted if (pieces := _pieces.get(name)) is not None}
    if len(known) < len(wanted):
        known |= _read(connection, wanted - known.keys())
    return [_joined(each, known) if each.startswith(START) else each for each in data]


def with_whole_data(connection: Connection, found: Iterable[Record]) -> list[Record]:
    """Return records with their data as it was recorded."""
    records = list(found)
    data = whole(connection, [each.data for each in records])
    return [each._replace(data=text) for each, text in zip(records, data, strict=True)]


def _joined(stored: str, known: Mapping[str, _Pieces]) -> str:
    form, *values = stored.split(HOLE)
    read = known.get(form[1:])
    if read is None or len(values) <= max(read.order, default=-1):
        return stored
    return filled(read.pieces, read.order, values)


def _read(connection: Connection, names: Iterable[str]) -> dict[str, _Pieces]:
    """Read and remember the pieces of forms; not of those of which a row is missing, or isn't of its name."""
    forms = {
        name: text[1:].split(HOLE)
        for name, text in _sound(connection, names).items()
        if text.startswith(START)
    }
    texts = _sound(connection, {passage for _, *form in forms.values() for passage in form})
    read = {
        name: _Pieces(
            pieces_of([texts[passage] for passage in form]),
            tuple(int(place) for place in order.split(",") if place),
        )
        for name, (order, *form) in forms.items()
        if all(passage in texts for passage in form)
    }
    if len(_pieces) + len(read) > _MOST_REMEMBERED:
        _pieces.clear()
    _pieces.update(read)
    return read


def _sound(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    return {name: text for name, text in _texts(connection, names).items() if name_of(text) == name}


def _texts(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    wanted = sorted(names)
    found: dict[str, str] = {}
    for first in range(0, len(wanted), _TOGETHER):
        together = wanted[first : first + _TOGETHER]
        query = _OF_NAMES.where(or_(*(passages.c.name == name for name in together)))
        found.update((name, text) for name, text in connection.rows(query))
    return found


def forget() -> None:
    """Forget the passages in memory, so that they are read again."""
    _pieces.clear()


def drop_unused(connection: Connection, checkpoint: int) -> int:
    """Delete the passages that no event after a position is joined from; return their number."""
    return connection.change(_UNUSED, before=checkpoint - REACH)
