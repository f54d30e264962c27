"""The command line. Each command is one file in `commands/`, imported only when it runs."""

import gc
import importlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import click

from app import __version__
from app.core.errors import FreezegateError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SECTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "Ask before a deploy": {
        "check": "Check whether a service may be deployed.",
        "wait": "Wait until a service may be deployed.",
        "status": "Show what is frozen now, why and until when.",
        "calendar": "Show the coming weeks.",
        "year": "Show a whole year, or draw it to print.",
    },
    "Write policies": {
        "init": "Write a first policy file.",
        "import": "Make policies from the freeze windows of other programs.",
        "export": "Write the freezes for other programs.",
        "project": "Show the windows that another system should have.",
        "lint": "Check policy files.",
        "test": "Run the tests in policy files.",
        "diff": "Show which hours a change opens or closes.",
        "backtest": "Judge recorded decisions by other policies.",
        "history": "Show which policies were in force.",
    },
    "Operate": {
        "freeze": "Stop deploys now.",
        "override": "Let one urgent deploy through.",
        "holds": "List and cancel the deploys that wait.",
        "decisions": "List and show recorded decisions.",
        "insights": "Show what the rules stop, and how deploys fare.",
        "simulate": "Say what the report of an incident would do.",
    },
    "Run the gate": {
        "serve": "Start the server.",
    },
    "Work on the gate's database": {
        "keys": "Create, list and revoke API keys.",
        "audit": "Verify and export the audit log.",
        "store": "Copy the database, or prune it.",
    },
    "Set up your shell": {
        "completion": "Print the completion script of a shell.",
    },
}
"""The commands and their summaries, in the sections of `freezegate --help`."""

COMMANDS: Final[Mapping[str, str]] = {
    name: summary for commands in SECTIONS.values() for name, summary in commands.items()
}

ALLOWED: Final = 0
FROZEN: Final = 1
USAGE: Final = 2
UNDECIDED: Final = 3


def exits(ok: str, *, failed: str | None = None, undecided: str) -> str:
    """Return the line about the exit statuses of a command, for the end of its help and for the reference.

    Args:
        ok: the meaning of 0.
        failed: the meaning of 1; None where the command never exits with it.
        undecided: the meaning of 3.
    """
    meanings = {ALLOWED: ok, FROZEN: failed, USAGE: "wrong usage", UNDECIDED: undecided}
    return "Exit status: " + "; ".join(f"{status} {text}" for status, text in meanings.items() if text) + "."


class _LazyGroup(click.Group):
    """A group that imports a command's module only when the command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"app.cli.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        width = max(map(len, COMMANDS))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list["CompletionItem"]:
        """Complete names of commands from the table; click would import every command for its help."""
        from click.shell_completion import CompletionItem

        options = click.Command.shell_complete(self, ctx, incomplete)
        named = [(name, text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*options, *(CompletionItem(name, help=text) for name, text in named)]


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="freezegate")
def cli() -> None:
    """May this service be deployed to this environment now?

    Exit status: 0 allowed or ok, 1 frozen or failed, 2 usage, 3 undecided.
    """


def main() -> None:
    """Run the command line; nothing but a well-formed allow exits 0."""
    status = run(sys.argv[1:])
    # At exit, Python searches all objects for cycles, except frozen ones: a sixth of the CPU time of a check.
    gc.freeze()
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit status; no error of any kind becomes an allow."""
    try:
        status = cli.main(arguments, prog_name="freezegate", standalone_mode=False)
    except click.ClickException as error:
        _print_usage_error(error)
        return USAGE
    except Exception as error:  # noqa: BLE001 - Python would exit 1, which means that deploys are frozen
        _print_error(error)
        return UNDECIDED
    return status if isinstance(status, int) else UNDECIDED


def _print_error(error: Exception) -> None:
    match error:
        case click.Abort() | BrokenPipeError():  # the caller interrupted it, or closed the pipe
            return
        case FreezegateError():
            fail(str(error))
        case OSError():
            named = f"{error.filename}: " if error.filename else ""
            fail(f"{named}{(error.strerror or 'the system refuses it').lower()}")
        case _:
            fail(f"internal error: {type(error).__name__}: {error}")


def _print_usage_error(error: click.ClickException) -> None:
    from app.cli.usage import help_hint, usage_sentence

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    fail(usage_sentence(error))
    if hint := help_hint(error):
        fail(hint)


def fail(sentence: str) -> None:
    """Print an error to standard error, each line prefixed with the program's name."""
    for line in sentence.splitlines() or [""]:
        click.echo(f"freezegate: {line}", err=True)
