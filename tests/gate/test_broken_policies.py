"""Every kind of broken policy file: dropped in it changes nothing, at start it refuses to start."""

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import UNDECIDED
from app.cli.commands.serve import command
from app.gate.in_force import LoadFailure, Policies
from app.policies.source import Source
from tests.gate.conftest import reload
from tests.live.gate import ROOT

NOW = 1_795_784_700
BROKEN = sorted((ROOT / "tests/policies/broken").glob("*.yaml"))


@pytest.mark.parametrize("broken", BROKEN, ids=lambda path: path.stem)
def test_dropped_in_during_a_reload_it_leaves_the_old_set_in_force(broken: Path, tmp_path: Path) -> None:
    file = tmp_path / "policies.yaml"
    shutil.copy(ROOT / "policies.yaml", file)
    policies = Policies()
    before = policies.load(Source(file), NOW)
    shutil.copy(broken, file)
    failure = reload(policies, NOW + 1)
    assert isinstance(failure, LoadFailure)
    assert failure.problems
    assert policies.in_force is before
    assert policies.last_error is failure
    assert reload(policies, NOW + 2) is None
    shutil.copy(ROOT / "policies.yaml", file)
    reload(policies, NOW + 3)
    assert policies.last_error is None
    assert policies.in_force is before


@pytest.mark.parametrize("broken", BROKEN, ids=lambda path: path.stem)
def test_at_start_it_refuses_with_status_3_and_its_errors(
    broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "policies.yaml"
    shutil.copy(broken, file)
    os.utime(file, (0, 0))  # so that it does not count as still being written
    for name in ("HOST", "PORT", "POLICIES", "DATABASE_URL"):
        monkeypatch.delenv(f"FREEZEGATE_{name}", raising=False)
    ran = CliRunner().invoke(command, ["--policies", str(file), "--port", "0"], standalone_mode=False)
    assert ran.return_value == UNDECIDED
    assert f"freezegate: {file}:" in ran.stderr


def test_there_are_forty_kinds_at_least() -> None:
    assert len(BROKEN) >= 40
