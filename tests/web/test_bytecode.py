"""Templates are compiled once, and kept."""

import os
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from jinja2 import DictLoader, Environment

from app.web import pages
from app.web.bytecode import TemplateBytecode


def rendered(folder: Path, text: str = "Frozen until {{ until }}", made_by: str = "this version") -> str:
    loader = DictLoader({"page.html": text})
    kept = TemplateBytecode(folder, made_by)
    environment = Environment(loader=loader, bytecode_cache=kept, autoescape=True)
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


def test_a_template_of_another_version_or_a_damaged_one_is_compiled_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    rendered(tmp_path)
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o666 & ~umask()
    for damaged in (whole[:20], whole[: len(whole) // 2], b"", b"\0" * 40):
        kept.write_bytes(damaged)
        assert rendered(tmp_path) == "Frozen until Monday"
        assert kept.read_bytes() == whole
    with monkeypatch.context() as patch:
        patch.setattr(Environment, "compile", refuse)
        with pytest.raises(AssertionError, match="compiled"):
            rendered(tmp_path, made_by="another version")


def umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


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
