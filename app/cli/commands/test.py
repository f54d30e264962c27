"""``freezegate test``: run the tests in policy files."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

import click

from app.cli import ALLOWED, FROZEN, exits
from app.cli.files import loaded_from
from app.cli.options import as_json, github, paths
from app.cli.report import echo, github_annotation, plain, print_json, print_problems, writing
from app.policies.selftest import SelfTestResult, run
from app.policies.source import Source
from app.yaml.problem import PolicyFileError, Problem


class PathResult(NamedTuple):
    """The results of one path; `problems` if its tests could not be run."""

    results: list[SelfTestResult]
    problems: tuple[Problem, ...] = ()


@click.command(
    "test",
    epilog=exits(
        "every test passes",
        failed="a test fails, or policies can't be used",
        undecided="the tests could not run",
    ),
)
@paths
@as_json
@github
@click.option(
    "--junit", metavar="FILE", type=click.Path(path_type=Path), help="Write a JUnit report to this file."
)
def command(*, paths: tuple[Path, ...], as_json: bool, github: bool, junit: Path | None) -> int:
    """Run the `tests:` of policy files. Each PATH is a separate policy set.

    Policies that can't be used count as one failed test, "policies can be used".
    """
    by_path = [run_path(path) for path in paths]
    results = [result for each in by_path for result in each.results]
    if as_json:
        print_json([result.to_json() for result in results])
    else:
        _print(by_path, github=github)
    if junit is not None:
        _write_report(junit, junit_report(results))
    return ALLOWED if all(result.passed for result in results) else FROZEN


def run_path(path: Path) -> PathResult:
    """Run the tests of the policies at a path; results name files by the path that the user gave."""
    source = Source(path)
    folder = path if path.is_dir() else path.parent
    try:
        results = run(loaded_from(source, source.read(), tested=False))
    except PolicyFileError as error:
        first = error.problems[0]
        unusable = SelfTestResult(
            str(path), "policies can be used", False, "no errors", str(error), first.line, first.column, ""
        )
        return PathResult([unusable], error.problems)
    return PathResult([result._replace(file=str(folder / result.file)) for result in results])


def junit_report(results: Sequence[SelfTestResult]) -> str:
    """Return the results as JUnit XML, with one suite per file."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for file, group in groupby(results, lambda result: result.file):
        suite = list(group)
        failed = sum(not result.passed for result in suite)
        lines.append(
            f"<testsuite name={_attribute(file)} tests='{len(suite)}' failures='{failed}' errors='0'>"
        )
        for result in suite:
            lines.append(f"<testcase classname={_attribute(file)} name={_attribute(result.name)}>")
            if not result.passed:
                place = f"{result.file}:{result.line}:{result.column}: "
                text = escape(_for_xml(place + _difference(result)))
                lines.append(f"<failure message={_attribute(_difference(result))}>{text}</failure>")
            lines.append("</testcase>")
        lines.append("</testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])


def _attribute(text: str) -> str:
    return quoteattr(_for_xml(text))


def _for_xml(text: str) -> str:
    """Replace the characters that XML 1.0 can't represent."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)


def _print(by_path: Sequence[PathResult], *, github: bool) -> None:
    results = [result for each in by_path for result in each.results]
    for each in by_path:
        if each.problems:
            print_problems(each.problems, github=github)
            continue
        for result in each.results:
            _print_result(result, github=github)
    passed = sum(result.passed for result in results)
    echo(f"{passed} passed, {len(results) - passed} failed")


def _print_result(result: SelfTestResult, *, github: bool) -> None:
    if result.passed:
        echo(plain(f"ok    {result.name}"), colour="green")
        return
    echo(plain(f"FAIL  {result.file}:{result.line}:{result.column}: {result.name}"), colour="red")
    echo(plain(f"      {_difference(result)}"))
    if github:
        message = f"{result.name}: {_difference(result)}"
        click.echo(github_annotation("error", result.file, (result.line, result.column), message))


def _difference(result: SelfTestResult) -> str:
    return f"expected {result.expected}, got {result.got}"


def _write_report(file: Path, report: str) -> None:
    with writing(file):
        file.write_text(report, encoding="utf-8")
