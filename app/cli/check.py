"""``freezegate check``: ask once."""

import json
from pathlib import Path

import click

from app.cli import ALLOWED, UNDECIDED, fail
from app.cli.options import as_json, asked_of, question
from app.cli.oracle import Asked, UndecidedError, find_oracle
from app.cli.report import answer_lines
from app.clock import SystemClock


@click.command("check")
@question
@asked_of
@click.option("--at", metavar="INSTANT", help="Preview another instant, such as 2026-11-27T14:00:00+01:00.")
@click.option("--claim", is_flag=True, help="Claim: have the server record the decision (POST).")
@click.option("--ref", help="With --claim: what is deployed.")
@click.option("--actor", help="With --claim: who deploys.")
@click.option("--run-url", help="With --claim: the pipeline run.")
@click.option("--idempotency-key", help="With --claim: a retry with the same key gets the same decision.")
@click.option(
    "--on-error",
    type=click.Choice(["deny", "allow"]),
    default="deny",
    show_default=True,
    help="What no usable answer means. A refused request is never an allow.",
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
    asked = Asked(service, environment, change, duration, at)
    try:
        answer = oracle().ask(asked, SystemClock().now())
    except UndecidedError as error:
        fail(str(error))
        if on_error == "allow" and not error.refused:
            fail("WARNING: nobody could tell, and --on-error allow lets the deploy through")
            return ALLOWED
        return UNDECIDED
    if as_json:
        click.echo(json.dumps(answer.body))
    else:
        answer_lines(answer)
    return answer.exit_status


def _refuse_misfits(*, claim: bool, at: str | None, policies: Path | None, given: dict[str, str]) -> None:
    if given and not claim:
        raise click.UsageError(f"--{next(iter(given)).replace('_', '-')} goes with --claim")
    if claim and (at or policies):
        raise click.UsageError("--claim asks a server, and for now: without --at and --policies")
