"""``/policy-revisions`` and ``/policies/{id}/history``: what the record says of the policies, over HTTP."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.diff import TooManyHoursError
from app.core.instant import parse_instant
from app.main import create_app
from app.server.context import MOST_JOBS_OF_ADDRESS
from app.server.periodic import poll_policies
from app.settings import Settings
from tests.api.conftest import POLICIES
from tests.api.fakes import FakeClock
from tests.api.test_openapi import DOCUMENT, check

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


def revisions(gate: TestClient) -> list[str]:
    return [each["revision"] for each in get(gate, "/policy-revisions")["revisions"]]


def test_any_two_revisions_are_compared_also_abbreviated(changed: TestClient) -> None:
    newest, _, later, first = revisions(changed)
    path = f"/policy-revisions/{first}/diff/{newest[7:15]}"
    found = get(changed, path, **{"from": "2026-11-30T00:00:00Z", "to": "2026-12-14T00:00:00Z"})
    check(found, DOCUMENT["paths"]["/policy-revisions/{old}/diff/{new}"]["get"], "200")
    assert (found["old_revision"], found["new_revision"]) == (first, newest)
    assert {(each["kind"], each["id"], each["new_id"]) for each in found["policies"]} == {
        ("changed", "friday-afternoon", None),
        ("renamed", "lunch", "noon"),
    }
    (difference,) = found["differences"]
    assert [each["from"] for each in difference["hours"]] == ["2026-12-04T13:00:00Z", "2026-12-11T13:00:00Z"]
    back = get(changed, f"/policy-revisions/{newest}/diff/{later}")
    assert (back["opens"], back["closes"]) == (False, False)


@pytest.mark.parametrize(("accept", "words"), [("text/markdown", "### Opens"), ("image/svg+xml", "<svg")])
def test_a_comparison_has_the_forms_of_any_other(changed: TestClient, accept: str, words: str) -> None:
    newest, *_, first = revisions(changed)
    reply = changed.get(f"/policy-revisions/{first}/diff/{newest}", headers={"Accept": accept})
    assert reply.headers["content-type"].startswith(accept)
    assert words in reply.text


@pytest.mark.parametrize(
    ("path", "query", "status", "words"),
    [
        ("ffff/diff/ffff", "", 404, "no set of policies with that revision was in force"),
        ("sha256/diff/nonsense", "", 404, "a revision is sha256: and hexadecimal digits"),
        (
            "{first}/diff/{first}",
            "from=2026-11-30T00:00:00Z&to=2026-11-30T00:00:00Z",
            422,
            "must be after from",
        ),
        ("{first}/diff/{first}", "from=1999-11-30T00:00:00Z", 422, ""),
        ("{first}/diff/{first}", "at=2026-11-30T00:00:00Z", 422, ""),
    ],
)
def test_what_cannot_be_compared_is_refused(
    changed: TestClient, path: str, query: str, status: int, words: str
) -> None:
    first = revisions(changed)[-1]
    reply = changed.get(f"/policy-revisions/{path.format(first=first)}?{query}")
    assert reply.status_code == status
    assert words in reply.text


def test_a_comparison_that_differs_too_often_asks_for_a_shorter_period(
    changed: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TooManyHoursError("they differ too often; choose a shorter period")

    monkeypatch.setattr("app.gate.revision_diff.diff", fail)
    newest, *_, first = revisions(changed)
    reply = changed.get(f"/policy-revisions/{first}/diff/{newest}")
    assert reply.status_code == 422
    (error,) = reply.json()["errors"]
    assert error == {"field": "to", "message": "they differ too often; choose a shorter period"}


def test_one_address_can_not_take_all_places_of_the_jobs(changed: TestClient) -> None:
    limit, scope = changed.app.state.context.running_jobs, {"client": ("testclient", 1)}  # type: ignore[attr-defined]
    newest = get(changed, "/policy-revisions")["revisions"][0]["revision"]
    with contextlib.ExitStack() as held:
        for _ in range(MOST_JOBS_OF_ADDRESS):
            held.enter_context(limit.held(scope))
        reply = changed.get(f"/policy-revisions/{newest}/diff/{newest}")
        page = changed.get(f"/dashboard/policies/noon?from={newest}&to={newest}")
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "5")
    assert "too many long computations from this address" in page.text
    assert changed.get(f"/policy-revisions/{newest}/diff/{newest}").status_code == 200
