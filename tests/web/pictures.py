"""The screenshots in the documents: ``make pictures`` renders them from the shipped policies.

A palette of 256 colours (any PNG optimiser) makes the files a fifth as large, and looks the same.
"""

import random
import tempfile
from pathlib import Path
from typing import Any, Final, cast

from playwright.sync_api import sync_playwright
from starlette.testclient import TestClient

from app.core.instant import DAY, HOUR, parse_instant
from tests.api.fakes import FakeClock
from tests.live.gate import ROOT
from tests.web.browser import CHROMIUM
from tests.web.still import KEY, still

SINCE: Final = "2026-08-28T12:00:00Z"
AT: Final = "2026-11-27T13:05:00Z"
FOLDER: Final = ROOT / "docs" / "images"
SIZE: Final = {"width": 1200, "height": 1010}
SHEET: Final = {"width": 1527, "height": 1000}
"""A3 between its margins, in the pixels of CSS; the foot of the sheet is empty."""

_DAYS: Final = 90
_AS_ADMIN: Final = {"Authorization": f"Bearer {KEY}"}
_FAILED: Final = {"allow": 0.09, "warn": 0.09, "override": 0.45}
"""How often deploys fail here, by the outcome of their claim."""


def planned(gate: TestClient, _clock: FakeClock) -> None:
    """Freeze staging for a load test next week."""
    freeze = {
        "title": "Load test",
        "reason": "Numbers must be comparable.",
        "contact": "#performance",
        "environments": ["staging"],
        "starts_at": "2026-12-01T08:00:00Z",
        "until": "2026-12-02T15:00:00Z",
    }
    assert _post(gate, "/freezes", freeze)["id"]


def a_quarter(gate: TestClient, clock: FakeClock) -> None:
    """Deploys of ninety days: some are denied on Friday afternoons, some of those overridden."""
    chance, now = random.Random(42), parse_instant(AT)
    for day in range(_DAYS, 0, -1):
        noon = now - day * DAY - HOUR
        if (noon // DAY + 3) % 7 >= 5:
            continue
        for hour in sorted(chance.uniform(-3, 4) for _ in range(13)):
            clock.at = noon + int(hour * HOUR)
            _deploy(gate, chance)


def _deploy(gate: TestClient, chance: random.Random) -> None:
    service = chance.choice(("checkout", "search", "mail", "docs"))
    decision = _post(gate, "/can-deploy", {"service": service})
    if not decision["allowed"] and chance.random() < 0.4:
        grant = {"services": [service], "environments": ["production"], "reason": "Urgent", "ttl": "1h"}
        token = _post(gate, "/overrides", grant)["token"]
        decision = _post(gate, "/can-deploy", {"service": service}, {"X-Override-Token": token})
    if decision["allowed"] and chance.random() < 0.85:
        result = "failed" if chance.random() < _FAILED[decision["outcome"]] else "succeeded"
        _post(gate, f"/decisions/{decision['decision_id']}/outcome", {"result": result})


def _post(
    gate: TestClient, path: str, body: dict[str, Any], headers: dict[str, str] | None = None
) -> dict[str, Any]:
    return cast("dict[str, Any]", gate.post(path, json=body, headers=_AS_ADMIN | (headers or {})).json())


def main() -> None:
    """Render every picture."""
    policies = (ROOT / "policies.yaml").read_text(encoding="utf-8")
    pictures = (
        ("dashboard", "/", planned, "light", False, SIZE),
        ("insights", "/dashboard/insights", a_quarter, "dark", False, SIZE),
        ("year", "/dashboard/year?year=2027", planned, "light", True, SHEET),
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, path, history, scheme, printed, size in pictures:
            with (
                tempfile.TemporaryDirectory() as folder,
                still(
                    browser,
                    Path(folder),
                    policies,
                    AT,
                    path,
                    history,
                    SINCE,
                    color_scheme=scheme,
                    viewport=size,
                ) as page,
            ):
                if printed:
                    page.emulate_media(media="print")
                page.screenshot(path=FOLDER / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
