"""``freezegate decisions``: evaluate recorded decisions again."""

from typing import TYPE_CHECKING, Final

import click

from app.cli import ALLOWED, FROZEN, UNDECIDED, exits, fail
from app.cli.database import database_url, opened
from app.cli.options import as_json, checked, name
from app.cli.report import echo, plain, print_json

if TYPE_CHECKING:
    from app.gate.replay import Replay
    from app.yaml.problem import Problem

_SAME_DATA: Final = (
    "time zone and holiday data are the same as then: this version evaluates the policies differently from "
    "the one that recorded it (see the changelog), or the record was changed (see `freezegate audit verify`)"
)


@click.group("decisions")
def command() -> None:
    """Recorded decisions."""


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
