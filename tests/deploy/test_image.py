"""The image, by the steps of its Dockerfile: what it serves, and what of the caller's it never runs."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from app import __version__
from tests.cli.test_installed import hostile_folder
from tests.deploy.image import DOCKERFILE, Image, build, labels, locked_packages
from tests.live.gate import ROOT, running
from tests.packaging.conftest import bare_environment
from tests.packaging.test_wheel import FRIDAY, listening, read


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build(tmp_path_factory.mktemp("image"), packages=locked_packages())


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    return hostile_folder(tmp_path)


def test_the_container_denies_and_shows_its_pages(image: Image, tmp_path: Path) -> None:
    command = [*image.command("ENTRYPOINT"), *image.command("CMD")]
    here = {"FREEZEGATE_HOST": "127.0.0.1", "FREEZEGATE_PORT": "0", "FREEZEGATE_DATA": str(tmp_path)}
    with listening(command, tmp_path, **{**image.environment, **here}) as local:
        curl = ["curl", "-sS", "-f", "-m", "20", f"{local}/can-deploy?service=api&at={FRIDAY}"]
        asked = subprocess.run(curl, capture_output=True, text=True, check=False)
        assert (asked.returncode, "423" in asked.stderr) == (22, True)
        linked = re.findall(r'(?:src|href)="(/static/[^"]+)"', read(f"{local}/").decode())
        assert linked
        assert all(read(local + path) for path in linked)
    assert (tmp_path / "freezegate.db").exists()


@pytest.mark.parametrize("path", [None, "."], ids=["as it is", "with the folder on PYTHONPATH"])
def test_what_lies_in_the_callers_folder_is_not_run(image: Image, path: str | None, hostile: Path) -> None:
    check = ["check", "api", "--policies", "policies.yaml", "--at", FRIDAY]
    done = subprocess.run(
        [*image.command("ENTRYPOINT"), *check],
        cwd=hostile,
        env={**bare_environment(), **({"PYTHONPATH": path} if path else {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "No deploys after Friday 14:00" in done.stdout


def test_the_health_check_asks_the_port_that_is_set_and_runs_nothing_of_its_folder(
    image: Image, hostile: Path, tmp_path: Path
) -> None:
    def health(port: str) -> int:
        environment = {**os.environ, "FREEZEGATE_PORT": port, "http_proxy": "http://127.0.0.1:9"}
        check = image.command("HEALTHCHECK")
        return subprocess.run(
            check, cwd=hostile, env=environment, capture_output=True, check=False
        ).returncode

    with running(ROOT / "policies.yaml", tmp_path / "gate.db") as gate:
        assert health(gate.url.rpartition(":")[2]) == 0
        assert health("9") != 0


def test_the_image_has_the_command_by_its_name(image: Image) -> None:
    command = image.root / "usr/local/bin/freezegate"
    assert f"{image.root}/opt/freezegate/bin/python -I -B -u -m freezegate" in command.read_text()
    done = subprocess.run(
        [command, "check", "two words"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, 'SERVICE "two words"' in done.stderr) == (2, True)
    version = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=60, check=False)
    assert version.stdout == f"freezegate, version {__version__}\n"


def test_the_code_is_compiled_and_nothing_installs_more(image: Image) -> None:
    [site] = (image.root / "opt/freezegate").glob("lib/python*/site-packages")
    assert list((site / "freezegate" / "__pycache__").glob("main.*.pyc"))
    templates = site / "freezegate" / "web" / "templates"
    kept = list((templates / "__pycache__").glob("*.jinja"))
    assert len(kept) == len(list(templates.glob("*.html")))
    # The gate is not the user who built the image.
    assert all(each.stat().st_mode & 0o044 == 0o044 for each in kept)
    assert not (site / "pip").exists()


def test_the_image_sets_nothing_that_its_isolated_python_would_not_read(image: Image) -> None:
    assert "-I" in image.command("ENTRYPOINT")
    assert "PYTHON" not in DOCKERFILE


def test_the_base_can_be_pinned_by_digest() -> None:
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${BASE}", "${BASE}"]
    assert DOCKERFILE.index("ARG BASE=") < DOCKERFILE.index("FROM")


def test_the_labels_are_those_of_the_image_specification_and_true() -> None:
    prefix = "org.opencontainers.image."
    told = {name.removeprefix(prefix): value for name, value in labels().items()}
    assert all(name.startswith(prefix) for name in labels())
    assert told["version"] == __version__
    assert told["licenses"] == "MIT"
    assert told["base.name"] == "${BASE}"
    assert not [value for value in told.values() if "example" in value]
