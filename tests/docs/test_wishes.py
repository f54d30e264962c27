"""The table of wishes: each row leads to a file that lint accepts, and that its own tests prove."""

import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from app.core.instant import parse_instant
from app.core.notation import parse_duration
from app.policies.lint.lint import lint
from app.policies.load import load
from app.policies.moment import parse_moment
from app.policies.source import Snapshot
from tests.live.gate import ROOT
from tests.spec.twin import Twin
from tests.test_cases import with_booleans

FOLDER: Final = ROOT / "docs/how-to/policies/wishes"
PAGE: Final = (FOLDER / "README.md").read_text(encoding="utf-8")
FILES: Final = sorted(FOLDER.glob("*.yaml"))
NEAR: Final = 86_400
"""How far around a test the twin looks: it answers for an instant."""
NOW: Final = parse_instant("2026-11-29T12:00:00Z")


def rows() -> list[tuple[str, list[str], str]]:
    """Return of each row the wish, the keys and values that it names, and its file."""
    found = re.findall(r"^\| (.+?) \| (.+?) \| \[(\S+\.yaml)\]\(\3\) \|$", PAGE, re.MULTILINE)
    return [(wish, re.findall("`(.+?)`", said), file) for wish, said, file in found]


def test_the_table_has_forty_wishes_and_a_row_for_each_file() -> None:
    assert sorted(file for _, _, file in rows()) == [file.name for file in FILES]
    assert len(FILES) >= 40
    assert f"{len(FILES)} wishes from public threads" in PAGE


def test_a_row_names_what_its_file_says() -> None:
    for wish, said, file in rows():
        text = (FOLDER / file).read_text(encoding="utf-8")
        assert text.startswith(f"# {wish}\n"), file
        assert [words for words in said if words not in text] == [], file


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_wish_comes_true_by_its_own_tests_without_a_warning(file: Path) -> None:
    snapshot = Snapshot.of(file.read_text(encoding="utf-8"))
    assert [str(problem) for problem in lint(snapshot, NOW)] == []
    policies = load(snapshot).policy_set  # runs the tests
    assert {test.expect for test in policies.tests} > {"allow"}
    named = {name for test in policies.tests for name in test.by or ()}
    assert named == {policy.id for policy in policies.policies}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_slow_twin_reads_each_wish_alike(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    # Every scalar stays text, so that 14:00 is no number and 2026-12-11 no date.
    plain = with_booleans(yaml.load(text, yaml.BaseLoader))  # noqa: S506 - it makes nothing but text
    for placed in load(Snapshot.of(text)).tests:
        test, at = placed.test, parse_moment(placed.test.at, placed.zone)
        question = {"service": test.service, "environment": test.environment, "change": test.change}
        end = at + max(parse_duration(test.duration), 1)
        blocking, warnings = Twin(plain, question, (at - NEAR, end + NEAR), {}).holding(at, end)
        assert ("deny" if blocking else "warn" if warnings else "allow") == test.expect, test
        assert test.by is None or set(blocking or warnings) == set(test.by), test
