"""Policies and tests that changes removed; the record keeps them across restarts."""

import json
from typing import TYPE_CHECKING, Any, Final

from app.core.policy import PolicySet
from app.gate.audit_events import Kind
from app.gate.in_force import InForce
from app.policies.removal import Contents, Removal, current, removals, renamed
from app.policies.set_change import contents, own_files
from app.policies.source import Snapshot
from app.yaml.problem import Problem

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
    return removals(
        _before(Snapshot.from_json(texts), in_force.policy_set),
        Contents.of(in_force.policy_set),
        known,
        in_force.loaded_at,
    )


def _before(snapshot: Snapshot, after: PolicySet) -> Contents:
    """Return the contents of the texts, under the ids that they have in the set `after` them.

    Only where an id is gone are the texts read in full, which takes as long as loading them.
    """
    found = Contents.of_texts(snapshot)
    if {policy.id for policy in after.policies}.issuperset(found.policies):
        return found
    before = contents(own_files(snapshot))
    return found if isinstance(before, Problem) else found.under(renamed(before, after))


def removed_data(in_force: InForce) -> dict[str, Any]:
    """Return the removals as a field of the event about a load; no field without any."""
    return {KEY: [list(each) for each in in_force.removed]} if in_force.removed else {}
