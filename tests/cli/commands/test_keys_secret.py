import pytest

from app.cli import run
from app.identity.credentials import is_secret_key


def test_a_secret_key_is_printed_and_stored_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for _ in range(2):
        assert run(["keys", "secret"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] != printed[1]
    assert all(is_secret_key(each.removesuffix("\n")) for each in printed)
