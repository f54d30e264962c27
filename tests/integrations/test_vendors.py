import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import app.integrations
from app.core.notification import Notification, Occasion
from app.integrations.receivers import ReceiversFileError, read_receivers_file
from app.integrations.vendors import notifiers, vendors

PAGER = '''\
"""A pager."""

from app.integrations.vendor import Message, Notifier, Vendor

VENDOR = Vendor("pager", Notifier(False, lambda told, *_: Message({}, told.title.encode())))
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of a new vendor, `pager`, beside those that there are."""
    new = tmp_path / "pager"
    new.mkdir()
    (new / "__init__.py").write_text("")
    monkeypatch.setattr(app.integrations, "__path__", [*app.integrations.__path__, str(tmp_path)])
    yield new
    # Not PagerDuty's: imported again, its section would be of another class than its routes look for.
    for name in [each for each in sys.modules if f"{each}.".startswith("app.integrations.pager.")]:
        del sys.modules[name]


def test_every_folder_has_a_table_entry_named_like_it() -> None:
    folders = {each.parent.name for each in Path(app.integrations.__path__[0]).glob("*/__init__.py")}
    assert {name.replace("-", "_") for name in vendors()} == folders
    assert set(notifiers()) == {"slack", "webhook"}


def test_a_new_vendor_is_a_new_folder_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    (folder / "vendor.py").write_text(PAGER)
    assert list(notifiers()) == ["pager", "slack", "webhook"]
    (receiver,) = read_receivers_file(_file(tmp_path, "pager"), {})
    message = receiver.notifier.request(
        Notification("k", Occasion.GATE_OPEN, 0, "open", (), ()), receiver.secret, 0
    )
    assert message.body == b"open"
    with pytest.raises(ReceiversFileError, match="not one of pager, slack, webhook"):
        read_receivers_file(_file(tmp_path, "paper"), {})


def test_a_folder_without_a_table_entry_is_an_error(folder: Path) -> None:
    (folder / "vendor.py").write_text('"""A pager."""\n')
    with pytest.raises(TypeError, match=r"app\.integrations\.pager\.vendor has no VENDOR"):
        vendors()


def _file(tmp_path: Path, kind: str) -> Path:
    file = tmp_path / "receivers.yaml"
    file.write_text(f"receivers:\n  - {{name: ops, kind: {kind}, url: https://pager.example/}}\n")
    return file
