"""The wheel: what is in it, and that the installed gate does everything that the checkout does."""

import contextlib
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePath

import httpx
import pytest

from app import __version__
from app.main import create_app
from app.policies.schema import FILE
from hatch_build import BINARY, references_to
from tests.cli.conftest import POLICIES
from tests.live.gate import ROOT
from tests.packaging.conftest import Installed, bare_environment, build

FRIDAY = "2026-11-27T13:00:00Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with policies."""
    (tmp_path / "policies.yaml").write_text(POLICIES)
    return tmp_path


@contextlib.contextmanager
def listening(command: list[str], folder: Path, **environment: str) -> Iterator[str]:
    """The address of a server, once it has said it."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**bare_environment(), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = ""
    try:
        while (found := re.search(r"http://\S+:\d+", said)) is None:
            line = process.stderr.readline()
            assert line, said
            said += line
        yield found[0]
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()


def read(url: str) -> bytes:
    answer = httpx.get(url, timeout=20)
    assert answer.is_success, answer.text
    return answer.content


def test_the_wheel_has_one_package_and_its_name_is_freezegate(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {"freezegate", f"freezegate-{__version__}.dist-info"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    ours = {
        str(path.relative_to(ROOT / "app"))
        for path in (ROOT / "app").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name.removeprefix("freezegate/") for name in names if name.startswith("freezegate/")} == ours
    assert "py.typed" in ours


def test_nothing_in_the_wheel_refers_to_the_package_by_its_old_name(wheel: Path) -> None:
    reference = references_to(ROOT / "app")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if PurePath(name).suffix in BINARY:
                continue
            if name.startswith("freezegate/") or name.endswith("entry_points.txt"):
                text = archive.read(name).decode()
                assert not reference.search(text), name
                assert not re.search(r"^\s*(from|import) app\b", text, re.MULTILINE), name


def test_the_sdist_builds_the_same_wheel(dist: Path, wheel: Path, tmp_path: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    build(tmp_path / f"freezegate-{__version__}", tmp_path / "dist", "-t", "wheel")
    assert (tmp_path / "dist" / wheel.name).read_bytes() == wheel.read_bytes()


def test_an_editable_install_is_refused_in_words(tmp_path: Path) -> None:
    code = f"from hatchling.build import build_editable; build_editable({str(tmp_path)!r})"
    refused = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=bare_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode
    assert "use `make run`" in refused.stderr


def test_every_module_is_imported_beside_a_strangers_app(installed: Installed, tmp_path: Path) -> None:
    code = """
import json, pkgutil, sys
import app, app.main, freezegate
for module in pkgutil.walk_packages(freezegate.__path__, "freezegate."):
    if "migrations" not in module.name and not module.name.endswith("__main__"):
        __import__(module.name)
called_app = sorted(name for name in sys.modules if name.partition(".")[0] == "app")
print(json.dumps([app.main.OWNER, freezegate.__version__, called_app]))
"""
    done = installed.run(installed.python, "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    owner, version, of_stranger = json.loads(done.stdout)
    assert (owner, version) == ("a stranger", __version__)
    assert of_stranger == ["app", "app.main"]


def test_the_installed_gate_denies_and_shows_its_pages(installed: Installed, folder: Path) -> None:
    command = [installed.command, "serve", "--port", "0", "--policies", "policies.yaml"]
    with listening(command, folder, FREEZEGATE_DATABASE_URL="sqlite:///gate.db") as url:
        curl = ["curl", "-sS", "-f", "-m", "20"]
        asked = subprocess.run(
            [*curl, f"{url}/can-deploy?service=api&at={FRIDAY}"], capture_output=True, text=True, check=False
        )
        assert (asked.returncode, "423" in asked.stderr) == (22, True)
        page = read(f"{url}/").decode()
        linked = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
        assert len(linked) >= 3
        assert all(read(url + path) for path in linked)
        assert json.loads(read(f"{url}/openapi.json")) == create_app().openapi()
        assert json.loads(read(f"{url}/status"))["policies"]
    assert (folder / "gate.db").exists()


def test_uvicorn_runs_it_by_the_name_of_the_package(installed: Installed, folder: Path) -> None:
    command = [installed.python, "-m", "uvicorn", "freezegate.main:app", "--port", "0"]
    with listening(command, folder, FREEZEGATE_POLICIES="policies.yaml") as url:
        answer = json.loads(read(f"{url}/can-deploy?service=api&deny_status=200&at={FRIDAY}"))
        assert answer["allowed"] is False


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--version"], 0, f"freezegate, version {__version__}"),
        (["lint"], 0, ""),
        (["test"], 0, ""),
        (["check", "api", "--policies", "policies.yaml", "--at", FRIDAY], 1, "No deploys after Friday 14:00"),
        (["calendar", "--policies", "policies.yaml"], 0, "friday-afternoon"),
        (["keys", "list", "--database-url", "sqlite:///none.db"], 2, ""),
    ],
)
def test_the_installed_commands_work(
    installed: Installed, folder: Path, arguments: list[str], status: int, said: str
) -> None:
    done = installed.run(installed.command, *arguments, cwd=folder)
    assert done.returncode == status, done.stderr
    assert said in done.stdout


def test_the_migrations_run_from_the_wheel(installed: Installed, folder: Path) -> None:
    code = """
from freezegate.store.open import open_database
from freezegate.store.schema import HEAD, migrate, stored_version
database = open_database("sqlite:///gate.db", lock_wait=5)
database.create()
migrate(database, None)
assert stored_version(database) == HEAD
"""
    done = installed.run(installed.python, "-c", code, cwd=folder)
    assert done.returncode == 0, done.stderr


def test_the_schema_is_written_from_the_wheel(installed: Installed, folder: Path) -> None:
    done = installed.run(installed.python, "-m", "freezegate.policies.schema", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / FILE).read_bytes() == (ROOT / FILE).read_bytes()


@pytest.mark.parametrize("path", [None, "."], ids=["as it is", "with the folder on PYTHONPATH"])
def test_what_lies_in_the_callers_folder_is_not_run(
    installed: Installed, folder: Path, path: str | None
) -> None:
    (folder / "app").mkdir()
    # Python itself finds the package of the command on PYTHONPATH first, before any code of ours runs.
    ours = () if path else ("freezegate",)
    for name in ("app/__init__", "app/cli", "json", "click", "urllib", *ours):
        (folder / f"{name}.py").write_text("raise SystemExit(0)\n")
    command = [installed.command, "check", "api", "--policies", "policies.yaml", "--at", FRIDAY]
    done = installed.run(*command, cwd=folder, **({"PYTHONPATH": path} if path else {}))
    assert done.returncode == 1, done.stderr
    assert "No deploys after Friday 14:00" in done.stdout
