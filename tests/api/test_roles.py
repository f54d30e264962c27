"""Who may do what: every route, method and role, from the OpenAPI document."""

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

import app.api
from app.gate.keys import KeyRequest
from app.identity.caller import Role
from app.integrations.vendors import vendors
from app.main import create_app
from app.server.routes import Routes
from app.settings import Settings
from tests.api.conftest import POLICIES, bearer, key_for
from tests.api.fakes import FakeClock
from tests.identity.issuer import AUDIENCE, LocalIssuer
from tests.integrations.sections import integrations_file

NOW = 1_795_784_700

# Each route and who may use it: written down here by hand, so that what the code says is held against it.
NEEDS = {
    "GET /can-deploy": "viewer",
    "POST /can-deploy": "ci",
    "POST /can-deploy/batch": "viewer",
    "GET /status": "viewer",
    "GET /schedule": "viewer",
    "GET /projections": "viewer",
    "GET /projections/windows": "viewer",
    "GET /year": "viewer",
    "GET /policies": "viewer",
    "GET /policies/{policy_id}": "viewer",
    "POST /policies/lint": "viewer",
    "POST /policies/backtest": "viewer",
    "POST /policies/diff": "viewer",
    "GET /policies/{policy_id}/history": "viewer",
    "GET /policy-revisions": "viewer",
    "GET /policy-revisions/{old}/diff/{new}": "viewer",
    "POST /overrides": "ops",
    "GET /overrides": "ops",
    "GET /overrides/{override_id}": "ops",
    "DELETE /overrides/{override_id}": "ops",
    "POST /overrides/{override_id}/approve": "ops",
    "POST /freezes": "ops",
    "GET /freezes": "viewer",
    "GET /freezes/{freeze_id}": "viewer",
    "PATCH /freezes/{freeze_id}": "ops",
    "DELETE /freezes/{freeze_id}": "ops",
    "POST /holds": "ci",
    "GET /holds": "viewer",
    "GET /holds/{hold_id}": "viewer",
    "DELETE /holds/{hold_id}": "ci",
    "GET /decisions": "viewer",
    "GET /decisions/{decision_id}": "viewer",
    "POST /decisions/{decision_id}/outcome": "ci",
    "GET /insights": "viewer",
    "GET /events": "viewer",
    "POST /integrations/kubernetes/admission": "viewer",
    "POST /integrations/github": "signed",
    "GET /calendar.ics": "viewer",
    "GET /badge.svg": "viewer",
    "GET /badge.json": "viewer",
    "GET /audit": "admin",
    "GET /audit/verify": "admin",
    **{
        f"POST /integrations/{source}{route}": needed
        for source in ("alertmanager", "pagerduty", "incident-io", "rootly", "jira", "webhook")
        for route, needed in (("", "signed"), ("/simulate", "ops"))
    },
    "GET /healthz": "anyone",
    "GET /readyz": "anyone",
    "GET /metrics": "anyone",
    "POST /integrations/azure-devops": "signed",
    "POST /integrations/buildkite": "signed",
    "POST /integrations/flagger": "signed",
    "POST /integrations/gitlab": "signed",
    "POST /integrations/hcp-terraform": "signed",
}
# The routes that vendors call are "signed": they need no role, and refuse a request without a signature.
SIGNED = "signed"
ORDER = ["viewer", "ci", "ops", "admin"]
OF_VENDORS = {
    f"{method} {route.path}"  # type: ignore[attr-defined]
    for vendor in vendors().values()
    if vendor.router is not None
    for route in vendor.router.routes
    for method in route.methods  # type: ignore[attr-defined]
}
CALLERS = ["nobody", "viewer", "ci", "ops", "admin", "expired", "revoked", "forged"]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A gate on which nobody may do anything without a key."""
    folder: Path = tmp_path_factory.mktemp("strict")
    (folder / "policies.yaml").write_text(POLICIES)
    settings = Settings(
        policies=folder / "policies.yaml",
        database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}"),
        anonymous_role="none",
    )
    with TestClient(create_app(settings, clock=FakeClock(NOW))) as client:
        client.app.state.context.hub.close()  # type: ignore[attr-defined]  # so that streams end
        yield client


@pytest.fixture(scope="module")
def integrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A gate with a section for every vendor."""
    folder: Path = tmp_path_factory.mktemp("integrated")
    (folder / "policies.yaml").write_text(POLICIES)
    settings = Settings(policies=folder / "policies.yaml", integrations=integrations_file(folder))
    with TestClient(create_app(settings, clock=FakeClock(NOW))) as client:
        yield client


@pytest.fixture(scope="module")
def credentials(strict: TestClient) -> dict[str, dict[str, str]]:
    context = strict.app.state.context  # type: ignore[attr-defined]
    keys = {role.value: bearer(key_for(strict, KeyRequest(role.value, role))) for role in Role}
    keys["expired"] = bearer(key_for(strict, KeyRequest("old", Role.ADMIN, None, NOW + 1)))
    keys["revoked"] = bearer(key_for(strict, KeyRequest("gone", Role.ADMIN)))
    gone = next(each for each in context.gate._store.query(lambda view: view.keys()) if each.name == "gone")
    context.gate._store.transact(lambda transaction: transaction.revoke_key(gone.id, NOW))
    context.cache.load()
    context.clock.at += 1
    return {"nobody": {}, "forged": bearer("fzk_" + "0" * 39), **keys}


def operations(client: TestClient) -> dict[str, dict[str, object]]:
    paths = client.get("/openapi.json").json()["paths"]
    return {
        f"{method.upper()} {path}": operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def test_every_route_has_a_row_and_says_who_may_use_it(strict: TestClient) -> None:
    told = {
        name: operation.get("x-role", SIGNED if name in OF_VENDORS else "anyone")
        for name, operation in operations(strict).items()
    }
    assert told == NEEDS


def test_the_routes_of_a_vendor_lie_below_its_name() -> None:
    for vendor in vendors().values():
        for route in [] if vendor.router is None else vendor.router.routes:
            assert f"{route.path}/".startswith(f"/integrations/{vendor.name}/")  # type: ignore[attr-defined]
    assert {name for name, needed in NEEDS.items() if needed == SIGNED} <= OF_VENDORS


@pytest.mark.parametrize("operation", [name for name, needed in NEEDS.items() if needed == SIGNED])
def test_a_route_of_a_vendor_refuses_what_is_not_signed(integrated: TestClient, operation: str) -> None:
    context = integrated.app.state.context  # type: ignore[attr-defined]
    context.clock.at += 61
    method, path = operation.split()
    for content in (b"", b"{}", b"[", b"x" * 1000):
        reply = integrated.request(method, re.sub(r"\{\w+\}", "nothing", path), content=content)
        assert reply.status_code == 401, reply.text


def test_every_route_of_the_api_is_declared_with_its_role() -> None:
    for module in pkgutil.iter_modules(app.api.__path__):
        router = importlib.import_module(f"app.api.{module.name}").router
        assert isinstance(router, Routes), module.name
        assert len(router.routes) == len(router.declarations), module.name


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("operation", NEEDS)
def test_each_route_lets_in_whom_it_should(
    strict: TestClient, credentials: dict[str, dict[str, str]], operation: str, caller: str
) -> None:
    context = strict.app.state.context  # type: ignore[attr-defined]
    context.clock.at += 61  # so that failures of other cases do not count here
    method, path = operation.split()
    reply = (
        strict.request(method, re.sub(r"\{\w+\}", "nothing", path), headers=credentials[caller], json={})
        if method in ("POST", "PATCH")
        else strict.request(method, re.sub(r"\{\w+\}", "nothing", path), headers=credentials[caller])
    )
    needed = NEEDS[operation]
    if needed == SIGNED:
        # There is no integrations file, so it is as if there were no route.
        assert reply.status_code == 404
    elif needed == "anyone":
        assert reply.status_code == 200
    elif caller not in ORDER:
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"] == "Bearer"
    elif ORDER.index(caller) < ORDER.index(needed):
        assert reply.status_code == 403
    else:
        assert reply.status_code in (200, 404, 422), reply.text


def test_an_identity_token_of_a_ci_system_is_a_caller_like_any_other(tmp_path: Path) -> None:
    issuer = LocalIssuer()
    issuer.add_key("one")
    rule = {"claims": {"repository": "acme/checkout"}, "role": "ci", "services": ["checkout"]}
    told = {"issuers": [{"issuer": issuer.url, "audience": AUDIENCE, "rules": [rule]}]}
    (tmp_path / "identity.yaml").write_text(json.dumps(told))
    (tmp_path / "policies.yaml").write_text("version: 1\npolicies: []\n")
    settings = Settings(
        policies=tmp_path / "policies.yaml", anonymous_role="none", identity=tmp_path / "identity.yaml"
    )
    with TestClient(create_app(settings, clock=FakeClock(NOW))) as client:
        good, forged = bearer(issuer.token()), bearer(issuer.token(repository="acme/other"))
        claimed = client.post("/can-deploy", json={"service": "checkout"}, headers=good)
        assert claimed.status_code == 200
        assert client.post("/can-deploy", json={"service": "api"}, headers=good).status_code == 403
        assert client.get("/overrides", headers=good).status_code == 403
        assert client.get("/status", headers=forged).status_code == 401
        shown = client.get(f"/decisions/{claimed.json()['decision_id']}", headers=good).json()
        assert shown["caller"] == "github:acme/checkout@alice"
        issuer.close()
        # The issuer is gone, and its keys are remembered.
        assert client.get("/status", headers=good).status_code == 200


def test_an_issuer_that_cannot_be_reached_is_503_and_no_refusal(tmp_path: Path) -> None:
    issuer = LocalIssuer()
    issuer.add_key("one")
    issuer.close()
    rule = {"claims": {"repository": "acme/checkout"}, "role": "ci"}
    told = {"issuers": [{"issuer": issuer.url, "audience": AUDIENCE, "rules": [rule]}]}
    (tmp_path / "identity.yaml").write_text(json.dumps(told))
    (tmp_path / "policies.yaml").write_text("version: 1\npolicies: []\n")
    settings = Settings(policies=tmp_path / "policies.yaml", identity=tmp_path / "identity.yaml")
    with TestClient(create_app(settings, clock=FakeClock(NOW))) as client:
        reply = client.post("/can-deploy", json={"service": "checkout"}, headers=bearer(issuer.token()))
        assert reply.status_code == 503


@pytest.mark.parametrize(
    ("role", "asked", "claimed"), [("ci", 200, 200), ("viewer", 200, 401), ("none", 401, 401)]
)
def test_the_anonymous_role_is_what_the_settings_say(
    tmp_path: Path, role: str, asked: int, claimed: int
) -> None:
    (tmp_path / "policies.yaml").write_text("version: 1\npolicies: []\n")
    settings = Settings(policies=tmp_path / "policies.yaml", anonymous_role=role)  # type: ignore[arg-type]
    with TestClient(create_app(settings, clock=FakeClock(NOW))) as client:
        assert client.get("/can-deploy?service=api").status_code == asked
        assert client.get("/can-deploy?service=api").status_code == asked
        assert client.post("/can-deploy", json={"service": "api"}).status_code == claimed
        assert client.get("/overrides").status_code == 401


def test_anonymous_claims_are_limited_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text("version: 1\npolicies: []\n")
    settings = Settings(policies=tmp_path / "policies.yaml", anonymous_claims="3/minute")
    with TestClient(create_app(settings, clock=FakeClock(NOW))) as client:
        key = key_for(client, KeyRequest("pipeline", Role.CI))
        statuses = [client.post("/can-deploy", json={"service": "api"}).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        for _ in range(5):
            reply = client.post("/can-deploy", json={"service": "api"}, headers=bearer(key))
            assert reply.status_code == 200
