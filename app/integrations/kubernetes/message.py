"""The answers to admission reviews.

Each is HTTP 200: the API server takes any other status for a failure of the webhook, and shows no reason.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.core.decision import Decision, Stretch
from app.core.explain import message, undirected
from app.core.wallclock import Zone
from app.integrations.kubernetes.review import API_VERSION, KIND

FORBIDDEN: Final = 403
"""The status of a deny, for clients of the API server: it answers 403 for any refused admission, and clients
show the reason of it. None of them knows 423."""

MOST_WARNING: Final = 120
"""Characters of a warning, as Kubernetes recommends; it cuts them at 256."""

MOST_WARNINGS: Final = 20
"""Warnings in an answer; the API server drops what goes beyond 4,096 characters, of all webhooks together."""

MOST_MESSAGE: Final = 2_000
"""Characters of the reason; it also becomes part of events, which are small."""


def allow(uid: str, warnings: Iterable[str] = ()) -> bytes:
    """Return the answer that lets a request through."""
    kept = [_cut(each, MOST_WARNING) for each in warnings][:MOST_WARNINGS]
    return _answer({"uid": uid, "allowed": True, **({"warnings": kept} if kept else {})})


def deny(uid: str, reason: str) -> bytes:
    """Return the answer that refuses a request."""
    status = {"code": FORBIDDEN, "message": _cut(reason, MOST_MESSAGE)}
    return _answer({"uid": uid, "allowed": False, "status": status})


def decided(uid: str, decision: Decision, home: Zone) -> bytes:
    """Return the answer to a review whose question is decided."""
    if decision.allowed:
        return allow(uid, (f"{each.rule.id}: {undirected(each.rule.title)}" for each in decision.warnings))
    return deny(uid, f"{message(decision, home)}{_whom_to_ask(decision.blocking)}")


def _whom_to_ask(blocking: Iterable[Stretch]) -> str:
    """Return whom to ask and where to read more, as a sentence; empty if no rule says so.

    The sentence of a decision names the contacts of ad-hoc freezes already.
    """
    policies = [each.rule for each in blocking if each.rule.kind == "policy"]
    contacts = dict.fromkeys(filter(None, (rule.contact for rule in policies)))
    links = dict.fromkeys(filter(None, (rule.link for rule in policies)))
    ask = f" Ask {', '.join(contacts).rstrip('.')}." if contacts else ""
    return undirected(f"{ask} See {' '.join(links)}" if links else ask)


def _answer(response: Mapping[str, Any]) -> bytes:
    return json.dumps({"apiVersion": API_VERSION, "kind": KIND, "response": response}).encode()


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
