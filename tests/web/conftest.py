"""The gate of the API's tests serves the pages' as well; a browser has one in a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.api.conftest import clock, folder, gate, keys, log
from tests.web.browser import CHROMIUM
from tests.web.serving import OPEN, Served, serving

__all__ = ["clock", "folder", "gate", "keys", "log"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("NO CHROMIUM: THE DASHBOARD IS NOT TRIED IN A BROWSER; install chromium, or set CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A gate on which nothing is frozen, and an admin's key of it."""
    with serving(tmp_path, OPEN) as gate:
        yield gate
