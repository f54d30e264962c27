"""The table of holds as the events have it, for `app.gate.reconciliation`."""

from collections.abc import Iterable
from typing import Any, Final

from app.core.hold import UNFINISHED, Hold
from app.core.instant import parse_instant
from app.gate.audit_events import Kind
from app.gate.holds import KEPT_FOR, proof, to_json

_UNRECORDED: Final = frozenset({"opens_at"})
"""The fields that change without an event: reports about a hold."""


class HoldRows:
    """The rows of holds that events imply."""

    def __init__(self) -> None:
        """Expect nothing before the first event."""
        self._expected: dict[str, dict[str, Any]] = {}
        self._forgotten_before = 0

    def requested(self, data: dict[str, Any]) -> None:
        """Take the event of a new hold."""
        body = data["hold"]
        expected = {name: value for name, value in body.items() if name not in _UNRECORDED}
        expected |= {name: data[name] for name in ("target", "sealed", "key_id")}
        # Like the gate itself at each new hold: delete those that were finished long ago.
        before = parse_instant(body["created_at"]) - KEPT_FOR
        if before > self._forgotten_before:
            self._forgotten_before = before
            for own_id in [each for each, row in self._expected.items() if self._is_forgotten(row)]:
                del self._expected[own_id]
        self._expected[body["id"]] = expected

    def changed(self, kind: str, actor: str, data: dict[str, Any]) -> None:
        """Take an event of a later change, made by `actor`."""
        changed = {name: data[name] for name in ("state", "changed_at", "decision_id")}
        if kind == Kind.HOLD_CANCELLED:
            changed |= {"cancelled_by": actor, "cancel_reason": data["reason"]}
        self._expected[data["hold"]].update(changed)

    def compared(self, rows: Iterable[Hold]) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        """Return the expected rows and the found ones, by id, in comparable form."""
        found = {}
        for hold in rows:
            row = {**to_json(hold), **proof(hold)}
            expected = self._expected.get(hold.id)
            if expected is not None and hold.sealed is None and hold.state not in UNFINISHED:
                # The secret of a finished hold is deleted.
                expected["sealed"] = None
            found[hold.id] = row
        return self._expected, found

    def _is_forgotten(self, row: dict[str, Any]) -> bool:
        return row["state"] not in UNFINISHED and parse_instant(row["changed_at"]) < self._forgotten_before
