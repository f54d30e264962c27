"""``freezegate lint``: report errors in policy files, and valid but probably unintended rules."""

import json
from pathlib import Path

import click

from app.cli import ALLOWED, FROZEN, exits
from app.cli.calendars import CommandCalendars
from app.cli.options import as_json, github, paths
from app.cli.report import echo, print_problems
from app.clock import SystemClock
from app.core.counted import counted
from app.policies.lint.lint import lint
from app.policies.source import Source
from app.yaml.problem import Problem, Severity


@click.command(
    "lint",
    epilog=exits(
        "no errors", failed="errors; with --strict, warnings too", undecided="the check could not run"
    ),
)
@paths
@as_json
@github
@click.option("--strict", is_flag=True, help="Exit 1 on warnings too.")
@click.option("--offline", is_flag=True, help="Don't fetch calendars by URL; their events are not checked.")
def command(*, paths: tuple[Path, ...], as_json: bool, github: bool, strict: bool, offline: bool) -> int:
    """Check policy files. Each PATH is a separate policy set."""
    found = _problems(paths, offline=offline)
    errors = sum(problem.severity is Severity.ERROR for problem in found)
    if as_json:
        click.echo(json.dumps([problem.to_json() for problem in found]))
    else:
        print_problems(found, github=github)
        summary = f"{counted(errors, 'error')}, {counted(len(found) - errors, 'warning')}"
        echo(summary if found else "OK: no problems found", colour=None if found else "green")
    return FROZEN if errors or (strict and found) else ALLOWED


def _problems(paths: tuple[Path, ...], *, offline: bool) -> list[Problem]:
    """Return the problems of all sets, each with its file as the user gave the path."""
    clock = SystemClock()
    calendars, found = CommandCalendars(clock, offline=offline), list[Problem]()
    for path in paths:
        source = Source(path, calendars)
        snapshot = source.read()
        found += map(source.shown, [*lint(snapshot, clock.now()), *calendars.problems(snapshot)])
    return found
