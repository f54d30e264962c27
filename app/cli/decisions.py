"""``freezegate decisions``: what was decided, evaluated again."""

from functools import partial

import click

from app.cli import ALLOWED, FROZEN, fail
from app.cli.database import database_url, opened
from app.cli.operations import print_json
from app.cli.options import as_json, checked, name
from app.cli.report import echo, plain


@click.group("decisions")
def command() -> None:
    """Recorded decisions."""


@command.command("replay", short_help="Evaluate a recorded decision again.")
@click.argument("decision_id", callback=checked(name))
@database_url
@as_json
def replay(*, decision_id: str, database_url: str | None, as_json: bool) -> int:
    """Evaluate a recorded decision again, by the policies and freezes of then. Exits 1 if it differs."""
    from app.gate.errors import UnknownRecordError
    from app.gate.replay import replay as evaluate_again

    with opened(database_url) as store:
        try:
            found = store.look(partial(evaluate_again, decision_id=decision_id))
        except UnknownRecordError as error:
            fail(str(error))
            return FROZEN
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
    if not found.same_data:
        fail("time zones or holidays are of other versions than then")
    return FROZEN
