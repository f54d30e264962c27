from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.store.store import Store
from tests.store.records import POLICIES


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gate.db"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """A store that keeps the policies its decisions were made by."""
    opened = Store.open(url)
    opened.remember_revision(*POLICIES[::2], POLICIES.first_loaded_at)
    yield opened
    await opened.close()


@pytest.fixture
async def hasty(url: str) -> AsyncIterator[Store]:
    """A store that gives up soon, for tests in which it must."""
    opened = Store.open(url, deadline=0.2)
    opened.remember_revision(*POLICIES[::2], POLICIES.first_loaded_at)
    yield opened
    await opened.close()
