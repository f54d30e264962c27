"""``freezegate lint``: say what is wrong with policy files, and what is suspicious."""

import json
from pathlib import Path

import click

from app.cli import FROZEN
from app.cli.options import as_json, github, paths
from app.cli.report import annotation, echo
from app.clock import SystemClock
from app.policies.lint import lint
from app.policies.problem import Problem, Severity
from app.policies.source import Source


@click.command("lint")
@paths
@as_json
@github
@click.option("--strict", is_flag=True, help="Let warnings fail as well.")
def command(*, paths: tuple[Path, ...], as_json: bool, github: bool, strict: bool) -> int:
    """Check policy files; each PATH is a set of its own. Exits 1 if one is wrong."""
    now = SystemClock().now()
    found: list[Problem] = []
    for path in paths:
        source = Source(path)
        found.extend(source.shown(problem) for problem in lint(source.read(), now))
    errors = [problem for problem in found if problem.severity is Severity.ERROR]
    if as_json:
        click.echo(json.dumps([problem.to_json() for problem in found]))
    else:
        for problem in found:
            echo(str(problem), colour="red" if problem.severity is Severity.ERROR else "yellow")
            if github:
                click.echo(annotation(problem))
        if not found:
            echo("nothing to complain about", colour="green")
    return FROZEN if errors or (strict and found) else 0
