"""The secret key at start: given, beside the database, or missing."""

import logging
from pathlib import Path

import pytest

from app.clock import SystemClock
from app.identity.credentials import new_secret_key
from app.identity.sealing import FILE_NAME, SecretKeyError
from app.main import open_resources
from app.settings import read_settings
from tests.integrations.test_callback import NEW

POLICIES = "version: 1\npolicies: []\n"


def opened(folder: Path, *, integrations: bool = True, **more: str) -> bool:
    """Open and close a gate; return whether it can keep secrets."""
    (folder / "policies.yaml").write_text(POLICIES)
    environment = {"FREEZEGATE_POLICIES": str(folder / "policies.yaml"), **more}
    if integrations:
        file = folder / "integrations.yaml"
        file.write_text(f"callback: {{secret: {NEW}, hosts: [ci.example]}}\n")
        file.chmod(0o600)
        environment["FREEZEGATE_INTEGRATIONS"] = str(file)
    resources = open_resources(read_settings(environment), SystemClock())
    try:
        return resources.gate.holds.sealing is not None
    finally:
        resources.gate._store.let_go()


def test_a_key_is_made_beside_the_database_for_a_gate_with_integrations(tmp_path: Path) -> None:
    assert not opened(tmp_path, integrations=False)
    assert not (tmp_path / FILE_NAME).exists()
    (tmp_path / "data").mkdir()
    url = f"sqlite:///{tmp_path / 'data' / 'gate.db'}"
    assert opened(tmp_path, FREEZEGATE_DATABASE_URL=url)
    key = (tmp_path / "data" / FILE_NAME).read_text()
    assert opened(tmp_path, FREEZEGATE_DATABASE_URL=url)
    assert (tmp_path / "data" / FILE_NAME).read_text() == key


def test_a_given_key_makes_no_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{new_secret_key()}\n{new_secret_key()}\n")
    assert opened(tmp_path, integrations=False, FREEZEGATE_SECRET_KEY_FILE=str(file))
    assert not (tmp_path / FILE_NAME).exists()


def test_a_malformed_key_ends_the_start_and_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SecretKeyError, match="FREEZEGATE_SECRET_KEY must be") as refused:
        opened(tmp_path, FREEZEGATE_SECRET_KEY="hunter2")  # noqa: S106 - of nothing
    assert "hunter2" not in str(refused.value)


def test_a_server_needs_a_given_key(
    tmp_path: Path, postgresql_url: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert not opened(tmp_path, FREEZEGATE_DATABASE_URL=postgresql_url)
    assert "FREEZEGATE_SECRET_KEY is not set" in caplog.text + capfd.readouterr().out
    assert opened(tmp_path, FREEZEGATE_DATABASE_URL=postgresql_url, FREEZEGATE_SECRET_KEY=new_secret_key())
