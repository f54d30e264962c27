"""The commands, their options and exit statuses, from their help."""

import importlib
import inspect
import re
from collections.abc import Iterator

import click

from app.cli import COMMANDS
from tests.docs.markdown import code, table


def blocks() -> dict[str, str]:
    """Return the generated blocks of the page: a table of the commands, and a block for each of them."""
    rows = [(f"[{code(name)}](#{name})", text) for name, text in COMMANDS.items()]
    return {"commands": table(("command", "does"), rows), **{name: _command(name) for name in COMMANDS}}


def leaves(name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command, or the commands of a group, each with its full name."""
    found: click.Command = importlib.import_module(f"app.cli.commands.{name}").command
    if isinstance(found, click.Group):
        yield from ((f"{name} {each}", command) for each, command in found.commands.items())
    else:
        yield name, found


def _command(name: str) -> str:
    parts = [_leaf(full, command) for full, command in leaves(name)]
    if len(parts) == 1 and " " not in next(leaves(name))[0]:
        return parts[0]
    headed = zip(leaves(name), parts, strict=True)
    return "\n\n".join(f"### {full}\n\n{part}" for (full, _), part in headed)


def _leaf(full: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"freezegate {full}")
    usage = command.get_usage(context).removeprefix("Usage: ")
    # Lines behind click's mark of lines to keep are an example.
    text, _, kept = inspect.cleandoc(command.help or "").partition("\b\n")
    return "\n\n".join(
        [
            f"```text\n{' '.join(usage.split())}\n```",
            _marked(text.strip()),
            *([f"```text\n{kept.strip()}\n```"] if kept else []),
            *_options(command, context),
            _marked(str(command.epilog)),
        ]
    )


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    options = [each for each in command.params if isinstance(each, click.Option)]
    if options:
        rows = [(_names(each, context), _default(each), _meaning(each)) for each in options]
        yield table(("option", "default", "meaning"), rows)


def _marked(text: str) -> str:
    """Return a text of the help with options and variables as code."""
    return re.sub(r"(?<![`\w-])(--[a-z][a-z-]*|FREEZEGATE_\w+|http://\S+\d)", r"`\1`", text)


def _names(option: click.Option, context: click.Context) -> str:
    value = "" if option.is_flag else f" {option.make_metavar(context)}"
    return ", ".join(code(f"{name}{value}") for name in option.opts)


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    shown = option.default if option.show_default else None
    return "" if shown is None else code(", ".join(shown) if isinstance(shown, tuple | list) else str(shown))


def _meaning(option: click.Option) -> str:
    text = _marked(str(option.help))
    return (
        f"{text} {option.type.min} to {option.type.max}." if isinstance(option.type, click.IntRange) else text
    )
