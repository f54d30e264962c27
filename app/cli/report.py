"""How commands print: in colour for people at a terminal, in plain lines for everybody else."""

import os
from typing import Any

import click

from app.cli.oracle import Answer
from app.policies.problem import Problem, Severity


def colours() -> bool | None:
    """False where NO_COLOR is set (no-color.org); else None: click looks whether it is a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def echo(text: str, *, colour: str | None = None, err: bool = False) -> None:
    """Print a line."""
    click.echo(click.style(text, fg=colour) if colour else text, color=colours(), err=err)


def answer_lines(answer: Answer) -> None:
    """Print an answer: the sentence, then each policy that blocks, its reason and whom to ask."""
    body = answer.body
    colour = {"allow": "green", "override": "green", "warn": "yellow"}.get(body["outcome"], "red")
    echo(body["message"], colour=colour)
    for entry in (*body["blocking"], *body.get("warnings", ())):
        _entry_line(entry)


def annotation(problem: Problem) -> str:
    """A problem as a GitHub workflow command, escaped for it."""
    level = "error" if problem.severity is Severity.ERROR else "warning"
    return github_annotation(level, problem.file, problem.line, f"{problem.path}: {problem.message}")


def github_annotation(level: str, file: str, line: int, message: str) -> str:
    """A GitHub workflow command; its data and properties are escaped as the runner reads them."""
    data = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    place = file.replace("%", "%25").replace(",", "%2C").replace(":", "%3A")
    return f"::{level} file={place},line={line}::{data}"


def _entry_line(entry: dict[str, Any]) -> None:
    contact = f" Ask {entry['contact']}." if entry.get("contact") else ""
    link = f" {entry['link']}" if entry.get("link") else ""
    echo(f"  {entry['id']}: {entry['reason']}{contact}{link}")
