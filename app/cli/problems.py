"""How commands tell what is wrong with policy files."""

from collections.abc import Iterable

import click

from app.cli.report import echo, github_annotation
from app.yaml.problem import Problem, Severity


def print_problems(problems: Iterable[Problem], *, github: bool, err: bool = False) -> None:
    """A line each, as compilers write them; for GitHub, the annotation as well."""
    for problem in problems:
        wrong = problem.severity is Severity.ERROR
        echo(str(problem), colour="red" if wrong else "yellow", err=err)
        if github:
            sentence = f"{problem.path}: {problem.message}" if problem.path else problem.message
            place = (problem.line, problem.column)
            level = "error" if wrong else "warning"
            click.echo(github_annotation(level, problem.file, place, sentence), err=err)
