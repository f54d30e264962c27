"""A form that could not be done: shown again as it was filled in, and told in the words that stand on it."""

from collections.abc import Mapping
from typing import Final, Literal

from fastapi import Request
from fastapi.responses import Response

from app.core.errors import FreezegateError
from app.identity.caller import Caller
from app.server.context import context
from app.server.operations import ONE_END, ONE_LIFE
from app.server.problems import wrong_fields
from app.server.root_path import root_of
from app.web.pages import refusal
from app.web.viewer import viewer_of

Form = Literal["freeze", "change", "extend", "grant"]

LABELS: Final[Mapping[Form, Mapping[str, str]]] = {
    "freeze": {
        "title": "Title",
        "reason": "Reason",
        "environments": "Environments",
        "services": "Services",
        "tags": "Tags",
        "starts_at": "Starts",
        "ttl": "Lasts",
        "until": "Ends",
        "open_ended": "No end",
        "override": "Override",
        "contact": "Contact",
        "link": "Link",
        "exempt": "Still allowed",
    },
    "change": {
        "title": "Title",
        "reason": "Reason",
        "override": "Override",
        "contact": "Contact",
        "link": "Link",
    },
    "extend": {"ttl": "New duration, from now", "until": "New duration, from now"},
    "grant": {
        "services": "Services",
        "environments": "Environments",
        "reason": "Reason",
        "ttl": "Expires after",
        "max_uses": "Uses",
        "policies": "Only these policies",
        "ticket": "Ticket",
    },
}
"""What the fields are called on each form."""

_SENTENCES: Final[Mapping[Form, Mapping[str, str]]] = {
    "freeze": {ONE_END: "Set when it ends: fill in “Lasts” or “Ends”, or tick “No end”."},
    "change": {},
    "extend": {ONE_END: "Enter the new duration, from now."},
    "grant": {ONE_LIFE: "Enter after how long it expires."},
}
"""What concerns more than one field of a body of the API, as it is told of a form."""


def again(
    request: Request, caller: Caller, form: Form, values: Mapping[str, str], error: FreezegateError
) -> Response:
    """The form once more, and why."""
    policy_set = context(request).policies.in_force.policy_set
    return refusal(
        error,
        "refused.html",
        root_of(request),
        reasons=_reasons(form, error),
        form=form,
        values=values,
        own_id=request.path_params.get("freeze_id", ""),
        viewer=viewer_of(request, caller),
        policy_set=policy_set,
        home=context(request).policies.in_force.home,
    )


def _reasons(form: Form, error: FreezegateError) -> list[str]:
    told = [_reason(form, each["field"], each["message"]) for each in wrong_fields(error)]
    return told or [str(error)]


def _reason(form: Form, field: str, message: str) -> str:
    if sentence := _SENTENCES[form].get(message):
        return sentence
    label = LABELS[form].get(field)
    return f"{label}: {message}" if label else message
