"""``freezegate export``: write the freezes of a policy set for other programs."""

from collections.abc import Sequence
from pathlib import Path

import click

from app.cli import ALLOWED, FROZEN, exits
from app.cli.calendars import read_with_calendars
from app.cli.files import loaded_from
from app.cli.options import checked, environment, name
from app.cli.report import echo, plain, writing
from app.clock import SystemClock
from app.policies.exporters.export import ExportOptions, Remark
from app.policies.exporters.formats import FORMATS
from app.policies.exporters.plan import MOST_DAYS


@click.command(
    "export",
    epilog=exits(
        "written",
        failed="policies are refused, so nothing is written",
        undecided="the policies can't be read, or the file can't be written",
    ),
)
@click.argument("target", metavar="FORMAT", type=click.Choice(list(FORMATS)))
@click.argument("policies", metavar="[POLICIES]", default="policies.yaml", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write to this file instead of standard output; an existing file is overwritten.",
)
@environment
@click.option(
    "--service",
    metavar="NAME",
    callback=checked(name),
    help="Service whose freezes are exported; default: the environment as a whole.",
)
@click.option(
    "--days",
    metavar="N",
    type=click.IntRange(1, MOST_DAYS),
    default=90,
    show_default=True,
    help="Days ahead that windows with a date cover.",
)
@click.option(
    "--application",
    "applications",
    metavar="PATTERN",
    multiple=True,
    default=("*",),
    show_default=True,
    help="argocd: applications of the project that the windows are about; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="gitlab: write JSON instead of a script.")
@click.option("--partial", is_flag=True, help="Write what can be exported, even if policies are refused.")
def command(  # noqa: PLR0913 - one per option
    *,
    target: str,
    policies: Path,
    output: Path | None,
    environment: str,
    service: str | None,
    days: int,
    applications: tuple[str, ...],
    as_json: bool,
    partial: bool,
) -> int:
    """Write the freezes of POLICIES for another program: argocd, gitlab, ics or json.

    Windows that recur are written as such where the program can say the same; all others with their dates,
    for the next days. A policy is refused where the program would let a deploy through that the policy stops;
    then nothing is written, unless you give `--partial`. The report goes to standard error.
    """
    _check_target(target, applications=applications, as_json=as_json)
    clock = SystemClock()
    loaded = loaded_from(*read_with_calendars(policies, clock))
    options = ExportOptions(clock.now(), days, environment, service, applications, as_json)
    exported = FORMATS[target](loaded, options)
    _report(exported.remarks)
    refused = sum(remark.refused for remark in exported.remarks)
    if refused and not partial:
        echo(f"{refused} refused; nothing is written without --partial", err=True)
        return FROZEN
    if output is None:
        click.echo(exported.text, nl=False)
    else:
        with writing(output):
            output.write_bytes(exported.text.encode())
    echo(f"{exported.windows:,} written, {refused} refused", err=True)
    return ALLOWED


def _check_target(target: str, *, applications: Sequence[str], as_json: bool) -> None:
    for given, needed, option in (
        (tuple(applications) != ("*",), "argocd", "--application"),
        (as_json, "gitlab", "--json"),
    ):
        if given and target != needed:
            raise click.UsageError(f"{option} goes with {needed} only")


def _report(remarks: Sequence[Remark]) -> None:
    for remark in remarks:
        whose = f"{remark.policy}: " if remark.policy else ""
        word, colour = ("refused", "red") if remark.refused else ("differs", "yellow")
        echo(plain(f"{whose}{word}: {remark.sentence}"), colour=colour, err=True)
