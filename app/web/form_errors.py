"""Re-render a rejected form with its values and the validation errors."""

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

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

FIELDS: Final[Mapping[Form, tuple[str, ...]]] = {
    "freeze": (
        "title", "reason", "lasts", "environments", "services", "tags", "contact", "link",
        "starts_at", "until", "ttl", "exempt_services", "exempt_changes",
    ),
    "change": ("title", "reason", "contact", "link"),
    "extend": ("ttl",),
    "grant": (
        "services", "reason", "environments", "expires", "max_uses", "ttl", "policies", "ticket",
        "starts_at", "ref",
    ),
}  # fmt: skip
"""The fields of each form that can be wrong, from the top to the bottom of it."""

_ELSEWHERE: Final = {"open_ended": "until", "expires_at": "ttl"}
"""Fields of the API that a form has by another name."""

_EXEMPT: Final = ("exempt_services", "exempt_changes")
"""Fields that are an entry each of one field of the API, in the order in which a form has them."""

_ENTRY: Final = re.compile(r"entry ([0-9]+): (.*)", re.DOTALL)
_OF_CHANGES: Final = "unknown kind of change"

_CHIPS: Final[Mapping[Form, str]] = {"freeze": "lasts", "grant": "expires"}
"""The choice of a duration, where no other one is filled in."""

_REQUIRED: Final = "is required"

_SENTENCES: Final[Mapping[str, str]] = {
    ONE_END: "Choose how long it lasts, or fill in “Ends” under “More”; not both.",
    ONE_LIFE: "Choose after how long it expires, or fill in “Other expiry” under “More”.",
    _REQUIRED: "Fill this in.",
}
"""Errors of the API in the words of the forms."""

_NONE_CHOSEN: Final = "Choose at least one."
"""Said of boxes instead, of which none is ticked."""


class FormErrors(NamedTuple):
    """The errors of a form."""

    general: list[str]
    """Errors that are not about one of its fields."""
    by_field: dict[str, str]
    """The other errors by field, in the order of the form."""


def rejected_form(
    request: Request, caller: Caller, form: Form, values: Mapping[str, str], error: FreezegateError
) -> Response:
    """Return the form with its values, and the reasons of the error beside its fields."""
    policy_set = context(request).policies.in_force.policy_set
    return error_response(
        error,
        "refused.html",
        root_of(request),
        errors=form_errors(form, values, error),
        form=form,
        values=values,
        own_id=request.path_params.get("freeze_id", ""),
        viewer=viewer_of(request, caller),
        policy_set=policy_set,
        home=context(request).policies.in_force.home,
    )


def form_errors(form: Form, values: Mapping[str, str], error: FreezegateError) -> FormErrors:
    """Return where on a form the reasons of an error are shown."""
    wrong = [_of_form(each, values) for each in wrong_fields(error)]
    placed = [(_place(form, each["field"], values), each) for each in wrong]
    found: dict[str, list[str]] = {}
    for place, each in placed:
        found.setdefault(place, []).append(_in_words(form, place, each["message"]))
    general = [f"{each['field']}: {each['message']}" for place, each in placed if not place]
    in_order = {name: "; ".join(dict.fromkeys(found[name])) for name in FIELDS[form] if name in found}
    return FormErrors(general if wrong else [str(error)], in_order)


def _of_form(wrong: dict[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Return an error of the API with the field of the form that is the entry of its list of exemptions."""
    if wrong["field"] != "exempt" or "exempt" in values:
        return wrong
    numbered = _ENTRY.fullmatch(wrong["message"])
    if numbered is None:
        # The names are checked by the gate, which does not say of which entry it speaks.
        return {**wrong, "field": _EXEMPT[wrong["message"].startswith(_OF_CHANGES)]}
    entries = [name for name in values if name in _EXEMPT]
    return {"field": entries[int(numbered[1]) - 1], "message": numbered[2]}


def _in_words(form: Form, place: str, message: str) -> str:
    """Return an error in the words of the form."""
    if place == "environments" and message == _REQUIRED:
        return _NONE_CHOSEN
    # It has one field, and nothing to choose from.
    return _SENTENCES.get(_REQUIRED if form == "extend" and message == ONE_END else message, message)


def _place(form: Form, field: str, values: Mapping[str, str]) -> str:
    """Return the field of a form that an error of the API belongs to; empty if it has none."""
    name = _ELSEWHERE.get(field, field)
    if name in ("ttl", "until") and name not in values:
        name = _CHIPS.get(form, "ttl")
    return name if name in FIELDS[form] else ""
