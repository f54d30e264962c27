"""The gate of this process in a real Chromium: its clock stands where the test puts it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Route
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.instant import parse_instant
from app.identity.credentials import new_key
from app.main import create_app
from app.settings import Settings
from tests.api.fakes import FakeClock

ADDRESS = "http://gate.example"
KEY = new_key()
"""Of an admin of the gate."""


History = Callable[[TestClient, FakeClock], None]
"""What happened on a gate before it is looked at."""


def _nothing(gate: TestClient, clock: FakeClock) -> None:
    """Nothing happened."""


@contextmanager
def still(
    browser: Browser,
    folder: Path,
    policies: str,
    at: str,
    path: str,
    history: History = _nothing,
    since: str | None = None,
    **options: Any,
) -> Iterator[Page]:
    """Show a page as of an instant; nothing arrives by itself, and the browser's clock stands as well.

    A `history` happens between `since`, when the gate starts, and then.
    """
    (folder / "policies.yaml").write_text(policies)
    settings = Settings(policies=folder / "policies.yaml", admin_key=SecretStr(KEY))
    clock = FakeClock(parse_instant(since or at))
    with TestClient(create_app(settings, clock=clock)) as gate:
        history(gate, clock)
        clock.at = parse_instant(at)

        def answer(route: Route) -> None:
            asked = urlsplit(route.request.url)
            if asked.path == "/events":
                return  # a stream on which nothing comes
            reply = gate.get(
                f"{asked.path}?{asked.query}", headers={"Accept": route.request.headers["accept"]}
            )
            route.fulfill(status=reply.status_code, headers=dict(reply.headers), body=reply.content)

        context = browser.new_context(**{"timezone_id": "Europe/Amsterdam", **options})
        context.clock.install(time=at)
        context.route("**/*", answer)
        page = context.new_page()
        page.goto(ADDRESS + path)
        yield page
        context.close()
