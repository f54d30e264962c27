"""Companies of every size to look at: their policy files, and what goes on at their gates.

``python -m tests.web.companies FOLDER [NAME …]`` takes screenshots of the front page of each, at the usual
widths, light and dark; ``--path`` takes those of another page.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from playwright.sync_api import Browser, sync_playwright
from starlette.testclient import TestClient

from tests.api.fakes import FakeClock
from tests.web.browser import CHROMIUM
from tests.web.pages import Page
from tests.web.still import KEY, History, still

FRIDAY: Final = "2026-11-27T13:05:00Z"
"""In the afternoon, just after the freeze of the weekend began in Amsterdam."""

TUESDAY: Final = "2026-11-24T09:00:00Z"
"""In the morning of a day on which nothing in particular is frozen."""

WIDTHS: Final = (390, 1440, 1920, 3840)
_HEIGHTS: Final[Mapping[int, int]] = {390: 844, 1440: 900, 1920: 1080, 3840: 2160}

_STAGES: Final = ("production", "staging", "test", "sandbox", "preview")
_REGIONS: Final = ("eu", "us", "ap", "sa", "me", "af")
_TEAMS: Final = ("payments", "search", "identity", "shipping", "catalogue", "mobile", "data", "platform")
_KINDS: Final = ("api", "worker", "gateway", "site", "jobs", "cache", "index", "events")
_ZONES: Final = ("Europe/Amsterdam", "America/New_York", "Asia/Tokyo", "America/Sao_Paulo")
_LONG: Final = (
    "Quarter-end close of the consolidated general ledger, including all subsidiaries, their intercompany "
    "eliminations and the statutory reports that are due to the regulator on the next working day"
)


def environments(number: int) -> list[str]:
    """Names of environments: of a few, the stages; of more, each stage in each region."""
    if number <= len(_STAGES):
        return list(_STAGES[:number])
    names = [f"{stage}-{region}" for stage in _STAGES for region in _REGIONS[: max(2, -(-number // 5))]]
    return names[:number]


def services(number: int) -> dict[str, dict[str, Any]]:
    """A catalogue: each service has a team, a tier and a zone."""
    return {
        f"{_TEAMS[each % 8]}-{_KINDS[each // 8 % 8]}{f'-{each // 64}' if each >= 64 else ''}": {
            "tags": [f"team-{_TEAMS[each % 8]}", f"tier-{1 + each % 3}"],
            "timezone": _ZONES[each // 2 % 4],
        }
        for each in range(number)
    }


def policy_file(places: int, catalogued: int, policies: Sequence[Mapping[str, Any]] | None = None) -> str:
    """A policy file with so many environments and services; JSON is YAML, too."""
    names, listed = environments(places), services(catalogued)
    body = {
        "version": 1,
        "timezone": "Europe/Amsterdam",
        "environments": names,
        **({"services": listed} if listed else {}),
        "policies": list(usual_policies(names, listed) if policies is None else policies),
    }
    return json.dumps(body, indent=1)


def usual_policies(places: Sequence[str], listed: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Policies as companies have them: for everything, for some tiers and teams, in the services' zones."""
    production = [each for each in places if each.startswith("production")]
    yield {
        "id": "friday-afternoon",
        "title": "No deploys after Friday 14:00",
        "reason": "Nothing good happens after 14:00 on a Friday.",
        "contact": "#release-managers",
        "link": "https://wiki.example.org/freezes",
        "applies_to": {"environments": production},
        "exempt": [{"changes": ["rollback"]}, *([{"tags": ["team-search"]}] if listed else [])],
        "when": [{"weekly": {"from": "fri 14:00", "to": "mon 08:00"}}],
    }
    yield {
        "id": "year-end",
        "title": "Year-end freeze",
        "reason": "The books are being closed.",
        "override": "never",
        "contact": "#finance",
        "when": [{"yearly": {"from": "12-20 18:00", "to": "01-03"}}],
    }
    if not listed:
        return
    yield {
        "id": "payday",
        "title": "Payday freeze",
        "reason": "Salaries are paid out.",
        "contact": "#payments",
        "applies_to": {"tags": ["team-payments"]},
        "when": [{"monthly": {"from": "24 00:00", "to": "28 06:00"}}],
    }
    yield {
        "id": "working-hours",
        "title": "Deploy while the team is awake",
        "reason": "Someone has to watch it.",
        "effect": "allow-only",
        "timezone": "service",
        "applies_to": {"tags": ["tier-1"], "environments": production},
        "when": [{"daily": {"days": ["mon-thu"], "from": "09:00", "to": "16:00"}}],
    }
    yield {
        "id": "lunch",
        "title": "Mind the lunch break",
        "reason": "Half of the team is away.",
        "effect": "warn",
        "when": [{"daily": {"from": "12:00", "to": "14:30"}}],
    }


_SOME_SERVICES: Final = (
    {
        "id": "payday",
        "title": "Payday freeze",
        "reason": "Salaries are paid out.",
        "contact": "#payments",
        "applies_to": {"services": ["payroll", "ledger-*"], "environments": ["production"]},
        "when": [{"monthly": {"from": "24 00:00", "to": "28 06:00"}}],
    },
    {
        "id": "pci-audit",
        "title": "PCI audit",
        "reason": "The auditors are in the house.",
        "applies_to": {"tags": ["pci"]},
        "when": [{"dates": {"from": "2026-11-20", "to": "2026-12-04"}}],
    },
)


def _always(places: Sequence[str], **texts: str) -> list[dict[str, Any]]:
    """One policy that freezes these environments at every instant."""
    return [
        {
            "id": "closed",
            "title": "The books are being closed",
            "reason": "Nobody may change what is being counted.",
            "contact": "#finance",
            **texts,
            "applies_to": {"environments": list(places)},
            "when": [{"always": True}],
        }
    ]


class Company(NamedTuple):
    """A gate to look at."""

    policies: str
    at: str
    history: History


def signed_in(gate: TestClient, _clock: FakeClock | None = None) -> None:
    """Look at the pages as an admin."""
    proof = Page(gate.get("/dashboard/sign-in").text).value("proof")
    gate.post("/dashboard/sign-in", data={"proof": proof, "key": KEY}, follow_redirects=False)
    gate.cookies.delete("freezegate_done")


def _post(gate: TestClient, path: str, body: Mapping[str, Any]) -> None:
    reply = gate.post(path, json=body, headers={"Authorization": f"Bearer {KEY}"})
    assert reply.status_code in (200, 201, 423), reply.text


def _busy(gate: TestClient, names: Sequence[str], listed: Sequence[str]) -> None:
    """Freeze, override, and claim a little of everything."""
    incident = {"title": "Payment incident", "reason": "Cards fail at the acquirer.", "contact": "#inc-42"}
    _post(gate, "/freezes", {**incident, "environments": [names[-1]], "ttl": "2h"})
    test = {"title": "Load test", "reason": "Numbers must be comparable.", "environments": [names[1]]}
    _post(gate, "/freezes", {**test, "starts_at": "2026-12-01T08:00:00Z", "until": "2026-12-02T15:00:00Z"})
    for each, why in zip(listed, ("Refunds fail for Visa", "Index is corrupt"), strict=False):
        grant = {"services": [each], "environments": [names[0]], "reason": why, "ttl": "4h"}
        _post(gate, "/overrides", {**grant, "ticket": "https://tickets.example.org/PAY-1234"})
    for each in (*listed, *listed, *listed)[:9]:
        _post(gate, "/can-deploy", {"service": each, "environment": names[0], "ref": "v1.4.2"})


def _nothing(_gate: TestClient, _clock: FakeClock) -> None:
    """Nothing happened."""


def _busy_company(places: int, catalogued: int, *, ops: bool = False) -> Company:
    names, listed = environments(places), list(services(catalogued))

    def history(gate: TestClient, _clock: FakeClock) -> None:
        _busy(gate, names, listed)
        if ops:
            signed_in(gate)

    return Company(policy_file(places, catalogued), FRIDAY, history)


def _frozen(places: Sequence[str], number: int, **texts: str) -> Company:
    return Company(policy_file(number, 0, _always(places, **texts)), TUESDAY, _nothing)


COMPANIES: Final[Mapping[str, Company]] = {
    "2x5": _busy_company(2, 5),
    "2x5-ops": _busy_company(2, 5, ops=True),
    "2x5-open": Company(policy_file(2, 5), TUESDAY, _nothing),
    "12x40": _busy_company(12, 40),
    "12x40-ops": _busy_company(12, 40, ops=True),
    "12x300": _busy_company(12, 300, ops=True),
    "12x300-open": Company(policy_file(12, 300), TUESDAY, _nothing),
    "12x0-frozen": _frozen(environments(12), 12),
    "3x0-some": Company(policy_file(3, 0, _SOME_SERVICES), FRIDAY, _nothing),
    "2x0-long": _frozen(["production"], 2, title=_LONG, reason=_LONG),
    "1x0-empty": Company(policy_file(1, 0, []), TUESDAY, _nothing),
    "2x0-empty-ops": Company(policy_file(2, 0, []), TUESDAY, signed_in),
    "30x40": _busy_company(30, 40),
}
"""By their environments and services; "ops" is signed in, "open" has nothing frozen for everybody."""


def pictures(
    browser: Browser,
    folder: Path,
    names: Sequence[str],
    path: str,
    widths: Sequence[int],
    schemes: Sequence[str],
) -> None:
    """Take screenshots of a page of companies, and print how high each is."""
    for name in names:
        policies, at, history = COMPANIES[name]
        for width in widths:
            for scheme in schemes:
                size = {"width": width, "height": _HEIGHTS.get(width, 900)}
                options: dict[str, Any] = {"color_scheme": scheme, "viewport": size}
                with (
                    tempfile.TemporaryDirectory() as kept,
                    still(browser, Path(kept), policies, at, path, history, **options) as page,
                ):
                    file = folder / f"{name}-{width}-{scheme}.png"
                    page.screenshot(path=file, full_page=True)
                    height = page.evaluate("document.documentElement.scrollHeight")
                    sys.stdout.write(f"{file} {height}\n")


def main() -> None:
    """Take the screenshots that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(COMPANIES))
    parser.add_argument("--path", default="/")
    parser.add_argument("--widths", type=int, nargs="*", default=WIDTHS)
    parser.add_argument("--schemes", nargs="*", default=("light", "dark"))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        pictures(
            browser, given.folder, given.names or list(COMPANIES), given.path, given.widths, given.schemes
        )
        browser.close()


if __name__ == "__main__":
    main()
