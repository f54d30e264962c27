"""A gate on both databases, and a receiver beside it."""

from collections.abc import Iterator

import pytest

from tests.gate.conftest import clock, gate, policy_file, url
from tests.integrations.receiver import DownReceiver, LocalReceiver

__all__ = ["clock", "gate", "policy_file", "url"]


@pytest.fixture
def local() -> Iterator[LocalReceiver]:
    made = LocalReceiver()
    yield made
    made.close()


@pytest.fixture
def down() -> Iterator[DownReceiver]:
    made = DownReceiver()
    yield made
    made.close()
