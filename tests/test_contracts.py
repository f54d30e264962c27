"""The import contracts hold a file that did not exist when they were written."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.live.gate import ROOT

LAYERS = "Imports point strictly down"
PURE = "The core is pure: no settings, no clock, no framework, no I/O library"
SQL = "The store is the only home of SQL"
STORE = "Nothing above the gate sees the store"
KINDS = "Window kinds do not know each other"

FORBIDDEN = [
    (KINDS, "core/windows/lunar.py", "app.core.windows.cron"),
    (KINDS, "core/window.py", "app.core.windows.daily"),
    (PURE, "core/ticking.py", "app.clock"),
    (PURE, "core/windows/online.py", "socket"),
    (SQL, "identity/rows.py", "sqlite3"),
    (STORE, "main.py", "app.store.tables"),
    (STORE, "api/rows.py", "app.store.records"),
    (STORE, "server/rows.py", "app.store.view"),
    (STORE, "cli/commands/rows.py", "app.store.store"),
    (LAYERS, "api/buttons.py", "app.web"),
    (LAYERS, "web/terminal.py", "app.cli"),
    (LAYERS, "cli/vendor.py", "app.integrations"),
    (LAYERS, "integrations/routes.py", "app.api"),
    (LAYERS, "policies/rows.py", "app.store"),
    (LAYERS, "store/keys_of.py", "app.identity"),
    (LAYERS, "identity/rules.py", "app.policies"),
    (LAYERS, "gate/upward.py", "app.server"),
    (LAYERS, "core/upward.py", "app.yaml"),
    (LAYERS, "yaml/sending.py", "app.outbound"),
    (LAYERS, "clock.py", "app.core"),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The linter's report on a copy of the tree that every import of `FORBIDDEN` was added to."""
    copy = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "app", copy / "app", ignore=shutil.ignore_patterns("static", "templates"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for _, file, imported in FORBIDDEN:
        with (copy / "app" / file).open("a") as text:
            text.write(f"\nimport {imported}\n")
    (copy / "app/attic").mkdir()
    (copy / "app/attic/__init__.py").touch()
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    ran = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        check=False,
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 1, ran.stderr
    return ran.stdout


@pytest.mark.parametrize(("contract", "file", "imported"), FORBIDDEN, ids=[file for _, file, _ in FORBIDDEN])
def test_a_new_import_breaks_its_contract(report: str, contract: str, file: str, imported: str) -> None:
    importer = f"app/{file}".removesuffix(".py").replace("/", ".")
    assert f"{contract} BROKEN" in report
    section = re.split(rf"^{re.escape(contract)}\n-+$", report, flags=re.MULTILINE)[1]
    section = re.split(r"^-{10,}$", section, flags=re.MULTILINE)[0]
    assert f"{importer} -> {imported} (l." in section, section


def test_a_new_folder_must_find_its_layer(report: str) -> None:
    unlisted = report.split("The following modules are not listed as layers:")[1]
    assert unlisted.split()[:2] == ["-", "app.attic"]
