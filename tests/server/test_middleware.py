"""What every request meets first."""

import io
import json
import logging

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import clock, folder, gate, log

__all__ = ["clock", "folder", "gate", "log"]

QUESTION = "/can-deploy?service=checkout"


@pytest.mark.parametrize(
    "path",
    [
        QUESTION,
        "/status",
        "/healthz",
        "/readyz",
        "/metrics",
        "/calendar.ics",
        "/badge.svg",
        "/badge.json",
        "/",
    ],
)
def test_the_head_of_an_answer_is_that_of_the_answer(gate: TestClient, path: str) -> None:
    whole, head = gate.get(path), gate.head(path)
    assert head.status_code == whole.status_code
    assert head.content == b""
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert head.headers.get("etag") == whole.headers.get("etag")


def test_a_head_is_answered_by_what_was_remembered_too(gate: TestClient) -> None:
    first, again = gate.get(QUESTION), gate.head(QUESTION)
    assert (first.status_code, again.status_code, again.content) == (423, 423, b"")
    assert again.headers["content-length"] == first.headers["content-length"]


def test_a_head_is_logged_as_what_it_was(
    gate: TestClient, log: io.BytesIO, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "freezegate")
    gate.head("/status")
    gate.get("/healthz")  # a line is written a turn of the loop later
    [line] = map(json.loads, log.getvalue().splitlines())
    assert (line["method"], line["route"], line["status"]) == ("HEAD", "/status", 200)


@pytest.mark.parametrize("path", ["/events", "/overrides/ovr_x/approve"])
def test_there_is_no_head_of_what_can_not_be_got_or_never_ends(gate: TestClient, path: str) -> None:
    assert gate.head(path).status_code == 405


def test_what_a_route_takes_is_told(gate: TestClient) -> None:
    refused = gate.put("/can-deploy")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST")


def test_under_another_server_a_request_that_offers_an_upgrade_is_the_last_of_its_connection(
    gate: TestClient,
) -> None:
    offered = gate.get(QUESTION, headers={"Upgrade": "h2c", "Connection": "Upgrade"})
    assert offered.headers["connection"] == "close"
    assert "connection" not in gate.get(QUESTION).headers


def test_the_api_document_is_rendered_once(gate: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    first = gate.get("/openapi.json")
    assert first.headers["content-type"] == "application/json"
    monkeypatch.setattr("app.server.openapi.json", None)
    assert gate.get("/openapi.json").content == first.content


def test_what_a_form_takes_is_told_too(gate: TestClient) -> None:
    assert gate.get("/dashboard/sign-out").headers["allow"] == "POST"
