"""Turn click's usage errors into sentences: the option, the values it takes, and a suggestion."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

from app.cli.options import DEFAULT_POLICIES
from app.yaml.problem import did_you_mean, quoted

_PATH_FAULTS: Final = {
    "does not exist": "there is no such file or folder",
    "is a file": "this is a file, but a folder is expected",
    "is a directory": "this is a folder, but a file is expected",
    "is not readable": "no permission to read it",
    "is not writable": "no permission to write it",
}
_QUOTED: Final = re.compile(r"'(.*)' is not a valid", re.DOTALL)
_OPTIONS_ELSEWHERE: Final = frozenset({"help", "version"})
"""Options that are commands in other programs."""
_PLACEHOLDERS: Final = frozenset(
    [
        "DATE",
        "FIELD=NAMES",
        "FILE",
        "HOST",
        "ID",
        "KEY",
        "KIND",
        "N",
        "NAME",
        "PATH",
        "PORT",
        "TEXT",
        "TIME",
        "URL",
        "ZONE",
    ]
)
"""Metavars that name the kind of a value; the others are examples of one."""
_MOST_FILES: Final = 1000
"""Files of a folder that are compared with a misspelt name."""


def usage_sentence(error: click.ClickException) -> str:
    """Return a sentence that explains a usage error."""
    match error:
        case click.NoSuchCommand():
            sentence = f"there is no command {quoted(error.command_name)}{_near_command(error)}"
        case click.NoSuchOption():
            sentence = f"there is no option {error.option_name}{_near_option(error)}"
        case click.BadOptionUsage():
            sentence = _misused(error)
        case click.MissingParameter():
            sentence = _missing(error)
        case click.BadParameter() if error.param is not None:
            sentence = _bad(error.message, error.param)
        case click.FileError():
            sentence = f"{quoted(error.ui_filename)} can't be written: {lowered(error.message)}"
        case _:
            sentence = _other(error.message)
    return sentence


def help_hint(error: click.ClickException) -> str | None:
    """Return which help to read; None if the error is not about a command."""
    context = getattr(error, "ctx", None)
    if isinstance(error, click.NoSuchCommand) and context is not None:
        return f"`{context.command_path} --help` lists the commands"
    return f"see `{context.command_path} --help`" if context is not None else None


def lowered(sentence: str) -> str:
    """Return a sentence of the system without capital and full stop, to be part of a longer one."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _other(message: str) -> str:
    unexpected = re.match(r"Got unexpected extra arguments? \((.*)\)", message, re.DOTALL)
    return f"unexpected argument: {quoted(unexpected[1])}" if unexpected else message


def _near_command(error: click.NoSuchCommand) -> str:
    context = error.ctx
    if error.command_name in _OPTIONS_ELSEWHERE:
        return f'; did you mean "--{error.command_name}"?'
    if context is None or not isinstance(context.command, click.Group):
        return ""
    return did_you_mean(error.command_name, context.command.list_commands(context))


def _near_option(error: click.NoSuchOption) -> str:
    if error.ctx is None:
        return ""
    known = [name for each in error.ctx.command.params for name in each.opts if name.startswith("--")]
    return did_you_mean(error.option_name, [*known, "--help"])


def _misused(error: click.BadOptionUsage) -> str:
    if "does not take a value" in error.message:
        return f"{error.option_name} takes no value"
    option = _option(error)
    return f"{error.option_name} needs a value{_example(option) if option else ''}"


def _option(error: click.BadOptionUsage) -> click.Parameter | None:
    parameters = error.ctx.command.params if error.ctx is not None else []
    return next((each for each in parameters if error.option_name in each.opts), None)


def _missing(error: click.MissingParameter) -> str:
    parameter = error.param
    if isinstance(parameter, click.Option):
        return f"{parameter.opts[0]} is required{_example(parameter)}: {lowered(parameter.help or '')}"
    return f"{_shown(parameter)} is required" if parameter is not None else "an argument is missing"


def _bad(message: str, parameter: click.Parameter) -> str:
    match parameter.type:
        case click.Choice() as kind:
            sentence = _not_a_choice(message, list(map(str, kind.choices)))
        case click.types.IntParamType() as kind:
            sentence = _not_an_integer(message, kind)
        case click.Path() | click.File():
            sentence = _path_fault(message)
        case _:
            sentence = message
    return f"{_shown(parameter)} {sentence}"


def _not_a_choice(message: str, known: list[str]) -> str:
    given = re.match(r"'(.*)' is not (?:one of )?", message, re.DOTALL)
    text = given[1] if given else ""
    return f"{quoted(text)}: one of {', '.join(known)}{did_you_mean(text, known)}"


def _not_an_integer(message: str, kind: click.types.IntParamType) -> str:
    wanted = _range(kind) if isinstance(kind, click.IntRange) else "a whole number"
    if "is not in the range" in message:
        return f"{message.split(maxsplit=1)[0]}: {wanted}"
    value = _QUOTED.match(message)
    return f"{quoted(value[1])}: {wanted}" if value else message


def _path_fault(message: str) -> str:
    found = re.fullmatch(r"(?:\w+ )?'(.*?)'(?: (.*?)\.?|: (.*))", message, re.DOTALL)
    if found is None:
        return message
    path = Path(found[1])
    fault = _PATH_FAULTS.get(found[2] or "", lowered(found[3] or found[2] or ""))
    near = did_you_mean(path.name, _beside(path)) if found[2] == "does not exist" else ""
    if not near and found[1] == DEFAULT_POLICIES:
        near = "; give the path of your policy file, or of the folder it is in"
    return f"{quoted(found[1])}: {fault}{near}"


def _beside(path: Path) -> Iterable[str]:
    try:
        return [each.name for _, each in zip(range(_MOST_FILES), path.parent.iterdir(), strict=False)]
    except OSError:
        return []


def _range(kind: click.IntRange) -> str:
    if kind.min is not None and kind.max is not None:
        return f"a whole number from {kind.min} to {kind.max}"
    return f"a whole number from {kind.min} up" if kind.min is not None else "a whole number"


def _example(parameter: click.Parameter) -> str:
    """Return the choices or an example value, such as `20m`; a placeholder, such as `URL`, is none."""
    if isinstance(parameter.type, click.Choice):
        return f", one of {', '.join(map(str, parameter.type.choices))}"
    metavar = parameter.metavar
    return f", such as {metavar}" if metavar and metavar not in _PLACEHOLDERS else ""


def _shown(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return (parameter.metavar or parameter.name or "argument").strip("[].").upper()
