"""The API against its own document: no input gives a 5xx, and no answer is undocumented."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.identity.credentials import new_key
from tests.live.gate import ROOT, running

OPERATIONS = (
    "GET /can-deploy",
    "POST /can-deploy",
    "POST /can-deploy/batch",
    "GET /status",
    "GET /schedule",
    "GET /year",
    "GET /policies",
    "GET /policies/{policy_id}",
    "GET /policies/{policy_id}/history",
    "GET /policy-revisions/{old}/diff/{new}",
    "POST /policies/diff",
    "POST /overrides",
    "GET /overrides",
    "GET /overrides/{override_id}",
    "DELETE /overrides/{override_id}",
    "POST /overrides/{override_id}/approve",
    "POST /freezes",
    "GET /freezes",
    "GET /freezes/{freeze_id}",
    "PATCH /freezes/{freeze_id}",
    "DELETE /freezes/{freeze_id}",
    "POST /holds",
    "GET /holds",
    "GET /holds/{hold_id}",
    "DELETE /holds/{hold_id}",
    "GET /decisions",
    "GET /decisions/{decision_id}",
    "POST /decisions/{decision_id}/outcome",
    "GET /insights",
    "GET /calendar.ics",
    "GET /badge.svg",
    "GET /badge.json",
    "GET /audit",
    "GET /audit/verify",
    "GET /healthz",
    "GET /readyz",
)
ADMIN = new_key()
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    database = tmp_path_factory.mktemp("gate") / "gate.db"
    with running(ROOT / "policies.yaml", database, FREEZEGATE_ADMIN_KEY=ADMIN) as gate:
        yield gate.url


@cache
def document_of(url: str) -> Any:
    """The document of a gate, read once: that takes a second."""
    return schemathesis.openapi.from_url(f"{url}/openapi.json")


def hammer(url: str, operation: str, examples: int, headers: dict[str, str] | None = None) -> None:
    method, path = operation.split()

    @given(case=document_of(url)[path][method].as_strategy())
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def run(case: Any) -> None:
        case.validate_response(case.call(base_url=url, headers=headers), checks=CHECKS)

    run()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_input_gives_a_5xx_or_an_undocumented_answer(url: str, operation: str) -> None:
    hammer(url, operation, 30)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nor_does_any_input_of_an_admin(url: str, operation: str) -> None:
    hammer(url, operation, 30, {"Authorization": f"Bearer {ADMIN}"})


@pytest.mark.long
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_same_for_longer(url: str, operation: str) -> None:
    hammer(url, operation, 3000)
