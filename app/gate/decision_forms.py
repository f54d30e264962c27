"""The row that a decision implies, from the parts that its data is joined from.

Events that share a form differ in their values only. So a form is read once, with marks for values, and tells
which columns are the same for all of them, and in which value each of the others stands.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.core.audit import Link
from app.core.instant import format_instant
from app.store.records import DecisionRow

if TYPE_CHECKING:
    from app.store.connection import Row
    from app.store.passages import Form

_MARK: Final = 904_175_310_000_000
"""A number that no answer holds: plus its place, it marks a value, in a text or as a number."""

_MARKED: Final = str(_MARK)[:8]

_NAMES_OWN: Final = ("id", "service", "actor", "idempotency_key", "fingerprint")
_NAMES_ALIKE: Final = tuple(name for name in DecisionRow._fields if name not in (*_NAMES_OWN, "at", "caller"))
_OWN: Final = itemgetter(*map(DecisionRow._fields.index, _NAMES_OWN))
_ALIKE: Final = itemgetter(*map(DecisionRow._fields.index, _NAMES_ALIKE))
_AT: Final = DecisionRow._fields.index("at")
_CALLER: Final = DecisionRow._fields.index("caller")
_SEQ: Final = len(DecisionRow._fields)

_MOST: Final = 4_096

_encode: Final = json.JSONEncoder().encode


class _Columns(NamedTuple):
    """The columns of the decisions of a form."""

    alike: tuple[object, ...]
    """Those that are the same for all of them."""
    policy_revision: str
    at: int
    """The place of the value that tells the instant."""
    places: tuple[int | None, ...]
    """The places of the values of the others; None of one that is null."""
    own: Callable[[Sequence[str | None]], tuple[str | None, ...]]
    """Returns the others, of values with None behind them."""

    def are_texts_of(self, row: "Row", values: Sequence[str]) -> bool:
        """Return whether the others stand in the values as JSON writes them."""
        return all(
            place is None
            if text is None
            else place is not None and values[place] in (text, _encode(text)[1:-1])
            for text, place in zip(_OWN(row), self.places, strict=True)
        )


class DecisionForms:
    """The forms of a record, as they are read."""

    def __init__(self) -> None:
        """Know none."""
        self._columns: dict[str, _Columns | None] = {}

    def add(self, forms: "Mapping[str, Form]") -> None:
        """Read forms, by name, that events may have; known ones are not read again."""
        if len(self._columns) > _MOST:
            self._columns.clear()
        self._columns |= {
            name: _read(name, form) for name, form in forms.items() if name not in self._columns
        }

    def revisions(self, names: Iterable[str]) -> set[str]:
        """Return the policies that the decisions of forms were made by, as far as the forms tell."""
        found = (self._columns.get(name) for name in names)
        return {columns.policy_revision for columns in found if columns is not None}

    def is_row(self, link: Link, values: Sequence[str], row: "Row") -> bool:
        """Return whether an event has exactly this row, if that follows from its form.

        False decides nothing: decisions by a token, of several services, of a running deploy, or of a named
        one, have to be parsed.

        Args:
            link: the event.
            values: the name of its form, and its values.
            row: the columns of the row, those of `DecisionRow`, and its position.
        """
        columns = self._columns[values[0]]
        return (
            columns is not None
            and _ALIKE(row) == columns.alike
            and row[_CALLER] == link.actor
            and row[_SEQ] == link.seq
            and values[columns.at] == _written(row[_AT])
            and (_OWN(row) == columns.own([*values, None]) or columns.are_texts_of(row, values))
        )


def _read(name: str, form: "Form") -> _Columns | None:
    """Return the columns of a form; None if they don't follow from it."""
    marks = [name, *(str(_MARK + place) for place in range(1, form.values))]
    try:
        return _columns(json.loads(form.fill(marks)), {mark: place for place, mark in enumerate(marks)})
    except (KeyError, TypeError, ValueError):
        return None


def _columns(data: dict[str, Any], places: dict[str, int]) -> _Columns | None:
    """Return the columns of marked data.

    Raises:
        KeyError: a value that must be one is none.
        TypeError: it is not the data of a decision.
    """
    answer = data["answer"]
    if "deploy_id" in data or "services" in answer or answer["continues"] or answer["outcome"] == "override":
        return None
    named = (data[name] for name in ("actor", "idempotency_key", "fingerprint"))
    own = (answer["decision_id"], answer["service"], *named)
    own_places = tuple(None if text is None else places[text] for text in own)
    revision = answer["policy_revision"]
    alike = {
        **dict.fromkeys(("override_id", "continues", "deploy", "repeats")),
        "environment": answer["environment"],
        "outcome": answer["outcome"],
        "policy_revision": revision,
        "blocking": ",".join([each["id"] for each in answer["blocking"]]) or None,
        "change": answer["change"],
        "duration": answer["duration_s"],
        "warnings": ",".join([each["id"] for each in answer["warnings"]]) or None,
    }
    columns = tuple(alike[name] for name in _NAMES_ALIKE)
    if _MARKED in repr(columns):
        return None
    pick = itemgetter(*(-1 if place is None else place for place in own_places))
    return _Columns(columns, revision, places[answer["at"]], own_places, pick)


@lru_cache(maxsize=1_024)
def _written(instant: int) -> str:
    return format_instant(instant)
