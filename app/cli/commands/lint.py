"""``freezegate lint``: say what is wrong with policy files, and what is suspicious."""

import json
from pathlib import Path

import click

from app.cli import ALLOWED, FROZEN
from app.cli.options import as_json, github, paths
from app.cli.problems import print_problems
from app.cli.report import echo
from app.clock import SystemClock
from app.policies.lint.lint import lint
from app.policies.source import Source
from app.yaml.problem import Problem, Severity


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
        found.extend(map(source.shown, lint(source.read(), now)))
    errors = sum(problem.severity is Severity.ERROR for problem in found)
    if as_json:
        click.echo(json.dumps([problem.to_json() for problem in found]))
    else:
        print_problems(found, github=github)
        verdict = f"{_counted(errors, 'error')}, {_counted(len(found) - errors, 'warning')}"
        echo(verdict if found else "nothing to complain about", colour=None if found else "green")
    return FROZEN if errors or (strict and found) else ALLOWED


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
