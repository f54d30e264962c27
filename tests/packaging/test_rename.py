"""The rename of `app` to `freezegate` in the wheel: every reference, and nothing that only looks like one."""

import ast
from pathlib import Path

import pytest

from hatch_build import RenameError, references_to, rename, write_package
from tests.live.gate import ROOT

PACKAGE = references_to(ROOT / "app")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from app import __version__", "from freezegate import __version__"),
        ("from app.core import decision", "from freezegate.core import decision"),
        (
            "from app.core.decision import (\n    a,\n    b,\n)",
            "from freezegate.core.decision import (\n    a,\n    b,\n)",
        ),
        ("def f():\n    from app.main import app\n", "def f():\n    from freezegate.main import app\n"),
        ("if x: from app.main import app", "if x: from freezegate.main import app"),
        ("x = 1; from app.main import app", "x = 1; from freezegate.main import app"),
        ("# note\nfrom app.main import app", "# note\nfrom freezegate.main import app"),
        ("from \\\n    app.main import app", "from \\\n    freezegate.main import app"),
        ("run('app.main:app')", "run('freezegate.main:app')"),
        ("resources.files('app.web')", "resources.files('freezegate.web')"),
        ("load(f'app.cli.{name}')", "load(f'freezegate.cli.{name}')"),
        ("load(f'{{{a}}} app.cli.{name} app.web')", "load(f'{{{a}}} freezegate.cli.{name} freezegate.web')"),
        ("b'python -m app.cli'", "b'python -m freezegate.cli'"),
        (
            '"""See `app.core.answer`, and\napp/web."""',
            '"""See `freezegate.core.answer`, and\nfreezegate/web."""',
        ),
        ("x = 1  # as in app/core and app.server", "x = 1  # as in freezegate/core and freezegate.server"),
        (
            "é = 'ü app.main'; from app.main import x",
            "é = 'ü freezegate.main'; from freezegate.main import x",
        ),
    ],
)
def test_every_form_of_reference_is_renamed(before: str, after: str) -> None:
    assert rename(before, PACKAGE) == after
    ast.parse(after)


@pytest.mark.parametrize(
    "code",
    [
        "app.main()",
        "app.state.context = app",
        "scope['app'].routes",
        "'''Serve `app`.'''",
        "'the app.example.com of app.states'",
        "'/opt/app/web and my-app.core and whatsapp.core'",
        "from .app import main",
        "from myapp.core import app",
        "def f(app):\n    raise E from app.main",
        "def f(app):\n    yield from app.main\n    return x",
    ],
)
def test_other_uses_of_the_word_stay(code: str) -> None:
    assert rename(code, PACKAGE) == code


@pytest.mark.parametrize(
    "code", ["import app", "import app.main", "import os, app.core as core", "x = 'app' '.core'"]
)
def test_a_reference_that_cant_be_renamed_ends_the_build(code: str) -> None:
    with pytest.raises(RenameError, match="line 2: can't rename app"):
        rename(f"\n{code}", PACKAGE)


def test_the_error_names_the_file(tmp_path: Path) -> None:
    package = tmp_path / "app"
    package.mkdir()
    (package / "main.py").write_text("import app.main\n")
    with pytest.raises(RenameError, match=r"^main\.py: line 1"):
        write_package(package, tmp_path / "one")
    (package / "main.py").write_text("")
    (package / "page.html").write_text("<!-- see app/main.py -->\n")
    with pytest.raises(RenameError, match=r"^page\.html: refers to app"):
        write_package(package, tmp_path / "two")


def test_lines_stay_where_they_are_so_that_tracebacks_match(tmp_path: Path) -> None:
    target = tmp_path / "freezegate"
    write_package(ROOT / "app", target)
    for file in target.rglob("*.py"):
        renamed = file.read_text()
        assert renamed.count("\n") == (ROOT / "app" / file.relative_to(target)).read_text().count("\n")
        assert not PACKAGE.search(renamed), file
