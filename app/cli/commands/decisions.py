"""``freezegate decisions``: what was decided, evaluated again."""

from functools import partial
from typing import TYPE_CHECKING, Final

import click

from app.cli import ALLOWED, FROZEN, UNDECIDED, fail
from app.cli.database import database_url, opened
from app.cli.operations import print_json
from app.cli.options import as_json, checked, name
from app.cli.report import echo, plain

if TYPE_CHECKING:
    from app.yaml.problem import Problem

_SAME_DATA: Final = (
    "time zones and holidays are the same as then: this version reads the policies otherwise than the one "
    "that recorded it (see the changelog), or the record was changed (see `freezegate audit verify`)"
)


@click.group("decisions")
def command() -> None:
    """Recorded decisions."""


@command.command("replay", short_help="Evaluate a recorded decision again.")
@click.argument("decision_id", callback=checked(name))
@database_url
@as_json
def replay(*, decision_id: str, database_url: str | None, as_json: bool) -> int:
    """Evaluate a recorded decision again, by the policies, freezes and token of then.

    Exits 1 if the answer differs, 3 if its policies are no longer accepted.
    """
    from app.gate.errors import UnknownRecordError
    from app.gate.replay import replay as evaluate_again
    from app.yaml.problem import PolicyFileError

    with opened(database_url) as store:
        try:
            found = store.query(partial(evaluate_again, decision_id=decision_id))
        except UnknownRecordError as error:
            fail(str(error))
            return FROZEN
        except PolicyFileError as error:
            _tell_refused(error.problems, as_json=as_json)
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
        return ALLOWED if found.same else FROZEN
    echo(plain(found.recorded["message"]))
    if found.same:
        echo("Evaluated again, the answer is the same.")
        return ALLOWED
    differing = [each for each in found.recorded if found.recorded[each] != found.evaluated.get(each)]
    fail(f"evaluated again, the answer differs in: {', '.join(differing)}")
    if found.same_data:
        fail(_SAME_DATA)
    else:
        fail("time zones or holidays are of other versions than then")
    return FROZEN


def _tell_refused(problems: "tuple[Problem, ...]", *, as_json: bool) -> None:
    told = [str(problem) for problem in problems]
    if as_json:
        print_json({"same": None, "refused": told})
        return
    fail("this decision can't be evaluated again: this version does not accept the policies of then")
    for each in told:
        fail(each)
