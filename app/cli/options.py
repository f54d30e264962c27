"""Options shared by several commands.

Malformed values are usage errors here, before any request is sent.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from app.cli.local_time import instant_or_local
from app.core.errors import FreezegateError, MalformedValueError
from app.yaml.problem import did_you_mean, quoted

Command = TypeVar("Command", bound=Callable[..., Any])

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._/-]{0,127}", re.ASCII)
_MAX_DURATION: Final = 31 * 86_400

MOST_CLAIMED: Final = 100
"""Services of one claim, as the server takes them."""

MOST_SERVICES: Final = 1_000
"""Services of one `check`: as many as the server answers at once."""


def checked(parse: Callable[[str], object]) -> Callable[..., str | None]:
    """Return an option callback that validates a text with `parse` and keeps it as it is."""

    def check(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
        if text is not None:
            _parse(parse, text)
        return text

    return check


def checked_names(
    _context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    """Validate a list of names, which may name nothing twice; a callback."""
    for text in names:
        _parse(name, text)
    if len(names) > MOST_SERVICES:
        raise click.BadParameter(f"at most {MOST_SERVICES:,} at once")
    twice = next((text for number, text in enumerate(names) if text in names[:number]), None)
    if twice is not None:
        raise click.BadParameter(f"{quoted(twice)} is given more than once")
    return names


def _parse(parse: Callable[[str], object], text: str) -> None:
    try:
        parse(text)
    except FreezegateError as error:
        raise click.BadParameter(f"{quoted(text)}: {error}") from None


def name(text: str) -> str:
    """Validate the name of a service, an environment or a kind of change; names are never normalised."""
    if _NAME.fullmatch(text) is None:
        lower = text.lower()
        near = f"; did you mean {quoted(lower)}?" if lower != text and _NAME.fullmatch(lower) else ""
        raise MalformedValueError(
            "a name starts with a lowercase letter or digit, followed by those and . _ / -, "
            f"up to 128 characters{near}"
        )
    return text


def deploy_duration(text: str) -> int:
    """Parse how long a deploy takes, in seconds: at most 31 days."""
    from app.core.notation import parse_duration

    seconds = parse_duration(text)
    if seconds > _MAX_DURATION:
        raise MalformedValueError("longer than 31 days")
    return seconds


def period(text: str) -> int:
    """Parse a length of time in seconds, at least one."""
    from app.core.notation import parse_positive_duration

    return parse_positive_duration(text)


def zone_name(text: str) -> str:
    """Validate the name of a time zone."""
    from app.core.notation import parse_zone_name
    from app.core.wallclock import zone_names

    try:
        return parse_zone_name(text)
    except MalformedValueError as error:
        raise MalformedValueError(f"{error}{did_you_mean(text, zone_names())}") from None


def duration_option(*names: str, text: str) -> Callable[[Any], Any]:
    """Return an option for a length of time."""
    return click.option(*names, metavar="4h", callback=checked(period), help=text)


def instant_option(*names: str, text: str) -> Callable[[Any], Any]:
    """Return an option for an instant, or for a local time that `app.cli.local_time` resolves."""
    return click.option(*names, metavar="TIME", callback=checked(instant_or_local), help=text)


timezone = click.option(
    "--timezone",
    metavar="ZONE",
    callback=checked(zone_name),
    help="Time zone of local times; default: the zone of the policies.",
)


environment = click.option(
    "--environment",
    metavar="NAME",
    default="production",
    show_default=True,
    callback=checked(name),
    help="Environment to deploy to.",
)

change = click.option(
    "--change",
    metavar="KIND",
    default="normal",
    show_default=True,
    callback=checked(name),
    help="Kind of change.",
)


LONGEST_KEY: Final = 128


def printable_key(text: str) -> str:
    """Validate an idempotency key or the id of a deploy."""
    if not (0 < len(text) <= LONGEST_KEY and all("!" <= letter <= "~" for letter in text)):
        raise MalformedValueError("1 to 128 printable ASCII characters without spaces")
    return text


def claim_options(command: Command) -> Command:
    """Add the options of a claim: what is deployed, by whom, in which run."""
    for option in (
        click.option(
            "--deploy-id",
            metavar="ID",
            callback=checked(printable_key),
            help="With --claim: id of the run and job; repeated claims with it count as one deploy.",
        ),
        click.option("--run-url", metavar="URL", help="With --claim: link to the pipeline run."),
        click.option("--actor", metavar="TEXT", help="With --claim: person who deploys."),
        click.option("--ref", metavar="TEXT", help="With --claim: commit or tag that is deployed."),
    ):
        command = option(command)
    return command


def reject_claim_conflicts(
    services: tuple[str, ...], *, claim: bool, elsewhere: bool, claim_fields: Mapping[str, str], other: str
) -> None:
    """Check that the options of a claim come with --claim, on a server, for not too many services.

    Args:
        services: the services to be claimed.
        claim: whether --claim is given.
        elsewhere: whether an option is given that excludes a claim.
        claim_fields: the options that need --claim.
        other: the options that exclude it, for the sentence.

    Raises:
        UsageError: they conflict.
    """
    if claim_fields and not claim:
        raise click.UsageError(f"--{next(iter(claim_fields)).replace('_', '-')} needs --claim")
    if claim and elsewhere:
        raise click.UsageError(f"--claim records a deploy on a server, now: it excludes {other}")
    if claim and len(services) > MOST_CLAIMED:
        raise click.UsageError(f"--claim takes at most {MOST_CLAIMED} services")


services = click.argument("services", nargs=-1, required=True, metavar="SERVICE...", callback=checked_names)


def question_options(command: Command) -> Command:
    """Add the options of `/can-deploy`: the environment, the kind of change and the duration."""
    duration = click.option(
        "--duration",
        metavar="20m",
        callback=checked(deploy_duration),
        help="How long the deploy takes. All of it must fit before the next freeze.",
    )
    for option in (duration, change, environment):
        command = option(command)
    return command


server = click.option(
    "--server", metavar="URL", help="URL of the gate; default: FREEZEGATE_URL, or http://127.0.0.1:1400."
)


def source_options(command: Command) -> Command:
    """Add the options that choose a decision source."""
    for option in (
        click.option(
            "--policies",
            type=click.Path(exists=True, path_type=Path),
            help="Evaluate a policy file, or a folder of them, instead of asking a server.",
        ),
        server,
    ):
        command = option(command)
    return command


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

TEXT: Final = "text"
"""The `--format` for a terminal."""


def format_of(kind: str, *, as_json: bool) -> str:
    """Return the form that ``--format`` and ``--json`` choose.

    Raises:
        UsageError: they choose different ones.
    """
    if as_json and kind not in (TEXT, "json"):
        raise click.UsageError(f"use either --json or --format {kind}, not both")
    return "json" if as_json else kind


DEFAULT_POLICIES: Final = "policies.yaml"

paths = click.argument(
    "paths",
    nargs=-1,
    type=click.Path(exists=True, path_type=Path),
    default=(DEFAULT_POLICIES,),
    metavar="[PATH]...",
)

github = click.option(
    "--github",
    is_flag=True,
    default=lambda: os.environ.get("GITHUB_ACTIONS") == "true",
    help="Print GitHub annotations too; on by default in GitHub Actions.",
)
