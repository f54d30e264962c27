"""The command as `make run` and the image install it: it imports nothing from the caller's folder."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import POLICIES
from tests.live.gate import ROOT, running

INSTALLED = [str(Path(sys.executable).with_name("freezegate"))]
IMAGE = (ROOT / "Dockerfile").read_text()


def of_the_image(instruction: str) -> list[str]:
    """Return a command of the Dockerfile, with this environment's Python instead of the image's."""
    found = re.findall(rf"^ *{instruction} (\[.*\])$", IMAGE, re.MULTILINE)
    python, *rest = json.loads(found[0])
    assert python == "/opt/freezegate/bin/python"
    return [sys.executable, *rest]


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Create a folder whose modules allow everything, under names that the command imports."""
    allow = "raise SystemExit(0)\n"
    package = tmp_path / "app"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for file in ("app/cli.py", "json.py", "click.py", "urllib.py", "sitecustomize.py"):
        (tmp_path / file).write_text(allow)
    (tmp_path / "policies.yaml").write_text(POLICIES)
    return tmp_path


@pytest.mark.parametrize("command", [INSTALLED, of_the_image("ENTRYPOINT")], ids=["make", "image"])
@pytest.mark.parametrize("path", [None, "."], ids=["as it is", "with the folder on PYTHONPATH"])
def test_what_lies_in_the_callers_folder_is_not_run(
    command: list[str], path: str | None, hostile: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*command, "check", "api", "--policies", "policies.yaml", "--at", "2026-11-27T13:00:00Z"],
        cwd=hostile,
        env={**environment, **({"PYTHONPATH": path} if path else {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "No deploys after Friday 14:00" in done.stdout


def test_the_images_health_check_asks_the_port_that_is_set_and_runs_nothing_of_its_folder(
    hostile: Path, tmp_path: Path
) -> None:
    def health(port: str) -> int:
        environment = {**os.environ, "FREEZEGATE_PORT": port, "http_proxy": "http://127.0.0.1:9"}
        check = of_the_image("CMD")
        return subprocess.run(
            check, cwd=hostile, env=environment, capture_output=True, check=False
        ).returncode

    with running(ROOT / "policies.yaml", tmp_path / "gate.db") as gate:
        assert health(gate.url.rpartition(":")[2]) == 0
        assert health("9") != 0


def test_the_image_has_the_command_by_its_name(tmp_path: Path) -> None:
    steps = [json.loads(step) for step in re.findall(r"^RUN (\[.*\])$", IMAGE, re.MULTILINE)]
    [code] = [step[2] for step in steps if "bin/freezegate" in step[-1]]
    command = tmp_path / "freezegate"
    code = code.replace("/opt/freezegate/bin/freezegate", str(command))
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "/opt/freezegate/bin/python -I -B -u -m app.cli" in command.read_text()
    command.write_text(command.read_text().replace("/opt/freezegate/bin/python", sys.executable))
    done = subprocess.run(
        [command, "check", "two words"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, 'SERVICE "two words"' in done.stderr) == (2, True)
    assert "COPY --from=build /opt/freezegate/bin/freezegate /usr/local/bin/freezegate" in IMAGE


def test_the_image_sets_nothing_that_its_isolated_python_would_not_read() -> None:
    assert "-I" in of_the_image("ENTRYPOINT")
    assert "PYTHON" not in IMAGE
