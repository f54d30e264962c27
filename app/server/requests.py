"""Strict reading of requests: unknown, repeated and malformed fields are refused, never guessed.

A query model or body model lists the fields and goes into the OpenAPI document. Requests are read here and
not by the framework: it takes the last of repeated parameters and echoes refused input.
"""

import asyncio
import json
import re
from collections import Counter
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Final, NoReturn, TypeVar
from urllib.parse import parse_qsl

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from starlette.requests import ClientDisconnect, Request

from app.core.errors import MalformedValueError
from app.core.instant import DAY, parse_instant
from app.core.notation import parse_duration, parse_positive_duration
from app.core.policy import LINK_PATTERN, NAME_PATTERN
from app.core.year import FIRST_YEAR, LAST_YEAR
from app.gate.errors import UnknownRecordError
from app.identity.credentials import holds_secret
from app.server.field_errors import (
    CURSOR,
    DECISION_ID,
    NO_CONTROLS,
    NO_CURSOR,
    PRINTABLE,
    RULE_ID,
    field_errors,
    shown_name,
)
from app.server.problems import InvalidFieldsError, RefusedError

MAX_BODY: Final = 64 * 1024
BODY_DEADLINE: Final = 15.0
"""Seconds from the first read of a body to its end."""

MAX_DEPLOY: Final = 31 * DAY

Model = TypeVar("Model", bound=BaseModel)

_MOST_A_PAGE: Final = 500
_LONGEST_PLACE: Final = 18
_ID: Final = re.compile(r"[0-9a-z]{1,36}")
_LOST_PLUS: Final = re.compile(r"\S+ \d\d:\d\d")
"""The end of ``2026-11-27T14:00:00+01:00`` when a query string turns its ``+`` into a space."""


class Strict(BaseModel):
    """The base of all query and body models; it forbids unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)

    also_as: ClassVar[tuple[str, ...]] = ()
    """Other media types of a body, as text; such a body is read beside the query."""


def _deploy_duration(value: object) -> object:
    seconds = parse_duration(value) if isinstance(value, str) else _refuse_duration()
    if seconds > MAX_DEPLOY:
        raise MalformedValueError("longer than 31 days")
    return seconds


def _refuse_duration() -> NoReturn:
    raise MalformedValueError('write it as text, such as "20m" or "PT20M"')


def _instant(value: object) -> object:
    if not isinstance(value, str):
        raise MalformedValueError("write it as an RFC 3339 date-time with an offset")
    if _LOST_PLUS.fullmatch(value):
        raise MalformedValueError("in a URL, write the + of the offset as %2B, or use Z")
    return parse_instant(value)


def _period(value: object) -> object:
    return parse_positive_duration(value) if isinstance(value, str) else _refuse_duration()


def _limit(value: object) -> object:
    if not isinstance(value, str) or not value.isascii() or not value.isdecimal():
        raise MalformedValueError("is a number of 1 to 500")
    number = int(value[:6])
    if not 1 <= number <= _MOST_A_PAGE:
        raise MalformedValueError("is a number of 1 to 500")
    return number


def _year(value: object) -> object:
    """Parse a year of a query string."""
    if not isinstance(value, str) or re.fullmatch("[0-9]{4}", value) is None:
        raise MalformedValueError("is a year such as 2027")
    if not FIRST_YEAR <= int(value) <= LAST_YEAR:
        raise MalformedValueError(f"is a year of {FIRST_YEAR} to {LAST_YEAR}")
    return int(value)


LimitField = Annotated[
    int,
    BeforeValidator(_limit),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 500, "default": 50}),
]
YearField = Annotated[
    int,
    BeforeValidator(_year),
    WithJsonSchema({"title": "year", "type": "integer", "minimum": FIRST_YEAR, "maximum": LAST_YEAR}),
]
KeyField = Annotated[str, StringConstraints(pattern=PRINTABLE), Field(title="key")]
NameField = Annotated[str, StringConstraints(pattern=rf"^{NAME_PATTERN}$"), Field(title="name")]
RuleIdField = Annotated[str, StringConstraints(pattern=RULE_ID), Field(title="id of a policy or freeze")]
DecisionIdField = Annotated[str, StringConstraints(pattern=DECISION_ID), Field(title="id of a decision")]
DurationField = Annotated[
    int,
    BeforeValidator(_deploy_duration),
    WithJsonSchema({"title": "duration", "type": "string", "maxLength": 40, "examples": ["20m", "PT20M"]}),
]
InstantField = Annotated[
    int,
    BeforeValidator(_instant),
    WithJsonSchema(
        {
            "title": "instant",
            "type": "string",
            "format": "date-time",
            "examples": ["2026-11-27T14:00:00+01:00"],
        }
    ),
]


def _without_secrets(text: str) -> str:
    if holds_secret(text):
        raise MalformedValueError("holds a key or a token; this text is recorded, and shown to others")
    return text


Note = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500, pattern=NO_CONTROLS),
    AfterValidator(_without_secrets),
    Field(title="line of text"),
]
"""One line of text that is recorded as it is."""

Sentence = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500, pattern=NO_CONTROLS, strip_whitespace=True),
    AfterValidator(_without_secrets),
    Field(title="line of text"),
]
"""One line of text for people, without surrounding blanks."""

LinkField = Annotated[
    str,
    StringConstraints(pattern=rf"^{LINK_PATTERN}$"),
    AfterValidator(_without_secrets),
    Field(title="URL"),
]
PeriodField = Annotated[
    int,
    BeforeValidator(_period),
    WithJsonSchema({"title": "duration", "type": "string", "maxLength": 40, "examples": ["4h", "PT4H"]}),
]


class PageQuery(Strict):
    """The query parameters of a page of a list."""

    cursor: Annotated[str, StringConstraints(pattern=CURSOR)] | None = Field(
        None, description="`next` of the page before; the first page if left out", examples=["1042"]
    )
    limit: LimitField = Field(50, description="the most entries of a page", examples=[200])


def record_id(text: str, prefix: str, kind: str) -> str:
    """Return an id from a path, such as ``frz_8k2m4p6r``, if it has the form of one.

    Args:
        text: the id in the path.
        prefix: the prefix of ids of this kind.
        kind: the kind of record for the error, such as ``freeze``.

    Raises:
        UnknownRecordError: it hasn't, so there can't be such a record.
    """
    if not text.startswith(f"{prefix}_") or _ID.fullmatch(text[len(prefix) + 1 :]) is None:
        raise UnknownRecordError(f"there is no {kind} of that id")
    return text


def place(cursor: str | None) -> int | None:
    """Return the id in the record that a cursor names; None without a cursor.

    Raises:
        InvalidFieldsError: the cursor is malformed.
    """
    if cursor is None:
        return None
    if not cursor.isdecimal() or len(cursor) > _LONGEST_PLACE:
        raise InvalidFieldsError([{"field": "cursor", "message": NO_CURSOR}])
    return int(cursor)


def read_query(request: Request, model: type[Model]) -> Model:
    """Parse the query string into a model.

    Raises:
        InvalidFieldsError: a parameter is unknown, repeated, missing or malformed.
    """
    return validated(query_fields(request), model)


def query_fields(request: Request) -> dict[str, str]:
    """Return the raw parameters of the query string.

    Raises:
        InvalidFieldsError: it can't be read, or a parameter is repeated.
    """
    try:
        pairs = parse_qsl(
            request.scope["query_string"].decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=64,
        )
    except ValueError:
        raise InvalidFieldsError([{"field": "query", "message": "not a readable query string"}]) from None
    return _without_repeats(pairs)


async def read_body(request: Request, model: type[Model], most: int = MAX_BODY) -> Model:
    """Parse the JSON body into a model; it has at most `most` bytes.

    Raises:
        InvalidFieldsError: a field is unknown, repeated, missing or malformed, or there are parameters.
        RefusedError: the body is too large, or is not JSON.
    """
    if request.scope["query_string"]:
        raise InvalidFieldsError([{"field": "query", "message": "this request takes its fields in the body"}])
    if media_type(request) != "application/json":
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON, as Content-Type: application/json")
    return validated(parse_json(await limited_body(request, most)), model)


def media_type(request: Request) -> str:
    """Return the type of a body, without parameters; empty if it is not given."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse_json(raw: bytes) -> dict[str, Any]:
    """Parse a body that is a JSON object.

    Raises:
        InvalidFieldsError: it isn't, or a member is repeated.
    """
    try:
        value = _JSON.decode(raw.decode(json.detect_encoding(raw), "surrogatepass"))
    except (ValueError, RecursionError):
        raise InvalidFieldsError([{"field": "body", "message": "not valid JSON"}]) from None
    if not isinstance(value, dict):
        raise InvalidFieldsError([{"field": "body", "message": "not a JSON object"}])
    return value


async def read_body_or_query(request: Request, model: type[Model]) -> Model:
    """Parse the JSON body into a model, or the query string of a request without a body.

    Raises:
        InvalidFieldsError: a field is unknown, repeated, missing or malformed, or both are given.
        RefusedError: the body is too large, or is not JSON.
    """
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    return await read_body(request, model) if has_body else read_query(request, model)


async def no_body(request: Request) -> None:
    """Check that a request has no parameters, and no body but an empty object.

    Raises:
        InvalidFieldsError: it has fields.
        RefusedError: its body is too large.
    """
    if request.scope["query_string"] or (await limited_body(request)).strip() not in (b"", b"{}"):
        raise InvalidFieldsError([{"field": "body", "message": "this request takes no fields"}])


def validated(values: dict[str, Any], model: type[Model]) -> Model:
    """Validate values against a model.

    Raises:
        InvalidFieldsError: fields are wrong; it has a message for each.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise InvalidFieldsError(field_errors(details, model)) from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        repeated = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise InvalidFieldsError([{"field": shown_name(repeated), "message": "is given more than once"}])
    return values


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and infinities are no JSON")


_JSON: Final = json.JSONDecoder(object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)
"""Made once: `json.loads` makes one for each text."""


async def limited_body(request: Request, most: int = MAX_BODY) -> bytes:
    """Return the body of a request, of at most `most` bytes.

    Raises:
        RefusedError: it is larger, incomplete, or late.
    """
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > _LONGEST_PLACE or int(declared) > most:
        raise _too_large(most)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_DEADLINE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise _too_large(most)
    except ClientDisconnect:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the body broke off") from None
    except TimeoutError:
        raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, "the body took too long to come") from None
    return bytes(body)


def _too_large(most: int) -> RefusedError:
    detail = f"a body may have at most {most >> 10:,} KiB here"
    return RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
