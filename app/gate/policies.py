"""The policies in force, as JSON objects, and the history of each."""

from itertools import islice
from typing import Any, Final

from app.core.decision_json import instant_or_none
from app.core.explain import policy_in_words
from app.core.policy import Policy
from app.gate.errors import UnknownRecordError
from app.gate.in_force import InForce
from app.gate.policy_windows import occurrences
from app.gate.revisions import Revisions

_OCCURRENCES: Final = 3
"""Occurrences of a policy that are listed: the present one, if any, and the next."""


def policies(in_force: InForce, at: int) -> dict[str, Any]:
    """Return every policy in force, in words, with its next occurrences."""
    return {
        "policy_revision": in_force.revision,
        "timezone": in_force.home.name,
        "policies": [_policy(in_force, each, at) for each in in_force.policy_set.policies],
    }


def policy(in_force: InForce, policy_id: str, at: int) -> dict[str, Any]:
    """Return one policy in force; see `policies`.

    Raises:
        UnknownRecordError: there is none of that id.
    """
    for each in in_force.policy_set.policies:
        if each.id == policy_id:
            return _policy(in_force, each, at)
    raise UnknownRecordError("there is no policy of that id")


def history(
    in_force: InForce, revisions: Revisions, policy_id: str, cursor: str | None, most: int
) -> dict[str, Any]:
    """Return a page of the changes of one policy; see `Revisions.history`.

    Raises:
        UnknownRecordError: no policy of that id is in force, and the record has none.
        StoreUnavailableError: the record can't be read.
    """
    page = revisions.history(policy_id, cursor, most)
    is_in_force = any(each.id == policy_id for each in in_force.policy_set.policies)
    if not (is_in_force or cursor or page.next or any(each["change"] for each in page.items)):
        raise UnknownRecordError("there is no policy of that id, and there was none")
    return {"id": policy_id, "in_force": is_in_force, "revisions": page.items, "next": page.next}


def _policy(in_force: InForce, each: Policy, at: int) -> dict[str, Any]:
    timeline, owned = in_force.engine.timeline(each.id), in_force.policy_set.owner_of(each.id)
    return {
        "id": each.id,
        "title": each.title,
        "reason": each.reason,
        "contact": each.contact,
        "link": each.link,
        "owner": owned and owned.to_json(),
        "effect": each.effect.value,
        "timezone": each.timezone or in_force.home.name,
        "in_words": policy_in_words(each, in_force.home),
        "applies_to": each.scope_json("applies_to"),
        "exempt": each.scope_json("exempt"),
        "override": each.overridable,
        "notify_before_s": each.notify_before or [],
        "running": each.running,
        "next": [
            {"from": instant_or_none(start), "until": instant_or_none(end)}
            for start, end in islice(occurrences(timeline, at), _OCCURRENCES)
        ],
    }
