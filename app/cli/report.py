"""How commands print: in colour for people at a terminal, in plain lines for everybody else."""

import os
from typing import Any

import click

from app.core.decision_text import one_line, reasons


def colours() -> bool | None:
    """False where NO_COLOR is set (no-color.org); else None: click looks whether it is a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def echo(text: str, *, colour: str | None = None, err: bool = False) -> None:
    """Print a line."""
    click.echo(click.style(text, fg=colour) if colour else text, color=colours(), err=err)


def plain(text: object) -> str:
    """A text from elsewhere on one line, without anything that would command a terminal or a CI system."""
    return one_line(text)


def print_answer(body: dict[str, Any]) -> None:
    """Print an answer: the sentence, then each policy that blocks, its reason and whom to ask."""
    colour = {"allow": "green", "override": "green", "warn": "yellow"}.get(body["outcome"], "red")
    echo(plain(body["message"]), colour=colour)
    for line in reasons(body):
        echo(line)


def github_annotation(level: str, file: str, position: tuple[int, int], message: str) -> str:
    """A GitHub workflow command; its data and properties are escaped as the runner reads them."""
    line, column = position
    data = _escaped(message)
    place = _escaped(file).replace(",", "%2C").replace(":", "%3A")
    return f"::{level} file={place},line={line},col={column}::{data}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
