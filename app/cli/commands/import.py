"""``freezegate import``: make policies from the freeze windows of another program."""  # noqa: N999 - a command's file is named like it

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import click

from app.cli import ALLOWED, FROZEN, exits
from app.cli.options import checked, name, zone_name
from app.cli.report import echo, plain, writing
from app.clock import SystemClock
from app.core.counted import counted
from app.core.errors import MalformedValueError
from app.policies.importers.convert import Converted, convert
from app.policies.importers.formats import FORMATS
from app.policies.importers.globs import service_glob
from app.policies.importers.imported import ImportOptions, Remark, SourceText
from app.yaml.syntax import LARGEST, position_of

_FIELDS: Final[dict[str, Literal["services", "environments"]]] = {
    "service": "services",
    "environment": "environments",
}


def _mapping(text: str) -> tuple[str, tuple[Literal["services", "environments"], str]]:
    """Parse ``clusters/in-cluster=environment:production``."""
    selector, equals, target = text.rpartition("=")
    kind, colon, value = target.partition(":")
    if not (selector and equals and colon and kind in _FIELDS):
        raise MalformedValueError("not of the form SELECTOR=environment:NAME or SELECTOR=service:NAME")
    return selector, (_FIELDS[kind], service_glob(value) if kind == "service" else name(value))


def _each(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, tuple[Literal["services", "environments"], str]]:
    try:
        return dict(map(_mapping, texts))
    except MalformedValueError as error:
        raise click.BadParameter(str(error)) from None


def _names(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(map(name, texts))
    except MalformedValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(
    "import",
    epilog=exits(
        "written",
        failed="windows are refused, so nothing is written",
        undecided="a file can't be read or written",
    ),
)
@click.argument("source", metavar="FORMAT", type=click.Choice(list(FORMATS)))
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write to this file instead of standard output; an existing file is never overwritten.",
)
@click.option(
    "--environment",
    "environments",
    metavar="NAME",
    multiple=True,
    default=("production",),
    show_default=True,
    callback=_names,
    help="Environment that the windows are about; repeatable.",
)
@click.option(
    "--service",
    "services",
    metavar="NAME",
    multiple=True,
    callback=_names,
    help="Service that the windows are about where the source names none; repeatable; default: all.",
)
@click.option(
    "--timezone",
    metavar="ZONE",
    callback=checked(zone_name),
    help="Zone of times that have none in the source; default: the source's own default.",
)
@click.option(
    "--map",
    "mapped",
    metavar="SELECTOR=environment:NAME",
    multiple=True,
    callback=_each,
    help="Environment (or service:NAME) that a selector of the source stands for; repeatable.",
)
@click.option("--partial", is_flag=True, help="Write what can be imported, even if windows are refused.")
def command(
    *,
    source: str,
    files: tuple[Path, ...],
    output: Path | None,
    environments: tuple[str, ...],
    services: tuple[str, ...],
    timezone: str | None,
    mapped: dict[str, tuple[Literal["services", "environments"], str]],
    partial: bool,
) -> int:
    """Write policies with the same meaning as the windows in FILE (`-` reads standard input).

    Each policy has its origin in a comment, and tests. A window that policies can't express is refused with
    its place and the reason; then nothing is written, unless you give `--partial`. The report goes to
    standard error.
    """
    if output is not None and output.exists():
        raise click.UsageError(f"{output} exists already; give the path of a file that does not")
    options = ImportOptions(SystemClock().now(), environments, services, timezone, mapped)
    converted = convert(source, [_read(path) for path in files], options)
    _report("refused", converted.refused, "red")
    _report("differs", converted.differences, "yellow")
    if converted.refused and not partial:
        echo(f"{_summary(converted)}; nothing is written without --partial", err=True)
        return FROZEN
    _write(converted, output)
    echo(_summary(converted), err=True)
    return ALLOWED


def _report(word: str, remarks: Sequence[Remark], colour: str) -> None:
    for remark in remarks:
        echo(plain(f"{remark.origin}: {word}: {remark.sentence}"), colour=colour, err=True)


def _summary(converted: Converted) -> str:
    counts = (
        counted(converted.windows, "window"),
        counted(converted.policies, "policy", "policies"),
        counted(converted.tests, "test"),
        f"{len(converted.refused):,} refused",
    )
    return ", ".join(counts)


def _read(path: Path) -> SourceText:
    """Return the text of a file, or of standard input."""
    is_input = str(path) == "-"
    if is_input:
        content = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    shown = "standard input" if is_input else str(path)
    if len(content) > LARGEST:
        raise click.UsageError(f"{shown} is larger than 16 MiB")
    try:
        return SourceText(shown, content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = position_of(content[: error.start].decode("utf-8", "replace"), error.start).line
        raise click.UsageError(f"{shown} is not UTF-8 from line {line} on") from None


def _write(converted: Converted, output: Path | None) -> None:
    """Write the policies, and the calendars that they name beside them."""
    if output is None and converted.calendars:
        raise click.UsageError("the policies need a calendar file beside them; give --output")
    if output is None:
        click.echo(converted.text, nl=False)
        return
    for file, text in {**converted.calendars, output.name: converted.text}.items():
        path = output.with_name(file)
        with writing(path), path.open("x", encoding="utf-8") as target:
            target.write(text)
