"""Policies and tests that changes removed; the record keeps them across restarts."""

import json
from typing import TYPE_CHECKING, Any, Final

from app.gate.audit_events import Kind
from app.gate.in_force import InForce
from app.policies.removal import Contents, Removal, current, removals
from app.policies.source import Snapshot

if TYPE_CHECKING:
    from app.store.view import View

KEY: Final = "removed"
"""The field of an event of `Kind.POLICIES_LOADED` that lists the removals."""


def removed_before(view: "View", in_force: InForce) -> tuple[Removal, ...]:
    """Return the removals in the set that a process begins with, compared with the set before it.

    Args:
        view: the state of the store, before the load of `in_force` is noted there.
        in_force: the set that the process begins with.
    """
    latest = view.latest_of_kind(Kind.POLICIES_LOADED.value)
    if latest is None:
        return ()
    data = json.loads(latest.data)
    known = tuple(Removal(*each) for each in data.get(KEY, ()))
    if data["revision"] == in_force.revision:
        return current(known, in_force.loaded_at)
    texts = view.sources(data["revision"])
    if texts is None:
        return ()
    before = Contents.of_texts(Snapshot.from_json(texts))
    return removals(before, Contents.of(in_force.policy_set), known, in_force.loaded_at)


def removed_data(in_force: InForce) -> dict[str, Any]:
    """Return the removals as a field of the event about a load; no field without any."""
    return {KEY: [list(each) for each in in_force.removed]} if in_force.removed else {}
