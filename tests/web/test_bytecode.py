"""Templates are compiled once, and kept."""

import sys
from pathlib import Path
from typing import NoReturn

import pytest
from jinja2 import DictLoader, Environment

from app.web import pages
from app.web.bytecode import TemplateBytecode


def rendered(folder: Path, text: str = "Frozen until {{ until }}") -> str:
    loader = DictLoader({"page.html": text})
    environment = Environment(loader=loader, bytecode_cache=TemplateBytecode(folder), autoescape=True)
    return environment.get_template("page.html").render(until="Monday")


def refuse(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a template is compiled")


def test_a_template_is_compiled_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    folder = tmp_path / "__pycache__"
    assert rendered(folder) == "Frozen until Monday"
    with monkeypatch.context() as patch:
        patch.setattr(Environment, "compile", refuse)
        assert rendered(folder) == "Frozen until Monday"
        with pytest.raises(AssertionError, match="compiled"):
            rendered(folder, "Open until {{ until }}")
    assert rendered(folder, "Open until {{ until }}") == "Open until Monday"


def test_nothing_is_kept_where_python_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    rendered(tmp_path / "__pycache__")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    folder = tmp_path / "missing" / "__pycache__"
    assert rendered(folder) == "Frozen until Monday"


def test_prepared_pages_leave_nothing_to_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    pages.prepare_pages("/prepared")
    monkeypatch.setattr(Environment, "compile", refuse)
    body = pages.render("signed_out.html", "/prepared", viewer=None, notice="", name="", url="")
    assert b"Signed out" in body
