"""``freezegate project``: show the windows that another system should have, or compare it with them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from app.cli import ALLOWED, FROZEN, exits
from app.cli.api_client import ask
from app.cli.errors import UndecidedError
from app.cli.options import checked, environment, name, source_options
from app.cli.report import echo, plain
from app.cli.timeline_source import read_in_force
from app.clock import SystemClock
from app.core.errors import MalformedValueError
from app.policies.exporters.export import Remark
from app.policies.projections.projection import (
    MOST_DAYS,
    Differences,
    Projected,
    ProjectionOptions,
    ProjectionScope,
    ProjectionTarget,
    Window,
    differences,
)
from app.policies.projections.targets import TARGETS
from app.yaml.problem import quoted

_NAMES = {
    "applications": ("argocd",),
    "namespaces": ("argocd",),
    "clusters": ("argocd",),
    "projects": ("octopus",),
    "environments": ("octopus",),
}
"""The options with names of a target, each with the targets that it goes with."""


def _names_option(field: str, option: str, text: str) -> Callable[[Any], Any]:
    return click.option(option, field, metavar="NAME", multiple=True, help=f"{text}; repeatable.")


@click.command(
    "project",
    epilog=exits(
        "written, or as it should be",
        failed="something is refused, or the target differs",
        undecided="the policies or the file can't be read",
    ),
)
@click.argument("target", metavar="TARGET", type=click.Choice(list(TARGETS)))
@source_options
@click.option(
    "--place", metavar="NAME", help="Place in the server's integrations file; needed if it has several."
)
@environment
@click.option(
    "--service",
    metavar="NAME",
    callback=checked(name),
    help="Service whose freezes are projected; default: the environment as a whole.",
)
@click.option(
    "--days",
    metavar="N",
    type=click.IntRange(1, MOST_DAYS),
    default=90,
    show_default=True,
    help="Days ahead that windows with a date cover.",
)
@_names_option("applications", "--application", "argocd: applications that the windows are about")
@_names_option("namespaces", "--namespace", "argocd: namespaces that the windows are about")
@_names_option("clusters", "--cluster", "argocd: clusters that the windows are about")
@_names_option("projects", "--project", "octopus: ids of projects")
@_names_option("environments", "--environment-id", "octopus: ids of environments")
@click.option(
    "--owner",
    metavar="WORD",
    default="freezegate",
    show_default=True,
    callback=checked(name),
    help="Word by which the windows are recognised as ours.",
)
@click.option(
    "--check",
    metavar="FILE",
    type=click.File("rb"),
    help="Compare with this answer of the API of the target, JSON, instead of printing; - is standard input.",
)
def command(  # noqa: PLR0913 - each is an option
    *,
    target: str,
    server: str | None,
    policies: Path | None,
    place: str | None,
    environment: str,
    service: str | None,
    days: int,
    owner: str,
    check: Any,
    **names: tuple[str, ...],
) -> int:
    """Print the windows that TARGET should have, as JSON that its API takes.

    Asks the server about a place of its integrations file. With `--policies`, reads a policy file instead;
    then the options say what is projected, and there are no ad-hoc freezes.

    Windows that recur are written as such where the target can say the same; all others with their dates, for
    the next days. A policy is refused where the target would let a deploy through that the policy stops. The
    report goes to standard error.
    """
    if policies is None:
        _reject_given(("environment", "service", "days", "owner", *names))
        projected, owner = _of_server(server, target, place)
    elif server is not None or place is not None:
        raise click.UsageError("--policies goes with neither --server nor --place")
    else:
        _check_names(target, names)
        options = ProjectionOptions(
            SystemClock().now(), days, [ProjectionScope(environment, service, names)], owner
        )
        projected = TARGETS[target].project(read_in_force(policies).engine, options)
    return _show(TARGETS[target], projected, owner, check)


def _show(entry: ProjectionTarget, projected: Projected, owner: str, check: Any) -> int:
    """Print the windows, or compare them with those in a file; return the exit status."""
    if check is None:
        click.echo(json.dumps(entry.body(projected), indent=2, ensure_ascii=False))
        differs = False
    else:
        found = differences(projected.windows, _live(entry, check.read(), owner))
        _tell_differences(found)
        differs = bool(found)
    _report(projected.remarks)
    return FROZEN if differs or projected.refused else ALLOWED


def _reject_given(names: Sequence[str]) -> None:
    """Refuse options of `--policies` where a server is asked: its integrations file says the same."""
    source = click.get_current_context().get_parameter_source
    for each in names:
        if source(each) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{_word(each)} goes with --policies only")


def _of_server(server: str | None, target: str, place: str | None) -> tuple[Projected, str]:
    """Return the windows of a place, and the word by which they are recognised.

    Raises:
        UsageError: the server has several places, and none is named; or it has none.
        UndecidedError: its response can't be used.
    """
    try:
        if place is None:
            listed = ask(server, "GET", "/projections")["projections"]
            places = [each["place"] for each in listed if each["target"] == target]
            if len(places) != 1:
                known = f"; --place is one of {', '.join(map(quoted, places))}" if places else ""
                count = "several places" if places else "no place"
                raise click.UsageError(f"the server has {count} of {target}{known}")
            [place] = places
        body = ask(server, "GET", "/projections/windows", params={"target": target, "place": place})
        return Projected(body["windows"], [Remark(**each) for each in body["remarks"]]), body["owner"]
    except (KeyError, TypeError):
        raise UndecidedError("the server's response is not a projection") from None


def _check_names(target: str, names: dict[str, tuple[str, ...]]) -> None:
    """Refuse names of another target; ask for those without which nothing would be frozen."""
    for field, given in names.items():
        if given and target not in _NAMES[field]:
            raise click.UsageError(f"--{_word(field)} goes with {', '.join(_NAMES[field])} only")
    if target == "octopus" and not (names["projects"] and names["environments"]):
        raise click.UsageError("octopus needs --project and --environment-id")


def _word(field: str) -> str:
    """Return the name of an option."""
    words = {"environments": "environment-id", "days": "days"}
    return words.get(field, field.removesuffix("s"))


def _live(entry: ProjectionTarget, content: bytes, owner: str) -> Sequence[Window]:
    """Return the windows in a file.

    Raises:
        UndecidedError: it is not what the API of the target returns.
    """
    try:
        return entry.live(json.loads(content), owner)
    except MalformedValueError as error:
        raise UndecidedError(str(error)) from None
    except (ValueError, RecursionError):
        raise UndecidedError("the file to compare with is no JSON") from None


def _tell_differences(found: Differences) -> None:
    for word, windows, colour in (("missing", found.missing, "red"), ("surplus", found.surplus, "yellow")):
        for window in windows:
            echo(plain(f"{word}: {json.dumps(window, ensure_ascii=False)}"), colour=colour)
    if not found:
        echo("OK: the target is as it should be")


def _report(remarks: Sequence[Remark]) -> None:
    for remark in remarks:
        word, colour = ("refused", "red") if remark.refused else ("differs", "yellow")
        echo(plain(f"{remark.policy}: {word}: {remark.sentence}"), colour=colour, err=True)
