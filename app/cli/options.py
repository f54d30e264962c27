"""Options that several commands share, so that they read the same everywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def question(command: Command) -> Command:
    """What is asked: the service, and what `/can-deploy` takes beside it."""
    for option in (
        click.option("--duration", metavar="20m", help="How long the deploy takes; it must fit as a whole."),
        click.option("--change", default="normal", show_default=True, help="The kind of change."),
        click.option("--environment", default="production", show_default=True, help="Where to."),
        click.argument("service"),
    ):
        command = option(command)
    return command


def asked_of(command: Command) -> Command:
    """Whom to ask."""
    for option in (
        click.option(
            "--policies",
            type=click.Path(exists=True, path_type=Path),
            help="Ask a policy file (or a folder of them) instead of a server.",
        ),
        click.option("--server", metavar="URL", help="The gate to ask; default: FREEZEGATE_URL."),
    ):
        command = option(command)
    return command


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

paths = click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH..."
)

github = click.option(
    "--github",
    is_flag=True,
    envvar="GITHUB_ACTIONS",
    help="Write GitHub annotations; on by itself in GitHub Actions.",
)
