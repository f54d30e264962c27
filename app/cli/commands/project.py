"""``freezegate project``: show the windows that another system should have, or compare it with them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from app.cli import ALLOWED, FROZEN, exits
from app.cli.errors import UndecidedError
from app.cli.options import checked, environment, name
from app.cli.report import echo, plain
from app.cli.timeline_source import read_in_force
from app.clock import SystemClock
from app.core.errors import MalformedValueError
from app.policies.exporters.export import Remark
from app.policies.projections.projection import (
    MOST_DAYS,
    Differences,
    ProjectionOptions,
    ProjectionScope,
    ProjectionTarget,
    Window,
    differences,
)
from app.policies.projections.targets import TARGETS

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
@click.option(
    "--policies",
    type=click.Path(exists=True, path_type=Path),
    default="policies.yaml",
    show_default=True,
    help="Policy file, or a folder of them.",
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
def command(
    *,
    target: str,
    policies: Path,
    environment: str,
    service: str | None,
    days: int,
    owner: str,
    check: Any,
    **names: tuple[str, ...],
) -> int:
    """Print the windows that TARGET should have, as JSON that its API takes.

    Windows that recur are written as such where the target can say the same; all others with their dates, for
    the next days. A policy is refused where the target would let a deploy through that the policy stops. The
    report goes to standard error.
    """
    _check_names(target, names)
    scope = ProjectionScope(environment, service, names)
    options = ProjectionOptions(SystemClock().now(), days, [scope], owner)
    entry = TARGETS[target]
    projected = entry.project(read_in_force(policies).engine, options)
    if check is not None:
        found = differences(projected.windows, _live(entry, check.read(), owner))
        _tell_differences(found)
        _report(projected.remarks)
        return FROZEN if found or projected.refused else ALLOWED
    click.echo(json.dumps(entry.body(projected), indent=2, ensure_ascii=False))
    _report(projected.remarks)
    return FROZEN if projected.refused else ALLOWED


def _check_names(target: str, names: dict[str, tuple[str, ...]]) -> None:
    """Refuse names of another target; ask for those without which nothing would be frozen."""
    for field, given in names.items():
        if given and target not in _NAMES[field]:
            raise click.UsageError(f"--{_word(field)} goes with {', '.join(_NAMES[field])} only")
    if target == "octopus" and not (names["projects"] and names["environments"]):
        raise click.UsageError("octopus needs --project and --environment-id")


def _word(field: str) -> str:
    return "environment-id" if field == "environments" else field.removesuffix("s")


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
