"""Events that share passages: how their data is stored, and how it is read again.

The data of a decision is stored as the name of its form and the values that are its own. A form is a list of
passages; forms and passages are rows of one table, each under the beginning of its SHA-256, and written once.
The hash of an event is that of its whole data, so the chain covers every passage that it is joined from.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple, Protocol, Self, TypeVar

from sqlalchemy import bindparam, delete, or_, select, update

from app.core.passages import HOLE, Cut, Mould, cut, filler, mould_of, name_of, pieces_of
from app.store.connection import Connection
from app.store.tables import passages

START: Final = "\x1e"
"""Begins data that is joined from a form, and a form; JSON can't begin with it."""

REACH: Final = 100_000
"""Positions in the audit log: no event that far after the `used` of a passage is joined from it."""

_A_ROW: Final = 40
"""Bytes that a row takes beside its text."""

_TOGETHER: Final = 64
_MOST_REMEMBERED: Final = 4_096

_MOST_MOULDS: Final = 8
"""Each text is tried in all, until one fits."""

_WORTH_A_MOULD: Final = 200
"""Texts of a form, after which its mould has paid: making it takes as long as cutting a hundred of them."""

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
    is_sound: bool = True
    """Whether no two of its texts have the same name."""

    def is_worth(self, stored: Mapping[str, str]) -> bool:
        """Return whether it pays at once, as so much of it is stored that the rest is short."""
        new = sum(len(text) + _A_ROW for name, text in self.rows.items() if name not in stored)
        return 2 * new < sum(map(len, self.rows.values()))

    def may_stand_beside(self, stored: Mapping[str, str]) -> bool:
        """Return whether no other text has a name of its rows: names are short enough to be made equal."""
        return all(self.rows.get(name, text) == text for name, text in stored.items())


class Form(NamedTuple):
    """A form, ready to be filled."""

    fill: Callable[[Sequence[str]], str]
    """Returns the text that has these values, behind the name of the form."""
    values: int
    """The number of values, the name included."""


Used = dict[str, tuple[_Form, int]]
"""Forms by name, each with the position at which it was noted as used."""

# Both hold what follows from content, so they are right for every database.
_forms: Final[dict[tuple[tuple[str, ...], tuple[int, ...]], _Form]] = {}
_read_forms: Final[dict[str, Form]] = {}


class _Moulds:
    """The moulds of the forms that most texts have; one that was used lately is tried first."""

    def __init__(self) -> None:
        self._moulds: list[tuple[Mould, _Form]] = []
        self._counts: Counter[str] = Counter()

    def find(self, text: str) -> tuple[_Form, Sequence[str]] | None:
        """Return the form and the values of a text; None if no mould fits."""
        for place, (mould, form) in enumerate(self._moulds):
            values = mould(text)
            if values is not None:
                if place:
                    self._moulds.insert(0, self._moulds.pop(place))
                return form, values
        return None

    def count(self, form: _Form, parts: Cut) -> None:
        """Count a text of which no mould fits; make one for a form that comes often."""
        self._counts[form.name] += 1
        if self._counts[form.name] < _WORTH_A_MOULD:
            if len(self._counts) > _MOST_REMEMBERED:
                self._counts.clear()
            return
        del self._counts[form.name]
        self._moulds = [(mould_of(parts.passages, parts.order), form), *self._moulds[: _MOST_MOULDS - 1]]


class SharedPassages:
    """The forms that are known to be stored, as of committed transactions, and those seen once."""

    def __init__(self) -> None:
        """Know of none."""
        self._used: dict[str, tuple[_Form, int]] = {}
        self._seen: set[str] = set()
        self._moulds = _Moulds()

    def cut(self, data: str) -> tuple[_Form, Sequence[str]]:
        """Return the form of data, and the values that fill it."""
        found = self._moulds.find(data)
        if found is not None:
            return found
        parts = cut(data)
        form = _form_of(parts.passages, parts.order)
        self._moulds.count(form, parts)
        return form, parts.values

    def knows(self, form: _Form, seq: int) -> bool:
        """Return whether a form is stored, and noted as used, for an event at a position.

        One of the same name is not enough: its texts may be others.
        """
        found = self._used.get(form.name)
        return found is not None and seq - found[1] < REACH and found[0] == form

    def was_seen(self, name: str) -> bool:
        """Return whether a form was seen before: one that is seen once may not be worth its rows."""
        if name in self._seen:
            return True
        if len(self._seen) >= _MOST_REMEMBERED:
            self._seen.clear()
        self._seen.add(name)
        return False

    def note(self, used: "Used") -> None:
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
        self.used: Used = {}
        """The forms that it stored, by name, each with its position."""

    def shortened(self, seq: int, data: str) -> str:
        """Return what to store as the data of the event at a position."""
        if HOLE in data or data.startswith(START):
            return data
        form, values = self._shared.cut(data)
        if not self._is_kept(form, seq):
            return data
        return HOLE.join((START + form.name, *values))

    def _is_kept(self, form: _Form, seq: int) -> bool:
        own = self.used.get(form.name)
        if self._shared.knows(form, seq) or (own is not None and own[0] == form):
            return True
        stored = _texts(self._connection, form.rows)
        is_known = form.name in stored or self._shared.was_seen(form.name)
        if not (is_known or form.is_worth(stored)) or not _keep(self._connection, form, stored, seq):
            return False
        self.used[form.name] = form, seq
        return True


def _form_of(cut_into: tuple[str, ...], order: tuple[int, ...]) -> _Form:
    form = _forms.get((cut_into, order))
    if form is None:
        names = [name_of(each) for each in cut_into]
        text = START + HOLE.join((",".join(map(str, order)), *names))
        name = name_of(text)
        texts = [text, *cut_into]
        rows = dict(zip([name, *names], texts, strict=True))
        form = _Form(name, rows, is_sound=len(rows) == len(set(texts)))
        if len(_forms) >= _MOST_REMEMBERED:
            _forms.clear()
        _forms[cut_into, order] = form
    return form


def _keep(connection: Connection, form: _Form, stored: Mapping[str, str], seq: int) -> bool:
    """Store the missing rows of a form, and note all as used; return False if another text has a name."""
    if not form.is_sound or not form.may_stand_beside(stored):
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
    forms = forms_of(connection, data)
    return [joined(each, forms)[0] for each in data]


def forms_of(connection: Connection, stored: Iterable[str]) -> dict[str, Form]:
    """Return the forms that the data of events is joined from, by the names that begin it."""
    # The names keep their START: it is looked for in a million of them.
    return _remembered(connection, {each.split(HOLE, 1)[0] for each in stored if each.startswith(START)})


def joined(stored: str, forms: Mapping[str, Form]) -> tuple[str, list[str]]:
    """Return the data of an event as it was recorded, and the name of its form and the values.

    Those are empty if it is stored whole.
    """
    if stored[:1] == START:
        values = stored.split(HOLE)
        form = forms.get(values[0])
        if form is not None and len(values) == form.values:
            return form.fill(values), values
    return stored, []


def _remembered(connection: Connection, names: AbstractSet[str]) -> dict[str, Form]:
    """Return the forms of names, read where they are not remembered."""
    forms = {name: form for name in names if (form := _read_forms.get(name)) is not None}
    if len(forms) < len(names):
        forms |= _read(connection, names - forms.keys())
    return forms


def with_whole_data(connection: Connection, found: Iterable[Record]) -> list[Record]:
    """Return records with their data as it was recorded."""
    records = list(found)
    data = whole(connection, [each.data for each in records])
    return [each._replace(data=text) for each, text in zip(records, data, strict=True)]


def _complete(connection: Connection, forms: Mapping[str, Sequence[str]]) -> dict[str, Form]:
    """Put the texts of passages into forms; leave out a form of which one is missing."""
    texts = _sound(connection, {passage for _, *form in forms.values() for passage in form})
    return {
        name: _form([texts[passage] for passage in form], order)
        for name, (order, *form) in forms.items()
        if all(passage in texts for passage in form)
    }


def _read(connection: Connection, names: Iterable[str]) -> dict[str, Form]:
    """Read and remember forms; not those of which a row is missing, or isn't of its name."""
    found = _sound(connection, {name.removeprefix(START) for name in names})
    forms = {START + name: text[1:].split(HOLE) for name, text in found.items() if text.startswith(START)}
    read = _complete(connection, forms)
    if len(_read_forms) + len(read) > _MOST_REMEMBERED:
        _read_forms.clear()
    _read_forms.update(read)
    return read


def _form(texts: Sequence[str], order: str) -> Form:
    # The name stands before the values.
    places = [int(place) + 1 for place in order.split(",") if place]
    return Form(filler(pieces_of(texts), places), max(places, default=0) + 1)


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
    _read_forms.clear()


def drop_unused(connection: Connection, checkpoint: int) -> int:
    """Delete the passages that no event after a position is joined from; return their number."""
    return connection.change(_UNUSED, before=checkpoint - REACH)
