"""Call the API of a gate: one authenticated request, and the errors that its refusals become."""

import json
from collections.abc import Mapping
from typing import Any, Final

from app.cli.errors import UndecidedError
from app.cli.report import plain
from app.cli.server import Request, address, authorisation, key_hint, send
from app.core.errors import FreezegateError

_REJECTED: Final = range(400, 500)
_SUCCESS: Final = range(200, 300)

CLEARED: Final = object()
"""The value of a field that is sent as null; fields that are None are not sent."""


class RequestRejectedError(FreezegateError):
    """The server rejected the request: nothing was changed, and the command exits 3."""


def ask(
    server: str | None,
    method: str,
    path: str,
    *,
    body: Mapping[str, Any] | None = None,
    params: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Send one request with the key in FREEZEGATE_API_KEY, and return the JSON object of the response.

    Raises:
        RequestRejectedError: the server rejected it; the message has the server's reasons.
        UndecidedError: the response is not usable, so whether the request took effect is not known.
    """
    sent = None if body is None else _without_none(body)
    headers = {"Accept": "application/json", **authorisation()}
    response = send(Request(method, f"{address(server)}{path}", headers, params, sent))
    found = _parse_object(response.content)
    if response.status in _REJECTED and found is not None:
        raise RequestRejectedError(
            _reasons(response.status, found) + key_hint(response.status, found.get("detail"))
        )
    if response.status not in _SUCCESS or found is None:
        raise UndecidedError(
            f"the server's response can't be used (status {response.status})", response.status
        )
    return found


def all_pages(server: str | None, path: str, name: str, state: str) -> list[dict[str, Any]]:
    """Return every item of a paged list.

    Raises:
        RequestRejectedError: the server rejected a request.
        UndecidedError: a response is not usable.
    """
    items: list[dict[str, Any]] = []
    params = {"state": state, "limit": "500"}
    while True:
        page = ask(server, "GET", path, params=params)
        if not isinstance(page.get(name), list):
            raise UndecidedError("the server's response can't be used: it is not a list")
        items += page[name]
        if not page.get("next"):
            return items
        params = {**params, "cursor": str(page["next"])}


def _without_none(body: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the fields of options that were not given, and turn `CLEARED` into null."""
    given = {name: each for name, each in body.items() if each not in (None, ())}
    return {name: None if each is CLEARED else each for name, each in given.items()}


def _parse_object(content: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _reasons(status: int, problem: Mapping[str, Any]) -> str:
    errors = problem.get("errors")
    if isinstance(errors, list) and errors:
        return "\n".join(
            plain(f"{each.get('field')}: {each.get('message')}") for each in errors if isinstance(each, dict)
        )
    return plain(problem.get("detail") or f"the server rejected it (status {status})")
