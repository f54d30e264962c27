"""Whose services a caller may act on: every route that acts, by role and team, own and foreign."""

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from fastapi import APIRouter
from pydantic import SecretStr
from starlette.routing import Route
from starlette.testclient import TestClient

import app.web
from app.gate.keys import KeyRequest
from app.identity.caller import Role
from app.main import create_app
from app.settings import Settings
from tests.api.conftest import bearer, key_for
from tests.api.fakes import FakeClock
from tests.api.test_roles import NEEDS, NOW, ORDER, SIGNED
from tests.web.pages import Page

POLICIES: Final = """\
version: 1
environments: [production, staging, sealed]
services:
  checkout: {tags: [team-shop]}
  docs-site: {tags: [team-docs]}
overrides: {approvals: 1}
policies:
- id: sealed
  title: Sealed
  applies_to: {environments: [sealed]}
  when: [{dates: {from: 2020-01-01, to: 2099-12-31}}]
  reason: Holds wait here for as long as the tests need them to.
"""
TEAMS: Final[dict[str, tuple[dict[str, Any], str, str, str]]] = {
    "by services": ({"services": ("checkout", "shop/*")}, "shop/cart", "docs-site", "the services checkout"),
    "by tags": ({"tags": ("team-shop",)}, "checkout", "docs-site", "the services tagged team-shop"),
    "outside the catalogue": ({"tags": ("team-shop",)}, "checkout", "unlisted", "the services tagged"),
}
"""Each team's scope, a service of its own, a foreign one, and how the refusal names the scope."""

FREE: Final = {
    **dict.fromkeys(("POST /can-deploy/batch", "POST /policies/lint", "POST /policies/diff"), "asks"),
    "POST /policies/backtest": "asks",
    "POST /integrations/kubernetes/admission": "asks",
    **{name: "a dry run" for name in NEEDS if name.endswith("/simulate")},
    **{name: "belongs to a vendor" for name, needed in NEEDS.items() if needed == SIGNED},
    "POST /dashboard/sign-in": "a session",
    "POST /dashboard/sign-out": "a session",
    "POST /dashboard/sessions/{session_id}/revoke": "a session",
    "POST /dashboard/propose": "asks",
}
"""Routes that don't read only, and act on no service; all others of that kind are in `ACTIONS`."""

_numbers = count(1)


class Acting:
    """A caller of a team, and the root who prepares what it acts on."""

    def __init__(self, gate: TestClient, role: str, scope: dict[str, Any]) -> None:
        self.gate = gate
        self.root = bearer(key_for(gate, KeyRequest("root", Role.ADMIN)))
        key = key_for(gate, KeyRequest(f"{role} of a team", Role(role), **scope))
        self.own = bearer(key)
        self._key = key
        self.proof = ""

    def sign_in(self) -> None:
        page = Page(self.gate.get("/dashboard/sign-in").text)
        self.gate.post("/dashboard/sign-in", data={"proof": page.value("proof"), "key": self._key})
        self.proof = Page(self.gate.get("/dashboard/sessions").text).value("proof")

    def prepared(self, path: str, body: dict[str, Any]) -> str:
        """The id of what somebody without a scope made."""
        reply = self.gate.post(path, json=body, headers=self.root)
        assert reply.status_code in (200, 201), reply.text
        made = reply.json()
        return str(made.get("id") or made["decision_id"])

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return self.gate.request(method, path, json=body, headers=self.own)

    def form(self, path: str, **fields: str) -> Any:
        return self.gate.post(path, data={"proof": self.proof, **fields}, follow_redirects=False)


def freeze(service: str) -> dict[str, Any]:
    # Not of production: claims of other tests go there.
    return {"title": "T", "reason": "R", "services": [service], "environments": ["staging"], "ttl": "1h"}


def grant(service: str) -> dict[str, Any]:
    return {"services": [service], "environments": ["production"], "reason": "R", "ttl": "1h"}


def hold(service: str) -> dict[str, Any]:
    # Where it is frozen: elsewhere the gate may approve it, and so finish it, before the test acts on it.
    return {"service": service, "environment": "sealed", "key": f"run-{next(_numbers)}"}


def _cancel(team: Acting, service: str) -> Any:
    wanted = hold(service)
    reply = team.send("POST", "/holds", wanted)
    # Nobody but the root may let a foreign deploy wait.
    own_id = reply.json()["id"] if reply.status_code == 201 else team.prepared("/holds", wanted)
    return team.send("DELETE", f"/holds/{own_id}")


def _lifted(team: Acting, service: str) -> str:
    own_id = team.prepared("/freezes", freeze(service))
    assert team.gate.delete(f"/freezes/{own_id}", headers=team.root).status_code == 200
    return own_id


def _report(team: Acting, service: str) -> Any:
    decision = team.prepared("/can-deploy", {"service": service})
    return team.send("POST", f"/decisions/{decision}/outcome", {"result": "succeeded"})


Act = Callable[[Acting, str], Any]
ACTIONS: Final[dict[str, Act]] = {
    "POST /can-deploy": lambda team, service: team.send("POST", "/can-deploy", {"service": service}),
    "POST /decisions/{decision_id}/outcome": _report,
    "POST /holds": lambda team, service: team.send("POST", "/holds", hold(service)),
    "DELETE /holds/{hold_id}": _cancel,
    "POST /overrides": lambda team, service: team.send("POST", "/overrides", grant(service)),
    "POST /overrides/{override_id}/approve": lambda team, service: team.send(
        "POST", f"/overrides/{team.prepared('/overrides', grant(service))}/approve"
    ),
    "DELETE /overrides/{override_id}": lambda team, service: team.send(
        "DELETE", f"/overrides/{team.prepared('/overrides', grant(service))}"
    ),
    "POST /freezes": lambda team, service: team.send("POST", "/freezes", freeze(service)),
    "PATCH /freezes/{freeze_id}": lambda team, service: team.send(
        "PATCH", f"/freezes/{team.prepared('/freezes', freeze(service))}", {"title": "U"}
    ),
    "DELETE /freezes/{freeze_id}": lambda team, service: team.send(
        "DELETE", f"/freezes/{team.prepared('/freezes', freeze(service))}"
    ),
    "POST /dashboard/overrides": lambda team, service: team.form(
        "/dashboard/overrides", services=service, environments="production", reason="R", ttl="1h"
    ),
    "POST /dashboard/overrides/{override_id}/approve": lambda team, service: team.form(
        f"/dashboard/overrides/{team.prepared('/overrides', grant(service))}/approve"
    ),
    "POST /dashboard/overrides/{override_id}/revoke": lambda team, service: team.form(
        f"/dashboard/overrides/{team.prepared('/overrides', grant(service))}/revoke"
    ),
    "POST /dashboard/freezes": lambda team, service: team.form(
        "/dashboard/freezes", title="T", reason="R", environments="staging", services=service, ttl="1h"
    ),
    "POST /dashboard/freezes/{freeze_id}/change": lambda team, service: team.form(
        f"/dashboard/freezes/{team.prepared('/freezes', freeze(service))}/change", title="U", reason="R"
    ),
    "POST /dashboard/freezes/{freeze_id}/extend": lambda team, service: team.form(
        f"/dashboard/freezes/{team.prepared('/freezes', freeze(service))}/extend", ttl="2h"
    ),
    "POST /dashboard/freezes/{freeze_id}/lift": lambda team, service: team.form(
        f"/dashboard/freezes/{team.prepared('/freezes', freeze(service))}/lift"
    ),
    "POST /dashboard/freezes/{freeze_id}/again": lambda team, service: team.form(
        f"/dashboard/freezes/{_lifted(team, service)}/again"
    ),
    "POST /dashboard/holds/{hold_id}/cancel": lambda team, service: team.form(
        f"/dashboard/holds/{team.prepared('/holds', hold(service))}/cancel"
    ),
}
CASES: Final = [
    (name, role, team)
    for name in ACTIONS
    for role in ("ci", "ops", "admin")
    for team in TEAMS
    if ORDER.index(role) >= ORDER.index(NEEDS.get(name, "ops"))
]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("teams")
    (folder / "policies.yaml").write_text(POLICIES)
    settings = Settings(
        policies=folder / "policies.yaml", database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}")
    )
    with TestClient(create_app(settings, clock=FakeClock(NOW))) as client:
        yield client


def test_every_route_that_acts_is_classified() -> None:
    acting = {name for name in NEEDS if not name.startswith("GET ")}
    forms = {
        f"{method} {route.path}"
        for module in pkgutil.iter_modules(app.web.__path__)
        for route in getattr(import_module(f"app.web.{module.name}"), "router", APIRouter()).routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"GET", "HEAD"}
    }
    assert len(forms) > 8
    assert acting | forms == ACTIONS.keys() | FREE.keys()
    assert not ACTIONS.keys() & FREE.keys()


@pytest.mark.parametrize(("operation", "role", "team"), CASES)
def test_a_team_acts_on_its_own_services_and_no_others(
    gate: TestClient, operation: str, role: str, team: str
) -> None:
    scope, own, foreign, words = TEAMS[team]
    acting = Acting(gate, role, scope)
    if operation.startswith("POST /dashboard/"):
        acting.sign_in()
    act = ACTIONS[operation]
    accepted = act(acting, own)
    assert accepted.status_code in (200, 201, 303), accepted.text
    refused = act(acting, foreign)
    assert refused.status_code == 403, refused.text
    sentence = Page(refused.text).text if "/dashboard/" in operation else refused.json()["detail"]
    assert f"{role} of a team may act only on {words}" in sentence
    assert f"outside of it: {foreign}" in sentence


@pytest.mark.parametrize("role", ["ops", "admin"])
@pytest.mark.parametrize(
    "selector",
    [
        {},
        {"environments": ["production"]},
        {"services": ["*"]},
        {"tags": ["team-docs"]},
        {"services": ["c*"]},
    ],
)
def test_a_team_freezes_nothing_that_may_be_anothers(
    gate: TestClient, role: str, selector: dict[str, Any]
) -> None:
    team = Acting(gate, role, {"tags": ("team-shop",), "services": ("shop/*",)})
    body = {"title": "T", "reason": "R", "ttl": "1h"}
    refused = team.send("POST", "/freezes", {**body, **selector})
    assert refused.status_code == 403
    assert "may act only on the services shop/* and those tagged team-shop" in refused.json()["detail"]
    # Nor may its own freeze become one.
    own = team.send("POST", "/freezes", {**body, "environments": ["staging"], "tags": ["team-shop"]}).json()[
        "id"
    ]
    if selector.keys() & {"services", "tags"}:
        wider = {"tags": None, **selector}
        assert team.send("PATCH", f"/freezes/{own}", wider).status_code == 403
    assert team.send("PATCH", f"/freezes/{own}", {"tags": None}).status_code == 403
    assert team.send("PATCH", f"/freezes/{own}", {"services": ["shop/*"]}).status_code == 200


def test_a_team_claims_several_services_only_if_all_are_its_own(gate: TestClient) -> None:
    team = Acting(gate, "ci", {"tags": ("team-shop",)})
    refused = team.send("POST", "/can-deploy", {"services": ["checkout", "docs-site"]})
    assert refused.status_code == 403
    assert refused.json()["detail"].endswith("outside of it: docs-site")


def test_an_admin_of_a_team_grants_for_patterns_within_its_scope(gate: TestClient) -> None:
    team = Acting(gate, "admin", {"services": ("shop/*",)})
    assert team.send("POST", "/overrides", grant("shop/a*")).status_code == 201
    assert team.send("POST", "/overrides", grant("shop*")).status_code == 403


def test_what_cannot_be_looked_up_is_404_whatever_the_scope(gate: TestClient) -> None:
    team = Acting(gate, "ops", {"services": ("shop/*",)})
    assert team.send("DELETE", "/freezes/frz_0").status_code == 404
    assert team.send("DELETE", "/overrides/ovr_0").status_code == 404


def test_a_team_reads_everything(gate: TestClient) -> None:
    team = Acting(gate, "ops", {"services": ("shop/*",)})
    root = team.prepared("/freezes", freeze("docs-site"))
    for path in ("/can-deploy?service=docs-site", f"/freezes/{root}", "/overrides", "/decisions", "/status"):
        assert team.send("GET", path).status_code == 200, path


def test_a_page_offers_a_team_what_it_may_do(gate: TestClient) -> None:
    team = Acting(gate, "ops", {"tags": ("team-shop",)})
    paths = {
        service: [
            f"/dashboard/freezes/{team.prepared('/freezes', freeze(service))}/lift",
            f"/dashboard/overrides/{team.prepared('/overrides', grant(service))}/revoke",
        ]
        for service in ("checkout", "docs-site")
    }
    team.sign_in()
    offered = {each.get("action") for each in Page(gate.get("/").text).named("form")}
    assert set(paths["checkout"]) <= offered
    assert not offered & set(paths["docs-site"])
