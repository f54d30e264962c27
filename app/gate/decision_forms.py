"""The row that a decision implies, from the parts that its data is joined from.

Events that share a form differ in their values only. So a form is read once, with marks for values, and tells
which columns are the same for all of them, and in which value each of the others stands.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
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

_VARYING: Final = itemgetter(
    *map(DecisionRow._fields.index, ("at", "actor", "idempotency_key", "fingerprint"))
)
_MOST: Final = 4_096

_encode: Final = json.JSONEncoder().encode


class _Columns(NamedTuple):
    """The columns of the decisions of a form; those of values are their places."""

    id: int
    at: int
    service: int
    actor: int | None
    idempotency_key: int | None
    fingerprint: int | None
    environment: str
    outcome: str
    policy_revision: str
    blocking: str | None
    change: str
    duration: int
    warnings: str | None


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
        if columns is None:
            return False
        at, actor, key, fingerprint = _VARYING(row)
        expected = (
            values[columns.id], at, values[columns.service], columns.environment, columns.outcome,
            link.actor, actor, None, key, fingerprint, columns.policy_revision,
            columns.blocking, columns.change, columns.duration, None, columns.warnings, None, None, link.seq,
        )  # fmt: skip
        return (
            row == expected
            and values[columns.at] == _written(at)
            and _is(actor, columns.actor, values)
            and _is(key, columns.idempotency_key, values)
            and _is(fingerprint, columns.fingerprint, values)
        )


def _is(text: str | None, place: int | None, values: Sequence[str]) -> bool:
    """Return whether a text stands in a value, as JSON writes it; None where there is none."""
    if place is None or text is None:
        return place is None and text is None
    return values[place] == text or values[place] == _encode(text)[1:-1]


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
    actor, key, fingerprint = (
        None if data[name] is None else places[data[name]]
        for name in ("actor", "idempotency_key", "fingerprint")
    )
    columns = _Columns(
        id=places[answer["decision_id"]],
        at=places[answer["at"]],
        service=places[answer["service"]],
        actor=actor,
        idempotency_key=key,
        fingerprint=fingerprint,
        environment=answer["environment"],
        outcome=answer["outcome"],
        policy_revision=answer["policy_revision"],
        blocking=",".join([each["id"] for each in answer["blocking"]]) or None,
        change=answer["change"],
        duration=answer["duration_s"],
        warnings=",".join([each["id"] for each in answer["warnings"]]) or None,
    )
    return None if _MARKED in repr(columns[6:]) else columns


@lru_cache(maxsize=1_024)
def _written(instant: int) -> str:
    return format_instant(instant)
