"""A GitHub on this machine, and the App's section of the integrations file."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from app.core.instant import parse_instant
from app.integrations.github.section import GitHub
from app.integrations.section import resolve_secrets
from app.outbound import Outbound
from tests.api.fakes import FakeClock
from tests.integrations.github.fake import APP_ID, SECRET, FakeGitHub, private_pem

NOW = parse_instant("2026-11-27T13:05:00Z")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    made = FakeGitHub(now=clock.now)
    yield made
    made.close()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with Outbound().client(5.0) as client:
        yield client


def section_for(api: str, **more: object) -> GitHub:
    """The section of an App on an API."""
    settings = {"app_id": APP_ID, "private_key": private_pem(), "secret": SECRET, "api": api, **more}
    section = GitHub.model_validate(settings)
    resolve_secrets(section, Path(), {})
    return section
