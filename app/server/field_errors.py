"""Messages for wrong fields of a request: the field, and the form that its value needs.

The validator's own messages are for programmers and change with its version, so they are replaced. Input is
not echoed, except the name of an unknown field if it is short and plain: the caller has to fix it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from app.core.policy import FORMS, ID_PATTERN, Selector
from app.identity.credentials import holds_secret
from app.yaml.problem import did_you_mean

PRINTABLE: Final = r"^[\x21-\x7e]{1,128}$"
NO_CONTROLS: Final = r"^[^\x00-\x1f\x7f]*$"
CURSOR: Final = r"^[0-9a-z_]{1,40}$"
HISTORY_CURSOR: Final = rf"^[0-9]{{1,18}}(?:-[0-9]{{1,12}})?\.{ID_PATTERN}$"
"""A place in the record, and the id that the policy had there."""
DECISION_ID: Final = r"^dec_[0-9a-z]{1,36}$"
RULE_ID: Final = rf"^({ID_PATTERN}|frz_[0-9a-z]{{1,36}})$"
NO_CURSOR: Final = "is `next` of the page before, as it came"

MOST_SHOWN: Final = 20

_UNKNOWN: Final = "unknown"
"""The name for a field whose own name is not repeated."""

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_FORMS: Final[Mapping[str, str]] = {
    **FORMS,
    NO_CONTROLS: "is one line of text, without control characters",
    PRINTABLE: "is 1 to 128 printable ASCII characters, without blanks",
    CURSOR: NO_CURSOR,
    HISTORY_CURSOR: NO_CURSOR,
    RULE_ID: "is the id of a policy such as friday-afternoon, or of a freeze such as frz_8k2m4p6r",
    DECISION_ID: "is the `decision_id` of a claim, such as dec_8k2m4p6r",
}
"""The form that each pattern asks for."""

_IN_JSON: Final = {"True": "true", "False": "false", "None": "null"}
_OTHERWISE: Final = "is not of the form that this field takes"


def field_errors(details: list[ErrorDetails], model: type[BaseModel]) -> list[dict[str, str]]:
    """Return the wrong fields of a model, each with a message; of more than `MOST_SHOWN`, the first."""
    shown = [
        {"field": _name(detail), "message": _place(detail["loc"]) + _sentence(detail, model)}
        for detail in details[:MOST_SHOWN]
    ]
    left_out = len(details) - len(shown)
    more = [{"field": "body", "message": f"{left_out} more are wrong"}] if left_out else []
    return [*shown, *more]


def shown_name(name: str) -> str:
    """Return the name of a field if it is short, plain and no secret, else a stand-in."""
    return name if _PLAIN_NAME.fullmatch(name) and not holds_secret(name) else _UNKNOWN


def _name(detail: ErrorDetails) -> str:
    return shown_name(str(detail["loc"][0])) if detail["loc"] else "body"


def _place(location: tuple[int | str, ...]) -> str:
    """Return the prefix that names the wrong entry of a list."""
    number = next((part for part in location[1:] if isinstance(part, int)), None)
    return "" if number is None else f"entry {number + 1}: "


def _known(model: type[BaseModel]) -> list[str]:
    return [field.alias or key for key, field in model.model_fields.items()]


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_field(detail["loc"], model)
    if kind == "value_error":  # a sentence of ours
        return detail["msg"].removeprefix("Value error, ")
    write = _SENTENCES.get(kind)
    return _OTHERWISE if write is None else write(context)


def _unknown_field(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    known = _known(model if len(location) == 1 else Selector)
    if not known:
        return "there is no such field here; this request takes none"
    guess = did_you_mean(str(location[-1])[:40], known)
    return f"there is no such field here{guess or '; known: ' + ', '.join(known)}"


def _one_of(context: Mapping[str, Any]) -> str:
    expected = str(context.get("expected", ""))
    known = re.findall(r"'([^']*)'", expected) or re.split(r", | or ", expected)
    known = [_IN_JSON.get(each, each) for each in known]
    return f"is {known[0]}" if len(known) == 1 else f"is one of {', '.join(known)}"


def _not_empty(context: Mapping[str, Any]) -> str:
    return "is not an empty object" if context.get("field_type") == "Dictionary" else "is not an empty list"


def _words(sentence: str, *keys: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda context: sentence.format(*(context.get(key, "") for key in keys))


_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": _words("is required"),
    "literal_error": _one_of,
    "enum": _one_of,
    "string_pattern_mismatch": lambda context: _FORMS.get(str(context.get("pattern")), _OTHERWISE),
    "string_type": _words('is text, in quotes: "…"'),
    "string_too_short": _words("is not empty"),
    "string_too_long": _words("has {} characters at most", "max_length"),
    "string_unicode": _words("is text in Unicode, without lone surrogates"),
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_from_float", "int_parsing_size"), _words("is a whole number")
    ),
    **dict.fromkeys(("bool_type", "bool_parsing"), _words("is true or false")),
    **dict.fromkeys(("list_type", "tuple_type", "set_type"), _words('is a list: ["…"]')),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), _words('is an object: {{"…": …}}')),
    "greater_than_equal": _words("is {} at least", "ge"),
    "greater_than": _words("is more than {}", "gt"),
    "less_than_equal": _words("is {} at most", "le"),
    "less_than": _words("is less than {}", "lt"),
    "too_short": _not_empty,
    "too_long": _words("has {} entries at most", "max_length"),
}
