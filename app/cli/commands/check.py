"""``freezegate check``: ask once whether one or several services may be deployed."""

from pathlib import Path
from typing import Any

import click

from app.cli import ALLOWED, FROZEN, UNDECIDED, exits, fail
from app.cli.decision_source import Answer, BatchSource, Query, find_source
from app.cli.errors import UndecidedError
from app.cli.local_time import instant_or_local, to_instant, zone_of_files, zone_of_server
from app.cli.options import (
    as_json,
    checked,
    claim_options,
    name,
    printable_key,
    question_options,
    reject_claim_conflicts,
    services,
    source_options,
)
from app.cli.options import timezone as timezone_option
from app.cli.report import plain, print_answer, print_json
from app.clock import SystemClock


@click.command(
    "check",
    epilog=exits("allowed", failed="frozen", undecided="undecided: no usable answer, or a refused request"),
)
@services
@question_options
@source_options
@click.option(
    "--at",
    metavar="TIME",
    callback=checked(instant_or_local),
    help='Preview another time, such as "2026-11-27 14:00" or 2026-11-27T14:00:00+01:00.',
)
@timezone_option
@click.option(
    "--claim", is_flag=True, help="Record the decision on the server (POST), right before you deploy."
)
@claim_options
@click.option(
    "--continues",
    metavar="ID",
    callback=checked(name),
    help="With --claim: decision of an earlier step of the same rollout, which may then finish.",
)
@click.option(
    "--idempotency-key",
    metavar="KEY",
    callback=checked(printable_key),
    help="With --claim: a retry with the same key gets the same decision.",
)
@click.option(
    "--on-error",
    type=click.Choice(["deny", "allow"]),
    default="deny",
    show_default=True,
    help="Result if no usable answer comes. A denial or a rejected request is never an allow.",
)
@as_json
def command(  # noqa: PLR0913 - each is an option
    *,
    services: tuple[str, ...],
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
    **claim_texts: str | None,
) -> int:
    """Check whether SERVICE may be deployed, or whether several may.

    All are asked about at the same instant, and all must be allowed for exit status 0. With --claim, they are
    one claim.

    The API key is read from FREEZEGATE_API_KEY and, with --claim, an override token from
    FREEZEGATE_OVERRIDE_TOKEN.
    """
    claim_fields = {name: value for name, value in claim_texts.items() if value is not None}
    reject_claim_conflicts(
        services,
        claim=claim,
        elsewhere=bool(at or policies),
        claim_fields=claim_fields,
        other="--at and --policies",
    )
    source = find_source(server, policies, claim_fields if claim else None)
    at = at and _instant(at, server, policies, timezone)
    queries = _queries(services, Query("", environment, change, duration, at), claim=claim)
    try:
        answers = _answers(source, queries, SystemClock().now())
    except UndecidedError as error:
        return _undecided(error, may_pass=on_error == "allow" and policies is None)
    _print(queries, answers, as_json=as_json)
    return _exit_status(answers)


def _queries(services: tuple[str, ...], query: Query, *, claim: bool) -> list[Query]:
    """Return a query for each service; one for all of them, if they are claimed together."""
    if claim and len(services) > 1:
        return [query._replace(service=", ".join(services), services=services)]
    return [query._replace(service=service) for service in services]


def _instant(at: str, server: str | None, policies: Path | None, timezone: str | None) -> str:
    zone_name = zone_of_files(policies, timezone) if policies else zone_of_server(server, timezone)
    return to_instant(at, zone_name)


def _answers(source: BatchSource, queries: list[Query], now: int) -> list[Answer | str]:
    return [source.ask(queries[0], now)] if len(queries) == 1 else source.ask_all(queries, now)


def _in_json(queries: list[Query], answers: list[Answer | str]) -> dict[str, Any]:
    """Return the answer to one query, or an object like the API's with the answers to many."""
    bodies = [
        each.body
        if isinstance(each, Answer)
        else {"allowed": False, "service": query.service, "detail": each}
        for query, each in zip(queries, answers, strict=True)
    ]
    if len(bodies) == 1:
        return bodies[0]
    return {"allowed": all(each["allowed"] for each in bodies), "answers": bodies}


def _print(queries: list[Query], answers: list[Answer | str], *, as_json: bool) -> None:
    if as_json:
        print_json(_in_json(queries, answers))
        return
    for query, answer in zip(queries, answers, strict=True):
        if isinstance(answer, Answer):
            print_answer(answer.body)
        else:
            fail(f"{query.service}: {plain(answer)}")


def _exit_status(answers: list[Answer | str]) -> int:
    """Return 0 if all are allowed, 1 if any is frozen, and 3 if some just have no answer."""
    statuses = {each.exit_status if isinstance(each, Answer) else UNDECIDED for each in answers}
    return FROZEN if FROZEN in statuses else max(statuses)


def _undecided(error: UndecidedError, *, may_pass: bool) -> int:
    fail(plain(error))
    if may_pass and error.passable:
        fail("WARNING: no answer, and --on-error allow LETS THE DEPLOY THROUGH UNCHECKED")
        return ALLOWED
    return UNDECIDED
