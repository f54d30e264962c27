"""A real gate for a real browser, and what is done to it from elsewhere."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Page, expect

from app.clock import SystemClock
from app.gate.keys import KeyRequest, create
from app.identity.caller import Role
from app.store.store import Store
from tests.live.gate import Gate, running
from tests.store.records import PATIENT

OPEN = "version: 1\nenvironments: [production, staging]\npolicies: []\n"
ALWAYS = """\
version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
services: {checkout: {tags: [tier-1]}, docs-site: {tags: [static]}}
overrides: {approvals: 1}
policies:
  - id: closed
    title: The books are being closed
    reason: Nobody may change what is being counted.
    contact: "#finance"
    applies_to: {environments: [production]}
    exempt: {services: [docs-site]}
    when: [{always: true}]
  - id: friday-afternoon
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    applies_to: {environments: [staging]}
    when: [{weekly: {from: fri 14:00, to: fri 23:59}}]
"""
INCIDENT = {
    "title": "Payment incident",
    "reason": "Cards fail.",
    "environments": ["production"],
    "ttl": "1h",
}


class Served(NamedTuple):
    """A gate, and an admin's key of it."""

    gate: Gate
    key: str
    folder: Path

    @property
    def url(self) -> str:
        return self.gate.url


@contextmanager
def serving(folder: Path, policies: str, **environment: str) -> Iterator[Served]:
    """A gate that runs for as long as the block."""
    (folder / "policies.yaml").write_text(policies)
    with running(folder / "policies.yaml", folder / "gate.db", **environment) as gate:
        yield Served(gate, _admins_key(folder / "gate.db"), folder)


def _admins_key(database: Path) -> str:
    """The key of a person, who may grant what needs approval."""
    store = Store.open(f"sqlite:///{database}", deadline=PATIENT)
    try:
        _, key = create(store, SystemClock(), KeyRequest("admin", Role.ADMIN, person="Ada"), "test")
    finally:
        store.let_go()
    return key


def send(gate: Served, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the API; what it answers, it has done."""
    request = urllib.request.Request(  # noqa: S310 - our own gate
        gate.url + path,
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {gate.key}"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=20) as reply:  # noqa: S310
        found: dict[str, Any] = json.load(reply)
        return found


def sign_in(page: Page, gate: Served) -> None:
    """As a person would."""
    page.goto(f"{gate.url}/dashboard/sign-in")
    page.get_by_label("API key").fill(gate.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("You are signed in.")).to_be_visible()
