"""`freezegate lint --strict` passes for what we ship and for what the documents show."""

import re
import textwrap
from pathlib import Path

import pytest

from app.core.instant import parse_instant
from app.policies.lint.lint import lint
from app.policies.source import Snapshot, Source
from app.yaml.problem import Problem

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMED = re.compile(r"# (\S+\.yaml)\n")
HEAD = "version: 1\nenvironments: [production, staging]\n"
TESTS = "tests: [{at: 2026-11-25 12:00, service: api, environment: staging, expect: allow}]\n"

# The files have dates of 2026 and 2027; a test of what is past would fail by the calendar on the wall.
NOW = parse_instant("2026-11-29T12:00:00Z")


def linted(text: str) -> list[Problem]:
    calendar = (ROOT / "tests/policies/lint/misread/free.ics").read_text()
    return lint(Snapshot.of(text, calendars={"releases.ics": calendar}), NOW)


def policy(when: str) -> str:
    return (
        "policies:\n  - id: a\n    title: t\n    reason: r\n    applies_to: {environments: [production]}\n"
        f"    when:\n{when}"
    )


def snippets(page: Path) -> list[str]:
    blocks = re.findall(
        r"^( *```yaml\n.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [textwrap.dedent(block).partition("\n")[2] for block in blocks]


@pytest.mark.parametrize("path", ["policies.yaml", "deploy/kubernetes/policies.yaml"])
def test_the_shipped_files_are_clean(path: str) -> None:
    assert lint(Source(ROOT / path).read(), NOW) == []


def test_every_policy_file_of_the_documents_is_clean() -> None:
    files = [
        text
        for page in PAGES
        for text in snippets(page)
        if "\npolicies:\n" in f"\n{text}" and not NAMED.match(text)
    ]
    assert len(files) >= 2
    for text in files:
        whole = text if "version:" in text else HEAD + text
        assert linted(whole if "\ntests:" in whole else whole + TESTS) == [], text


def test_every_folder_of_the_documents_is_clean() -> None:
    """Blocks that begin with a file's name are one folder together."""
    folders = [{match[1]: text for text in snippets(page) if (match := NAMED.match(text))} for page in PAGES]
    assert any(folders)
    for folder in filter(None, folders):
        assert lint(Snapshot(folder), NOW) == []


def test_every_holiday_window_of_the_documents_is_clean() -> None:
    windows = re.findall(
        r"^\| `holidays` \| `(.*?)` \|", (ROOT / "docs/reference/policies.md").read_text(), re.MULTILINE
    )
    windows += [
        each
        for page in PAGES
        for each in re.findall(r"- holidays: (\{.*?\})$", page.read_text(), re.MULTILINE)
    ]
    assert len(windows) >= 2
    for window in windows:
        assert linted(HEAD + policy(f"      - holidays: {window}\n") + TESTS) == [], window


def test_the_holiday_windows_in_the_comments_of_the_shipped_file_are_clean() -> None:
    windows = re.findall(r"^ *#? +- holidays: (\{.*?\})$", (ROOT / "policies.yaml").read_text(), re.MULTILINE)
    assert len(windows) == 3
    for window in windows:
        assert linted(HEAD + policy(f"      - holidays: {window}\n") + TESTS) == [], window
