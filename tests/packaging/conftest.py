"""The wheel, built without a network, and an environment in which it is installed beside another `app`."""

import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from tests.live.gate import ROOT

RELEASED = "1767225600"
"""The time of the files in the archives, in seconds since 1970; `make dist` takes that of the last commit."""


class Installed(NamedTuple):
    """An environment of its own, as pip makes it of a wheel."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    @property
    def command(self) -> str:
        return str(self.folder / "bin" / "freezegate")

    def run(self, *command: str, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=cwd,
            env={**bare_environment(), **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def bare_environment() -> dict[str, str]:
    """The machine's environment without the paths and settings that tests run with."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FREEZEGATE_", "PYTHON", "OTEL_"))
    }


def build(source: Path, target: Path, *kinds: str) -> None:
    """Build distributions from the installed hatchling alone."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(target), *kinds],
        cwd=source,
        env={**bare_environment(), "SOURCE_DATE_EPOCH": RELEASED},
        capture_output=True,
        timeout=120,
        check=True,
    )


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder)
    return folder


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel beside the locked packages and a stranger's package `app`."""
    folder = tmp_path_factory.mktemp("installed")
    stranger = tmp_path_factory.mktemp("stranger")
    (stranger / "app").mkdir()
    for module in ("__init__", "main", "cli"):
        (stranger / "app" / f"{module}.py").write_text('OWNER = "a stranger"\n')
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "paths.pth").write_text(f"{Path(click.__file__).parents[1]}\n{stranger}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(folder), "install", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--quiet", "--no-deps", "--no-index", str(wheel)],
        env=bare_environment(),
        capture_output=True,
        timeout=120,
        check=True,
    )
    return Installed(folder)
