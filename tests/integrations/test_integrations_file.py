import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import app.integrations
from app.integrations import integrations
from app.integrations.integrations import IntegrationsFileError, read_integrations_file
from app.integrations.section import Section

PAGER = '''\
"""A pager."""

from app.integrations.section import Section, WithSecret, WithToken
from app.integrations.vendor import Vendor


class Part(WithToken):
    """A part."""


class Pager(WithSecret):
    """A section."""

    parts: list[Part] = []


VENDOR = Vendor("my-pager", section=Pager)
'''


@pytest.fixture(autouse=True)
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A vendor with a section, `my-pager`, beside those that there are."""
    folder = tmp_path / "vendors" / "my_pager"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "vendor.py").write_text(PAGER)
    monkeypatch.setattr(app.integrations, "__path__", [*app.integrations.__path__, str(folder.parent)])
    integrations.file_model.cache_clear()
    yield
    integrations.file_model.cache_clear()
    for name in [each for each in sys.modules if each.startswith("app.integrations.my_pager")]:
        del sys.modules[name]


def read(folder: Path, text: str, **variables: str) -> Section:
    file = folder / "integrations.yaml"
    file.write_text(text)
    return read_integrations_file(file, variables)["my-pager"]


def values(section: Section, name: str) -> list[str]:
    return [each.get_secret_value() for each in section.secrets(name)]


def test_a_secret_stands_in_the_file_in_another_one_or_in_a_variable(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the-newer-secret\nan-older-secret-\n\n")
    assert values(read(tmp_path, "my-pager: {secret: written-in-the-file}"), "secret") == [
        "written-in-the-file"
    ]
    assert values(read(tmp_path, "my-pager: {secret_file: secret}"), "secret") == [
        "the-newer-secret",
        "an-older-secret-",
    ]
    assert values(read(tmp_path, "my-pager: {secret_env: PAGER}", PAGER="set-as-a-variable"), "secret") == [
        "set-as-a-variable"
    ]


def test_a_key_in_pem_form_is_one_secret(tmp_path: Path) -> None:
    text = "-----BEGIN KEY-----\nabc\n-----END KEY-----"
    (tmp_path / "secret").write_text(f"{text}\n")
    assert values(read(tmp_path, "my-pager: {secret_file: secret}"), "secret") == [text]


def test_the_secrets_of_parts_are_read_too(tmp_path: Path) -> None:
    section = read(tmp_path, "my-pager: {secret: a-secret-of-pages, parts: [{token_env: PAGER}]}", PAGER="t")
    assert values(section.parts[0], "token") == ["t"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "my-pager: {parts: []}",
            "secret: one of secret, secret_file, secret_env is needed; none is there",
        ),
        ("my-pager: {secret: a, secret_env: B}", "more than one is there"),
        ("my-pager: {secret_file: none}", "secret_file: the file can't be read: No such file"),
        ("my-pager: {secret_env: FREEZEGATE_ADMIN_KEY}", "secret_env: no such variable is set"),
        ("my-pager: {secret_env: EMPTY}", "secret_env: holds 0 secrets, instead of 1 to 10"),
        ("my-pager: {secret: hunter2}", "my-pager.secret: a secret has fewer than 16 characters"),
        (
            "callback: {secret: hunter2-hunter2-hunter, hosts: [a.example]}",
            "callback.secret: a secret has fewer than 24 characters",
        ),
        (
            "callback: {secret_env: MALFORMED, hosts: [a.example]}",
            "callback.secret_env: what follows whsec_ in a secret is not base 64",
        ),
        ("my-pager: {secret: hunter2, secrte: x}", 'did you mean "secret"'),
        ("my-pagr: {secret: hunter2}", 'did you mean "my-pager"'),
    ],
)
def test_a_wrong_file_is_refused_at_its_line_without_its_secrets(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(IntegrationsFileError) as error:
        read(tmp_path, text, FREEZEGATE_ADMIN_KEY="x", EMPTY=" ", MALFORMED="whsec_" + "!" * 32)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'integrations.yaml'}:1:")
    assert "hunter2" not in str(error.value)
