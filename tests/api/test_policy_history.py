"""``/policy-revisions`` and ``/policies/{id}/history``: what the record says of the policies, over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.instant import parse_instant
from app.main import create_app
from app.server.periodic import poll_policies
from app.settings import Settings
from tests.api.conftest import POLICIES
from tests.api.fakes import FakeClock

LATER = POLICIES.replace("fri 14:00, to", "fri 15:00, to").replace("27 14:00", "27 15:00")
RENAMED = LATER.replace("id: lunch", "id: noon")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A gate whose files were changed, put back, and changed once more, an hour apart."""
    folder: Path = tmp_path_factory.mktemp("changed")
    file, clock = folder / "policies.yaml", FakeClock(parse_instant("2026-11-27T08:00:00Z"))
    file.write_text(POLICIES)
    settings = Settings(policies=file, database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}"))
    with TestClient(create_app(settings, clock=clock)) as client:
        for text in (LATER, POLICIES, RENAMED):
            clock.at += 3_600
            file.write_text(text)
            for _ in range(2):
                poll_policies(client.app.state.context)  # type: ignore[attr-defined]
        yield client


def get(gate: TestClient, path: str, **params: str) -> dict[str, Any]:
    reply = gate.get(path, params=params)
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def test_the_revisions_that_were_in_force_are_listed_newest_first(changed: TestClient) -> None:
    found = get(changed, "/policy-revisions")["revisions"]
    assert [each["from"][11:16] for each in found] == ["11:00", "10:00", "09:00", "08:00"]
    assert [each["cause"] for each in found] == ["change", "change", "change", "start"]
    assert found[0]["revision"] == get(changed, "/policies")["policy_revision"]
    assert found[1]["revision"] == found[3]["revision"]
    assert {each["kind"] for each in found[0]["policies"]} == {"changed", "renamed"}
    assert found[0]["keys"] == ["tests"]


def test_the_revisions_come_in_pages(changed: TestClient) -> None:
    first = get(changed, "/policy-revisions", limit="3")
    rest = get(changed, "/policy-revisions", cursor=first["next"])
    whole = get(changed, "/policy-revisions")
    assert first["revisions"] + rest["revisions"] == whole["revisions"]
    assert rest["next"] is None


def test_a_policy_has_only_the_revisions_that_changed_it(changed: TestClient) -> None:
    found = get(changed, "/policies/noon/history")
    assert (found["id"], found["in_force"]) == ("noon", True)
    assert [each["change"]["kind"] for each in found["revisions"]] == ["renamed", "added"]
    first = get(changed, "/policies/noon/history", limit="1")
    assert get(changed, "/policies/noon/history", cursor=first["next"])["revisions"] == found["revisions"][1:]
    assert get(changed, "/policies/lunch/history")["in_force"] is False


@pytest.mark.parametrize("policy_id", ["nothing", "NOT-AN-ID", "a" * 70])
def test_a_policy_that_never_was_has_no_history(changed: TestClient, policy_id: str) -> None:
    reply = changed.get(f"/policies/{policy_id}/history")
    assert reply.status_code == 404
    assert policy_id not in reply.text


@pytest.mark.parametrize(
    ("path", "cursor"),
    [
        ("/policies/lunch/history", "12"),
        ("/policies/lunch/history", "x.lunch"),
        ("/policies/lunch/history", f"{'9' * 19}.lunch"),
        ("/policy-revisions", "12.lunch"),
    ],
)
def test_a_cursor_is_taken_as_it_came(changed: TestClient, path: str, cursor: str) -> None:
    reply = changed.get(path, params={"cursor": cursor})
    assert reply.status_code == 422
    assert reply.json()["errors"] == [
        {"field": "cursor", "message": "is `next` of the page before, as it came"}
    ]
