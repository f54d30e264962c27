"""What the commands of ops share: one authenticated request to a server, and what its refusal means."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import click

from app.cli.errors import UndecidedError
from app.cli.local_time import instant_or_local
from app.cli.options import checked
from app.cli.report import echo, plain
from app.cli.server import Request, address, authorisation, key_hint, send
from app.core.errors import FreezegateError

_REFUSED: Final = range(400, 500)
_DONE: Final = range(200, 300)

TAKEN_AWAY: Final = object()
"""A field of a body that is sent as null."""


class RefusedError(FreezegateError):
    """The server understood the request and refused it: nothing was done, and the command exits 3."""


def period(text: str) -> int:
    """Read how long something lasts, in seconds."""
    from app.core.notation import parse_positive_duration

    return parse_positive_duration(text)


def duration_option(*names: str, text: str) -> Callable[[Any], Any]:
    """An option that takes a length of time."""
    return click.option(*names, metavar="4h", callback=checked(period), help=text)


def instant_option(*names: str, text: str) -> Callable[[Any], Any]:
    """An option that takes an instant, or a local time for `app.cli.local_time` to resolve."""
    return click.option(*names, metavar="TIME", callback=checked(instant_or_local), help=text)


def ask(
    server: str | None,
    method: str,
    path: str,
    *,
    body: Mapping[str, Any] | None = None,
    params: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Send one request, as whom FREEZEGATE_API_KEY says, and read the object that comes back.

    Raises:
        RefusedError: the server refused it; the text says why.
        UndecidedError: nothing usable came back, so nobody knows whether it was done.
    """
    wanted = None if body is None else _given(body)
    headers = {"Accept": "application/json", **authorisation()}
    reply = send(Request(method, f"{address(server)}{path}", headers, params, wanted))
    told = _object(reply.content)
    if reply.status in _REFUSED and told is not None:
        raise RefusedError(_why(reply.status, told) + key_hint(reply.status))
    if reply.status not in _DONE or told is None:
        raise UndecidedError(f"the server's reply can't be used (status {reply.status})", reply.status)
    return told


def all_pages(server: str | None, path: str, name: str, state: str) -> list[dict[str, Any]]:
    """Every item of a list that comes in pages.

    Raises:
        RefusedError: the server refused it.
        UndecidedError: nothing usable came back.
    """
    items: list[dict[str, Any]] = []
    params = {"state": state, "limit": "500"}
    while True:
        page = ask(server, "GET", path, params=params)
        if not isinstance(page.get(name), list):
            raise UndecidedError("the server's reply can't be used: it is no list")
        items += page[name]
        if not page.get("next"):
            return items
        params = {**params, "cursor": str(page["next"])}


def print_json(value: object) -> None:
    """Print JSON as it is meant for programs."""
    click.echo(json.dumps(value))


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a head, each column as wide as its widest cell."""
    cells = [head, *([plain(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a body that options gave; null for what they take away."""
    given = {name: each for name, each in body.items() if each not in (None, ())}
    return {name: None if each is TAKEN_AWAY else each for name, each in given.items()}


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _why(status: int, problem: Mapping[str, Any]) -> str:
    errors = problem.get("errors")
    if isinstance(errors, list) and errors:
        return "\n".join(
            plain(f"{each.get('field')}: {each.get('message')}") for each in errors if isinstance(each, dict)
        )
    return plain(problem.get("detail") or f"the server refused it (status {status})")
