"""``freezegate completion``: print the code by which a shell completes commands, options and their values."""

from typing import Final

import click
from click.shell_completion import get_completion_class

from app.cli import ALLOWED, cli, exits

SHELLS: Final = ("bash", "zsh", "fish")

_PROGRAM: Final = "freezegate"
_VARIABLE: Final = "_FREEZEGATE_COMPLETE"
"""The environment variable by which the shell asks click for completions."""


@click.command("completion", epilog=exits("printed", undecided="it could not be printed"))
@click.argument("shell", type=click.Choice(SHELLS))
def command(*, shell: str) -> int:
    """Print the completion script of a shell.

    \b
    bash:  eval "$(freezegate completion bash)"                in ~/.bashrc
    zsh:   eval "$(freezegate completion zsh)"                 in ~/.zshrc, after compinit
    fish:  freezegate completion fish > ~/.config/fish/completions/freezegate.fish
    """  # noqa: D301 - click's mark of lines to keep
    completion = get_completion_class(shell)
    assert completion is not None  # noqa: S101 - click knows all of these shells
    click.echo(completion(cli, {}, _PROGRAM, _VARIABLE).source())
    return ALLOWED
