"""The demo shows what it says: two deploys wait, one of them unheard, and both go on when the freeze ends."""

import re

import pytest

from tests.integrations.github import demo
from tests.live.gate import ROOT


def test_the_demo_ends_with_both_deploys_approved(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(4) == 0
    shown = capsys.readouterr().out
    assert len(re.findall("gate    run .*: approved", shown)) == 2
    assert "still waits" in shown
    assert "No deploys during the demo" in shown
    assert shown.endswith("both deploys go on; none of them had a runner meanwhile\n")


def test_the_demo_says_when_something_is_wrong() -> None:
    assert "while it was frozen" in demo._conclusion(approved=True, early=True)
    assert demo._conclusion(approved=False, early=False) == "a deploy still waits"


def test_make_runs_it() -> None:
    assert "tests.integrations.github.demo" in (ROOT / "Makefile").read_text()
