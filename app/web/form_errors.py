"""Re-render a rejected form with its values and the validation errors."""

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
from app.web.pages import error_response
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
        "open_ended": "Lasts",
        "override": "Override",
        "running": "Running deploys",
        "contact": "Contact",
        "link": "Link",
        "exempt": "Services still allowed",
    },
    "change": {
        "title": "Title",
        "reason": "Reason",
        "override": "Override",
        "running": "Running deploys",
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
        "starts_at": "Starts",
        "ref": "Only this ref",
    },
}
"""The labels of the fields on each form."""

_SENTENCES: Final[Mapping[Form, Mapping[str, str]]] = {
    "freeze": {ONE_END: "Set when it ends: choose how long it lasts, or fill in “Ends”."},
    "change": {},
    "extend": {ONE_END: "Enter the new duration, from now."},
    "grant": {ONE_LIFE: "Enter after how long it expires."},
}
"""Errors of the API that concern several fields, in the words of the form."""


def rejected_form(
    request: Request, caller: Caller, form: Form, values: Mapping[str, str], error: FreezegateError
) -> Response:
    """Return the form with its values and the reasons of the error."""
    policy_set = context(request).policies.in_force.policy_set
    return error_response(
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
    reasons = [_reason(form, each["field"], each["message"]) for each in wrong_fields(error)]
    return reasons or [str(error)]


def _reason(form: Form, field: str, message: str) -> str:
    if sentence := _SENTENCES[form].get(message):
        return sentence
    label = LABELS[form].get(field)
    return f"{label}: {message}" if label else message
