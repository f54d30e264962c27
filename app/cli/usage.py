"""Wrong usage in sentences: what is wrong with which option, what it takes, and what was probably meant."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

from app.cli.options import DEFAULT_POLICIES
from app.yaml.problem import did_you_mean, quoted

_PATH_FAULTS: Final = {
    "does not exist": "there is no such file or folder",
    "is a file": "a folder is wanted, and this is a file",
    "is a directory": "a file is wanted, and this is a folder",
    "is not readable": "it may not be read",
    "is not writable": "it may not be written",
}
_QUOTED: Final = re.compile(r"'(.*)' is not a valid", re.DOTALL)
_OPTIONS_ELSEWHERE: Final = frozenset({"help", "version"})
"""Commands of other programs that are options here."""
_MOST_FILES: Final = 1000
"""Files of a folder among which a near name is looked for."""


def usage_sentence(error: click.ClickException) -> str:
    """Return what is wrong with a command line."""
    match error:
        case click.NoSuchCommand():
            said = f"there is no command {quoted(error.command_name)}{_near_command(error)}"
        case click.NoSuchOption():
            said = f"there is no option {error.option_name}{_near_option(error)}"
        case click.BadOptionUsage():
            said = _misused(error)
        case click.MissingParameter():
            said = _missing(error)
        case click.BadParameter() if error.param is not None:
            said = _bad(error, error.param)
        case click.FileError():
            said = f"{quoted(error.ui_filename)} can't be written: {lowered(error.message)}"
        case _:
            said = _other(error.message)
    return said


def help_hint(error: click.ClickException) -> str | None:
    """Return where to read more; None where no command is known."""
    context = getattr(error, "ctx", None)
    if isinstance(error, click.NoSuchCommand) and context is not None:
        return f"`{context.command_path} --help` lists the commands"
    return f"`{context.command_path} --help` says what it takes" if context is not None else None


def lowered(sentence: str) -> str:
    """Return a sentence of the system's as a part of ours."""
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
    return f"{error.option_name} needs a value{_form(option) if option else ''}"


def _option(error: click.BadOptionUsage) -> click.Parameter | None:
    parameters = error.ctx.command.params if error.ctx is not None else []
    return next((each for each in parameters if error.option_name in each.opts), None)


def _missing(error: click.MissingParameter) -> str:
    parameter = error.param
    if isinstance(parameter, click.Option):
        return f"{parameter.opts[0]} is needed{_form(parameter)}: {lowered(parameter.help or '')}"
    return f"{_shown(parameter)} is needed" if parameter is not None else "an argument is missing"


def _bad(error: click.BadParameter, parameter: click.Parameter) -> str:
    said, kind = error.message, parameter.type
    value = _QUOTED.match(said)
    if isinstance(kind, click.Choice):
        given = re.match(r"'(.*)' is not (?:one of )?", said, re.DOTALL)
        text, known = given[1] if given else "", list(map(str, kind.choices))
        return f"{_shown(parameter)} {quoted(text)}: one of {', '.join(known)}{did_you_mean(text, known)}"
    if isinstance(kind, click.IntRange) and "is not in the range" in said:
        return f"{_shown(parameter)} {said.split()[0]}: {_range(kind)}"
    if isinstance(kind, (click.IntRange, click.types.IntParamType)) and value:
        wanted = _range(kind) if isinstance(kind, click.IntRange) else "a whole number"
        return f"{_shown(parameter)} {quoted(value[1])}: {wanted}"
    if isinstance(kind, (click.Path, click.File)):
        return f"{_shown(parameter)} {_path_fault(said)}"
    return f"{_shown(parameter)} {said}"


def _path_fault(said: str) -> str:
    found = re.fullmatch(r"(?:\w+ )?'(.*?)'(?: (.*?)\.?|: (.*))", said, re.DOTALL)
    if found is None:
        return said
    path = Path(found[1])
    fault = _PATH_FAULTS.get(found[2] or "", lowered(found[3] or found[2] or ""))
    near = did_you_mean(path.name, _beside(path)) if found[2] == "does not exist" else ""
    if not near and found[1] == DEFAULT_POLICIES:
        near = "; name your policy file, or the folder it is in"
    return f"{quoted(found[1])}: {fault}{near}"


def _beside(path: Path) -> Iterable[str]:
    try:
        return [each.name for _, each in zip(range(_MOST_FILES), path.parent.iterdir(), strict=False)]
    except OSError:
        return []


def _range(kind: click.IntRange) -> str:
    if kind.min is not None and kind.max is not None:
        return f"a whole number from {kind.min} to {kind.max}"
    return f"a whole number from {kind.min} on" if kind.min is not None else "a whole number"


def _form(parameter: click.Parameter) -> str:
    """Return what a value looks like, where that is known."""
    if isinstance(parameter.type, click.Choice):
        return f", one of {', '.join(map(str, parameter.type.choices))}"
    return f", such as {parameter.metavar}" if parameter.metavar else ""


def _shown(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return (parameter.metavar or parameter.name or "argument").strip("[].").upper()
