"""``freezegate decisions``: list and show recorded decisions, and evaluate them again."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from app.cli import ALLOWED, FROZEN, UNDECIDED, exits, fail
from app.cli.api_client import ask
from app.cli.database import database_url, opened
from app.cli.errors import UndecidedError
from app.cli.local_time import ZoneName, local_printer, to_instant, zone_of_server
from app.cli.options import as_json, checked, instant_option, name, server, timezone
from app.cli.report import echo, plain, print_answer, print_json, print_table

if TYPE_CHECKING:
    from app.gate.replay import Replay
    from app.yaml.problem import Problem

_SAME_DATA: Final = (
    "time zone and holiday data are the same as then: this version evaluates the policies differently from "
    "the one that recorded it (see the changelog), or the record was changed (see `freezegate audit verify`)"
)


_EXITS: Final = exits("done", undecided="the server can't be reached, or refuses the request")
_OUTCOMES: Final = ("allow", "warn", "override", "deny")


@click.group("decisions")
def command() -> None:
    """List and show recorded decisions, and evaluate them again."""


@command.command("list", epilog=_EXITS)
@click.option("--service", metavar="NAME", callback=checked(name), help="Only of this service.")
@click.option("--environment", metavar="NAME", callback=checked(name), help="Only of this environment.")
@click.option("--outcome", type=click.Choice(_OUTCOMES), help="Only with this outcome.")
@click.option("--actor", metavar="TEXT", help="Only claimed or deployed by this key, identity or person.")
@click.option(
    "--policy",
    metavar="ID",
    callback=checked(name),
    help="Only those that this policy or freeze stopped or warned about.",
)
@instant_option("--from", "start", text="Only those decided at this time or later.")
@instant_option("--to", "end", text="Only those decided before this time.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1, 500),
    default=20,
    show_default=True,
    help="Entries of a page, the newest first.",
)
@click.option("--cursor", metavar="CURSOR", help="Show the next page; the page before ends with its cursor.")
@timezone
@server
@as_json
def list_decisions(
    *,
    server: str | None,
    timezone: str | None,
    as_json: bool,
    start: str | None,
    end: str | None,
    limit: int,
    **wanted: str | None,
) -> int:
    """List recorded decisions, the newest first.

    Uses the API key in FREEZEGATE_API_KEY.
    """
    zone = zone_of_server(server, timezone)
    params = {key: text for key, text in wanted.items() if text is not None}
    for key, text in (("from", start), ("to", end)):
        if text is not None:
            params[key] = to_instant(text, zone, is_end=key == "to")
    page = ask(server, "GET", "/decisions", params={**params, "limit": str(limit)})
    if not isinstance(page.get("decisions"), list):
        raise UndecidedError("the server's response can't be used: it is not a list")
    if as_json:
        print_json(page)
    else:
        _print_page(page, _local(zone))
        _print_reach(page, params.get("from"), _local(zone))
    return ALLOWED


def _print_page(page: Mapping[str, Any], local: Callable[[object], str]) -> None:
    if not page["decisions"]:
        echo("No decision matches.")
        return
    head = ("TIME", "OUTCOME", "SERVICE", "ENVIRONMENT", "WHO", "REF", "ID")
    print_table(
        head,
        [
            (
                local(each.get("at")),
                each.get("outcome"),
                each.get("service"),
                each.get("environment"),
                _who(each),
                each.get("ref") or "",
                each.get("decision_id"),
            )
            for each in page["decisions"]
        ],
    )
    if page.get("next"):
        echo(f"Older ones follow; show them with --cursor {page['next']}.", err=True)


def _print_reach(page: Mapping[str, Any], start: str | None, local: Callable[[object], str]) -> None:
    """Say how far the record reaches, behind the last page of a time that begins before it was pruned."""
    from app.core.instant import parse_instant

    since = page.get("since")
    if page.get("next") or not isinstance(since, str):
        return
    if start is None or parse_instant(start) < parse_instant(since):
        echo(f"Decisions up to {local(since)} were pruned; look for older ones in the archive.", err=True)


@command.command("show", epilog=_EXITS)
@click.argument("decision_id", callback=checked(name))
@timezone
@server
@as_json
def show(*, decision_id: str, server: str | None, timezone: str | None, as_json: bool) -> int:
    """Show one decision, its reasons and outcomes.

    Uses the API key in FREEZEGATE_API_KEY.
    """
    found = ask(server, "GET", f"/decisions/{decision_id}")
    if as_json:
        print_json(found)
        return ALLOWED
    if not isinstance(found.get("blocking"), list):
        raise UndecidedError("the server's response can't be used: it is no decision")
    print_answer(found)
    for line in _details(found, _local(zone_of_server(server, timezone))):
        echo(f"  {plain(line)}")
    return ALLOWED


def _details(found: Mapping[str, Any], local: Callable[[object], str]) -> Iterator[str]:
    """Yield who asked for a decision and when, what was deployed, and how it went."""
    yield f"{found.get('decision_id')}: claimed by {_who(found)} on {local(found.get('recorded_at'))}"
    for key, label in (("ref", "deploys"), ("run_url", "run"), ("deploy_id", "deploy")):
        if found.get(key):
            yield f"{label} {found[key]}"
    override = found.get("override") or {}
    if override.get("id"):
        yield f"override {override['id']}: {override.get('result')}"
    yield from (_reported(each, local) for each in found.get("outcomes") or ())
    yield f"decided by {found.get('policy_revision')}"


def _reported(outcome: Mapping[str, Any], local: Callable[[object], str]) -> str:
    incident = f", {outcome['incident']}" if outcome.get("incident") else ""
    by = f" by {outcome['reported_by']}" if outcome.get("reported_by") else ""
    return f"{outcome.get('result')}{incident}: reported on {local(outcome.get('reported_at'))}{by}"


def _who(found: Mapping[str, Any]) -> str:
    return str(found.get("actor") or found.get("caller") or "anonymous")


def _local(zone_name: ZoneName) -> Callable[[object], str]:
    """Return a function that prints an instant as in the messages of the gate."""
    from app.clock import SystemClock
    from app.core.explain import local_time

    now = SystemClock().now()
    return local_printer(zone_name, lambda instant, where: local_time(instant, where, now))


@command.command(
    "replay",
    short_help="Evaluate a recorded decision again.",
    epilog=exits(
        "the same answer",
        failed="the answer differs, or there is no such decision",
        undecided="this version refuses the policies of its time",
    ),
)
@click.argument("decision_id", callback=checked(name))
@database_url
@as_json
def replay(*, decision_id: str, database_url: str | None, as_json: bool) -> int:
    """Evaluate a recorded decision again, with the policies, freezes and token of its time."""
    from app.gate.errors import UnknownRecordError
    from app.yaml.problem import PolicyFileError

    with opened(database_url) as console:
        try:
            found = console.replay(decision_id)
        except UnknownRecordError as error:
            fail(str(error))
            return FROZEN
        except PolicyFileError as error:
            _print_rejected_policies(error.problems, as_json=as_json)
            return UNDECIDED
    if as_json:
        print_json(
            {
                "same": found.same,
                "same_data": found.same_data,
                "recorded": found.recorded,
                "evaluated": found.evaluated,
            }
        )
    else:
        _print_replay(found)
    return ALLOWED if found.same else FROZEN


def _print_replay(found: "Replay") -> None:
    echo(plain(found.recorded["message"]))
    if found.same:
        echo("Evaluated again, the answer is the same.")
        return
    differing = [each for each in found.recorded if found.recorded[each] != found.evaluated.get(each)]
    fail(f"evaluated again, the answer differs in: {', '.join(differing)}")
    if found.same_data:
        fail(_SAME_DATA)
    else:
        fail("the versions of the time zone or holiday data differ from those of then")


def _print_rejected_policies(problems: "tuple[Problem, ...]", *, as_json: bool) -> None:
    if as_json:
        print_json({"same": None, "refused": list(map(str, problems))})
        return
    fail("this decision can't be evaluated again: this version does not accept the policies of then")
    for problem in problems:
        fail(str(problem))
