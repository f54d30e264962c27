"""Policy files on their way to a gate."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.cli import candidate
from app.cli.api_client import RequestRejectedError
from app.cli.candidate import post_candidate
from app.cli.errors import UndecidedError
from app.cli.server import Request, Response
from app.core.calendar_url import masked
from app.policies.source import Source
from app.yaml.problem import PolicyFileError

URL = "https://calendar.example.com/private-1234/basic.ics"


class FakeGate:
    """Answers every request with one response."""

    def __init__(self, status: int, body: Any) -> None:
        self._response = Response(status, body if isinstance(body, bytes) else json.dumps(body).encode())
        self.requests: list[Request] = []

    def send(self, request: Request, deadline: float) -> Response:
        assert deadline > 30
        self.requests.append(request)
        return self._response


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "policies.yaml").write_text(
        "version: 1\npolicies:\n  - id: fair\n    title: Fair\n    reason: Busy\n    when:\n"
        f"      - icalendar: {{url: {URL}}}\n      - icalendar: {{file: fair.ics}}\n"
    )
    (tmp_path / "fair.ics").write_text("BEGIN:VCALENDAR\n")
    return Source(tmp_path / "policies.yaml")


def post(monkeypatch: pytest.MonkeyPatch, gate: FakeGate, source: Source) -> bytes:
    monkeypatch.setattr(candidate, "send", gate.send)
    return post_candidate("http://gate", "/policies/diff", source, {"to": "x"}, "text/markdown")


def test_files_go_with_their_calendars_and_without_private_urls(
    monkeypatch: pytest.MonkeyPatch, source: Source
) -> None:
    gate = FakeGate(200, b"# Opens")
    assert post(monkeypatch, gate, source) == b"# Opens"
    (request,) = gate.requests
    assert (request.url, request.headers["Accept"]) == ("http://gate/policies/diff", "text/markdown")
    assert request.body is not None
    assert request.body["calendars"] == {"fair.ics": "BEGIN:VCALENDAR\n"}
    assert "private-1234" not in str(request.body)
    assert masked(URL) in request.body["policies"]["policies.yaml"]


def test_problems_of_the_gate_name_the_files_of_the_user(
    monkeypatch: pytest.MonkeyPatch, source: Source, tmp_path: Path
) -> None:
    wrong = {"file": "policies.yaml", "line": 3, "column": 5, "path": "policies[0]", "message": "bad\x1b[2J"}
    gate = FakeGate(422, {"detail": "errors", "problems": [wrong, {"file": 1}, "x"]})
    with pytest.raises(PolicyFileError) as caught:
        post(monkeypatch, gate, source)
    assert str(caught.value) == f"{tmp_path}/policies.yaml:3:5: policies[0]: bad [2J"


@pytest.mark.parametrize(
    ("status", "body", "error", "sentence"),
    [
        (422, {"detail": "to: is wrong"}, RequestRejectedError, "answered 422: to: is wrong"),
        (403, {"detail": "role"}, RequestRejectedError, "no key was sent"),
        (413, b"<html>", RequestRejectedError, "answered 413"),
        (503, {"detail": "busy"}, UndecidedError, "answered 503: busy"),
        (302, b"", UndecidedError, "answered 302"),
    ],
)
def test_a_refusal_says_why(
    monkeypatch: pytest.MonkeyPatch,
    source: Source,
    status: int,
    body: Any,
    error: type[Exception],
    sentence: str,
) -> None:
    monkeypatch.delenv("FREEZEGATE_API_KEY", raising=False)
    with pytest.raises(error, match=sentence):
        post(monkeypatch, FakeGate(status, body), source)


def test_files_that_can_not_be_read_are_not_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gate = FakeGate(200, b"")
    with pytest.raises(PolicyFileError, match="there is no such file"):
        post(monkeypatch, gate, Source(tmp_path / "gone.yaml"))
    assert gate.requests == []
