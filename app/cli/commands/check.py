"""``freezegate check``: ask once."""

import json
from pathlib import Path
from typing import Final

import click

from app.cli import ALLOWED, UNDECIDED, fail
from app.cli.decision_source import Asked, find_oracle
from app.cli.errors import UndecidedError
from app.cli.local_time import instant_or_local, resolved, zone_of_files, zone_of_server
from app.cli.options import as_json, asked_of, checked, question
from app.cli.options import timezone as timezone_option
from app.cli.report import plain, print_answer
from app.clock import SystemClock
from app.core.errors import MalformedValueError

_LONGEST_KEY: Final = 128


def _idempotency_key(text: str) -> str:
    if not (0 < len(text) <= _LONGEST_KEY and all("!" <= letter <= "~" for letter in text)):
        raise MalformedValueError("1 to 128 printable ASCII characters without spaces")
    return text


@click.command("check")
@question
@asked_of
@click.option(
    "--at",
    metavar="TIME",
    callback=checked(instant_or_local),
    help='Preview another time, such as "2026-11-27 14:00" or 2026-11-27T14:00:00+01:00.',
)
@timezone_option
@click.option("--claim", is_flag=True, help="Claim: have the server record the decision (POST).")
@click.option("--ref", help="With --claim: what is deployed.")
@click.option("--actor", help="With --claim: who deploys.")
@click.option("--run-url", help="With --claim: the pipeline run.")
@click.option(
    "--idempotency-key",
    callback=checked(_idempotency_key),
    help="With --claim: a retry with the same key gets the same decision.",
)
@click.option(
    "--on-error",
    type=click.Choice(["deny", "allow"]),
    default="deny",
    show_default=True,
    help="What no usable answer means. A deny or a refused request is never an allow.",
)
@as_json
def command(  # noqa: PLR0913 - each is an option
    *,
    service: str,
    environment: str,
    change: str,
    duration: str | None,
    server: str | None,
    policies: Path | None,
    at: str | None,
    timezone: str | None,
    claim: bool,
    on_error: str,
    as_json: bool,
    **told: str | None,
) -> int:
    """Ask whether SERVICE may be deployed. Exits 0 if so, 1 if frozen, 3 if nobody could tell.

    The API key is taken from FREEZEGATE_API_KEY, an override token (with --claim) from
    FREEZEGATE_OVERRIDE_TOKEN.
    """
    given = {name: value for name, value in told.items() if value is not None}
    _refuse_misfits(claim=claim, at=at, policies=policies, given=given)
    oracle = find_oracle(server, policies, given if claim else None)
    if at is not None:
        at = resolved(at, zone_of_files(policies, timezone) if policies else zone_of_server(server, timezone))
    try:
        answer = oracle.ask(Asked(service, environment, change, duration, at), SystemClock().now())
    except UndecidedError as error:
        fail(plain(error))
        if on_error == "allow" and policies is None and error.passable:
            fail("WARNING: nobody could tell, and --on-error allow LETS THE DEPLOY THROUGH UNCHECKED")
            return ALLOWED
        return UNDECIDED
    if as_json:
        click.echo(json.dumps(answer.body))
    else:
        print_answer(answer.body)
    return answer.exit_status


def _refuse_misfits(*, claim: bool, at: str | None, policies: Path | None, given: dict[str, str]) -> None:
    if given and not claim:
        raise click.UsageError(f"--{next(iter(given)).replace('_', '-')} goes with --claim")
    if claim and (at or policies):
        raise click.UsageError("--claim asks a server, and for now: without --at and --policies")
