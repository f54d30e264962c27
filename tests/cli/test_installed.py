"""The command as `make run` installs it: it imports nothing from the caller's folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import POLICIES

INSTALLED = [str(Path(sys.executable).with_name("freezegate"))]


def hostile_folder(folder: Path) -> Path:
    """Fill a folder with modules that allow everything, under names that the command imports."""
    allow = "raise SystemExit(0)\n"
    package = folder / "app"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for file in ("app/cli.py", "json.py", "click.py", "urllib.py", "sitecustomize.py"):
        (folder / file).write_text(allow)
    (folder / "policies.yaml").write_text(POLICIES)
    return folder


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    return hostile_folder(tmp_path)


@pytest.mark.parametrize("path", [None, "."], ids=["as it is", "with the folder on PYTHONPATH"])
def test_what_lies_in_the_callers_folder_is_not_run(path: str | None, hostile: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*INSTALLED, "check", "api", "--policies", "policies.yaml", "--at", "2026-11-27T13:00:00Z"],
        cwd=hostile,
        env={**environment, **({"PYTHONPATH": path} if path else {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "No deploys after Friday 14:00" in done.stdout
