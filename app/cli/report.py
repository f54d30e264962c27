"""Print for people and for programs: in colour on a terminal, plain lines elsewhere, JSON and tables."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from app.core.decision_text import one_line, reasons
from app.yaml.problem import Problem, Severity


def colours() -> bool | None:
    """Return False if NO_COLOR is set (no-color.org); else None, and click detects a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def echo(text: str, *, colour: str | None = None, err: bool = False) -> None:
    """Print a line."""
    click.echo(click.style(text, fg=colour) if colour else text, color=colours(), err=err)


def echo_line(text: str, colour: str | None) -> None:
    """Print a line whose first word is a state, in colour and bold on a terminal."""
    if colour is None:
        echo(text)
        return
    word, space, rest = text.partition(" ")
    click.echo(click.style(word, fg=colour, bold=True) + space + rest, color=colours())


def plain(text: object) -> str:
    """Return a text on one line, without characters that would control a terminal or a CI system."""
    return one_line(text)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make it wrong usage that a file can't be written."""
    try:
        yield
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from None


def print_json(value: object) -> None:
    """Print a value as one line of JSON."""
    click.echo(json.dumps(value))


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a head, each column as wide as its widest cell."""
    cells = [head, *([plain(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_answer(body: dict[str, Any]) -> None:
    """Print an answer: its message, then each blocking policy with its reason and contact."""
    colour = {"allow": "green", "override": "green", "warn": "yellow"}.get(body["outcome"], "red")
    echo(plain(body["message"]), colour=colour)
    for line in reasons(body):
        echo(line)


def print_problems(problems: Iterable[Problem], *, github: bool) -> None:
    """Print the problems of policy files, a line each as compilers do; for GitHub an annotation too."""
    for problem in problems:
        is_error = problem.severity is Severity.ERROR
        echo(str(problem), colour="red" if is_error else "yellow")
        if github:
            sentence = f"{problem.path}: {problem.message}" if problem.path else problem.message
            place = (problem.line, problem.column)
            level = "error" if is_error else "warning"
            click.echo(github_annotation(level, problem.file, place, sentence))


def github_annotation(level: str, file: str, position: tuple[int, int], message: str) -> str:
    """Return a GitHub workflow command, with its data and properties escaped as the runner expects."""
    line, column = position
    data = _escaped(message)
    place = _escaped(file).replace(",", "%2C").replace(":", "%3A")
    return f"::{level} file={place},line={line},col={column}::{data}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
