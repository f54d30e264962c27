"""Stores on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.store.store import Store
from tests.store.records import PATIENT, POLICIES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gate.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, file: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{file}"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """A store that keeps the policies its decisions were made by."""
    opened = Store.open(url, deadline=PATIENT)
    opened.transact(lambda transaction: transaction.keep_policies(POLICIES))
    yield opened
    await opened.close()
