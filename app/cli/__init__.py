"""The command line: one file a command, each imported only when it runs."""

import importlib
import sys
from typing import Final

import click

from app import __version__
from app.core.errors import FreezegateError

COMMANDS: Final = {
    "init": "Write a first policy file.",
    "serve": "Run the gate.",
    "check": "Ask whether a service may be deployed.",
    "wait": "Wait until a service may be deployed.",
    "lint": "Check policy files.",
    "test": "Run the tests that policy files carry.",
    "calendar": "Draw the coming weeks.",
    "override": "Let one urgent deploy through.",
    "freeze": "Stop deploys now.",
    "keys": "Make and revoke API keys, on the database.",
    "audit": "Verify and export the audit log.",
    "decisions": "Evaluate a recorded decision again.",
    "store": "Copy the database into another.",
}

ALLOWED: Final = 0
FROZEN: Final = 1
USAGE: Final = 2
UNDECIDED: Final = 3


class _Lazy(click.Group):
    """Knows its commands by name; imports the file of the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the shape click asks for
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"app.cli.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="freezegate")
def cli() -> None:
    """May this service be deployed to this environment now?

    Exit status: 0 allowed or ok, 1 frozen or failed, 2 usage, 3 undecided.
    """


def main() -> None:
    """Run the command line; nothing but a well-formed allow exits 0."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line and hand back its exit status; no error of any kind becomes an allow."""
    try:
        status = cli.main(arguments, prog_name="freezegate", standalone_mode=False)
    except click.ClickException as error:
        _tell_usage(error)
        return USAGE
    except Exception as error:  # noqa: BLE001 - Python would exit 1, which says that deploys are frozen
        _tell_fault(error)
        return UNDECIDED
    return status if isinstance(status, int) else UNDECIDED


def _tell_fault(error: Exception) -> None:
    match error:
        case click.Abort() | BrokenPipeError():  # the caller stopped it, or stopped reading
            return
        case FreezegateError():
            fail(str(error))
        case OSError():
            named = f"{error.filename}: " if error.filename else ""
            fail(f"{named}{(error.strerror or 'the system refuses it').lower()}")
        case _:
            fail(f"something went wrong that should not have: {type(error).__name__}: {error}")


def _tell_usage(error: click.ClickException) -> None:
    from app.cli.usage import help_hint, usage_sentence

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    fail(usage_sentence(error))
    if hint := help_hint(error):
        fail(hint)


def fail(sentence: str) -> None:
    """Say on standard error what went wrong, each line marked as ours."""
    for line in sentence.splitlines() or [""]:
        click.echo(f"freezegate: {line}", err=True)
