"""``freezegate simulate``: say what the report of an incident would do."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from app.cli import ALLOWED, exits
from app.cli.api_client import ask
from app.cli.options import as_json, server
from app.cli.report import echo, plain, print_json

SOURCES: Final = ("alertmanager", "incident-io", "jira", "pagerduty", "rootly", "webhook")
"""The systems that report incidents."""

_LARGEST: Final = 256 * 1024
"""Bytes of a payload; the gate takes no more."""

_NOTHING: Final[Mapping[str, str]] = {
    "ignored": "would do nothing: it is not about an incident",
    "outdated": "would do nothing: a later report of the incident came before it",
}


@click.command(
    "simulate",
    epilog=exits("done", undecided="the server can't be reached, or refuses the request or the payload"),
)
@click.argument("source", metavar="SYSTEM", type=click.Choice(SOURCES))
@click.argument("payload", metavar="FILE", type=click.Path(allow_dash=True, path_type=Path))
@server
@as_json
def command(*, source: str, payload: Path, server: str | None, as_json: bool) -> int:
    """Say what the report of an incident would do, and why rules don't match it. Nothing is changed.

    FILE is the body of a webhook of SYSTEM, in JSON; - reads it from standard input. Uses the API key in
    FREEZEGATE_API_KEY, of role ops.
    """
    found = ask(server, "POST", f"/integrations/{source}/simulate", body=_read(payload))
    if as_json:
        print_json(found)
    else:
        _print(source, found)
    return ALLOWED


def _read(payload: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        UsageError: it can't be read, or holds no JSON object.
    """
    try:
        with click.open_file(str(payload), "rb") as file:
            content = file.read(_LARGEST + 1)
        value = json.loads(content)
    except OSError as error:
        raise click.FileError(str(payload), error.strerror) from None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or len(content) > _LARGEST:
        raise click.UsageError(f"{payload} holds no JSON object of at most 256 KiB")
    return value


def _print(source: str, found: Mapping[str, Any]) -> None:
    echo(f"{source}: {_heading(found['incident'])}")
    for rule in found["rules"]:
        name, reasons = plain(rule["rule"]), "; ".join(map(plain, rule["why_not"]))
        echo(f"  {name} matches" if rule["matches"] else f"  {name} does not match: {reasons}")
    for sentence in found["unknown"]:
        echo(f"  warning: {plain(sentence)}", colour="yellow")
    moves = [f"would {_verb(move['sentence'])}" for move in found["moves"]]
    for line in moves or [_NOTHING.get(found["result"], "would do nothing: no rule is about it")]:
        echo(line)


def _heading(incident: Mapping[str, Any] | None) -> str:
    if incident is None:
        return "no incident"
    return plain(incident["title"]) + ("" if incident["firing"] else ", resolved")


def _verb(sentence: object) -> str:
    text = plain(sentence)
    return f"do {text}" if text.startswith("nothing") else text
