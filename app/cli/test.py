"""``freezegate test``: run the tests that policy files carry."""

import json
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import click

from app.cli import FROZEN, fail
from app.cli.options import as_json, github, paths
from app.cli.report import echo, github_annotation
from app.policies.load import load_untested
from app.policies.problem import PolicyFileError
from app.policies.selftest import SelfTestResult, run
from app.policies.source import Source


@click.command("test")
@paths
@as_json
@github
@click.option("--junit", type=click.Path(path_type=Path), help="Write a JUnit report to this file.")
def command(*, paths: tuple[Path, ...], as_json: bool, github: bool, junit: Path | None) -> int:
    """Run the `tests:` of policy files; each PATH is a set of its own. Exits 1 if one fails."""
    results: list[SelfTestResult] = []
    unreadable = False
    for path in paths:
        try:
            results.extend(_run(path))
        except PolicyFileError as error:
            unreadable = True
            source = Source(path)
            for problem in error.problems:
                fail(str(source.shown(problem)))
    if as_json:
        click.echo(json.dumps([_as_json(result) for result in results]))
    else:
        _print(results, github=github)
    if junit is not None:
        junit.write_text(junit_report(results), encoding="utf-8")
    return FROZEN if unreadable or not all(result.passed for result in results) else 0


def junit_report(results: Sequence[SelfTestResult]) -> str:
    """The results in the XML that CI systems read."""
    failed = sum(not result.passed for result in results)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name="freezegate" tests="{len(results)}" failures="{failed}">',
    ]
    for result in results:
        lines.append(f"<testcase classname={quoteattr(result.file)} name={quoteattr(result.name)}>")
        if not result.passed:
            lines.append(f"<failure>{escape(_difference(result))}</failure>")
        lines.append("</testcase>")
    return "\n".join([*lines, "</testsuite>", ""])


def _run(path: Path) -> list[SelfTestResult]:
    folder = path if path.is_dir() else path.parent
    return [
        result._replace(file=str(folder / result.file)) for result in run(load_untested(Source(path).read()))
    ]


def _print(results: Sequence[SelfTestResult], *, github: bool) -> None:
    for result in results:
        if result.passed:
            echo(f"ok    {result.name}", colour="green")
            continue
        echo(f"FAIL  {result.file}:{result.line}: {result.name}", colour="red")
        echo(f"      {_difference(result)}")
        if github:
            message = f"{result.name}: {_difference(result)}"
            click.echo(github_annotation("error", result.file, result.line, message))
    passed = sum(result.passed for result in results)
    echo(f"{passed} passed, {len(results) - passed} failed")


def _difference(result: SelfTestResult) -> str:
    return f"expected {result.expected}, got {result.got}"


def _as_json(result: SelfTestResult) -> dict[str, object]:
    return {name: getattr(result, name) for name in ("file", "name", "passed", "expected", "got")}
