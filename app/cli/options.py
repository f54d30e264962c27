"""Options that several commands share, so that they read the same everywhere.

What is malformed is refused here, before anybody is asked, as wrong usage.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from app.core.errors import FreezegateError, MalformedValueError
from app.yaml.problem import did_you_mean, quoted

Command = TypeVar("Command", bound=Callable[..., Any])

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._/-]{0,127}", re.ASCII)
_LONGEST: Final = 31 * 86_400


def checked(parse: Callable[[str], object]) -> Callable[..., str | None]:
    """A callback for an option whose text must be one that `parse` reads; the text itself is kept."""

    def check(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
        if text is not None:
            try:
                parse(text)
            except FreezegateError as error:
                raise click.BadParameter(f"{quoted(text)}: {error}") from None
        return text

    return check


def name(text: str) -> str:
    """Read the name of a service, an environment or a kind of change; it is never normalised."""
    if _NAME.fullmatch(text) is None:
        lower = text.lower()
        near = f"; did you mean {quoted(lower)}?" if lower != text and _NAME.fullmatch(lower) else ""
        raise MalformedValueError(
            "names begin with a small letter or digit and go on with those and . _ / -, "
            f"up to 128 characters{near}"
        )
    return text


def deploy_duration(text: str) -> int:
    """Read how long a deploy takes, in seconds: at most 31 days."""
    from app.core.notation import parse_duration

    seconds = parse_duration(text)
    if seconds > _LONGEST:
        raise MalformedValueError("longer than 31 days")
    return seconds


def zone_name(text: str) -> str:
    """Read the name of a time zone."""
    from app.core.notation import parse_zone_name
    from app.core.wallclock import zone_names

    try:
        return parse_zone_name(text)
    except MalformedValueError as error:
        raise MalformedValueError(f"{error}{did_you_mean(text, zone_names())}") from None


timezone = click.option(
    "--timezone",
    metavar="ZONE",
    callback=checked(zone_name),
    help="The zone of local times; that of the policies if not given.",
)


environment = click.option(
    "--environment", default="production", show_default=True, callback=checked(name), help="Where to."
)

change = click.option(
    "--change", default="normal", show_default=True, callback=checked(name), help="The kind of change."
)


def question(command: Command) -> Command:
    """What is asked: the service, and what `/can-deploy` takes beside it."""
    duration = click.option(
        "--duration",
        metavar="20m",
        callback=checked(deploy_duration),
        help="How long the deploy takes; it must fit as a whole.",
    )
    for option in (duration, change, environment, click.argument("service", callback=checked(name))):
        command = option(command)
    return command


server = click.option(
    "--server", metavar="URL", help="The gate; default: FREEZEGATE_URL, or http://127.0.0.1:1400."
)


def asked_of(command: Command) -> Command:
    """Whom to ask."""
    for option in (
        click.option(
            "--policies",
            type=click.Path(exists=True, path_type=Path),
            help="Ask a policy file (or a folder of them) instead of a server.",
        ),
        server,
    ):
        command = option(command)
    return command


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

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
    help="Write GitHub annotations; on by itself in GitHub Actions.",
)
