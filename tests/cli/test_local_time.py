"""Local dates and times on the command line: their zone, and which of them are rejected."""

import json
from pathlib import Path

import pytest

from app.cli import run
from app.cli.local_time import instant_or_local, to_instant
from app.core.errors import FreezegateError
from tests.cli.conftest import CannedServer

AMSTERDAM = "Europe/Amsterdam"


def in_amsterdam(text: str, *, is_end: bool = False) -> str:
    instant_or_local(text)
    return to_instant(text, lambda: AMSTERDAM, is_end=is_end)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-27 14:00", "2026-11-27T13:00:00Z"),
        ("2026-06-11T14:00", "2026-06-11T12:00:00Z"),
        ("2026-06-11 14:00:30", "2026-06-11T12:00:30Z"),
        ("2026-12-24", "2026-12-23T23:00:00Z"),
        ("2026-11-27T14:00:00+09:00", "2026-11-27T14:00:00+09:00"),
        ("2026-11-27T14:00:00Z", "2026-11-27T14:00:00Z"),
    ],
)
def test_a_local_time_is_read_in_the_zone_and_an_instant_stays(text: str, instant: str) -> None:
    assert in_amsterdam(text) == instant


def test_a_date_as_an_end_includes_its_day() -> None:
    assert in_amsterdam("2026-12-24", is_end=True) == "2026-12-24T23:00:00Z"
    assert in_amsterdam("2026-12-24 18:00", is_end=True) == "2026-12-24T17:00:00Z"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("2026-10-25 02:30", "occurs twice .*2026-10-25T02:30:00[+]02:00 or 2026-10-25T02:30:00[+]01:00"),
        ("2027-03-28 02:30", "is skipped .*2027-03-28T01:30:00[+]01:00 or 2027-03-28T03:30:00[+]02:00"),
    ],
)
def test_a_time_that_is_skipped_or_occurs_twice_is_refused_with_both_readings(
    text: str, sentence: str
) -> None:
    with pytest.raises(Exception, match=sentence):
        in_amsterdam(text)


@pytest.mark.parametrize(
    "text",
    ["soon", "14:00", "2026-02-30", "2026-11-27 25:00", "27-11-2026", "1999-12-31", "2026-11-27 14:00Z"],
)
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(FreezegateError):
        instant_or_local(text)


def test_a_file_gives_the_zone_of_a_preview_unless_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text("version: 1\ntimezone: Asia/Tokyo\npolicies: []\n")
    ask = ["check", "api", "--json", "--policies", str(path), "--at", "2026-11-27 14:00"]
    assert run(ask) == 0
    assert json.loads(capsys.readouterr().out)["at"] == "2026-11-27T05:00:00Z"
    assert run([*ask, "--timezone", AMSTERDAM]) == 0
    assert json.loads(capsys.readouterr().out)["at"] == "2026-11-27T13:00:00Z"


def test_a_server_gives_the_zone_of_a_freeze(server: CannedServer) -> None:
    server.reply(200, {"timezone": AMSTERDAM, "id": "frz_1"})
    start = ["freeze", "start", "--title", "a", "--reason", "b", "--server", server.url]
    assert run([*start, "--starts-at", "2026-12-24 18:00", "--until", "2026-12-27"]) == 0
    asked, sent = server.received
    assert (asked.method, asked.path) == ("GET", "/status")
    assert sent.body["starts_at"] == "2026-12-24T17:00:00Z"
    assert sent.body["until"] == "2026-12-27T23:00:00Z"
    assert "timezone" not in sent.body


def test_a_zone_that_is_named_is_not_asked_for(server: CannedServer) -> None:
    server.reply(201, {"id": "ovr_1", "token": "fzo_1"})
    grant = ["override", "grant", "--service", "api", "--reason", "b", "--server", server.url]
    assert run([*grant, "--expires-at", "2026-12-24 18:00", "--timezone", "Asia/Tokyo"]) == 0
    [sent] = server.received
    assert sent.body["expires_at"] == "2026-12-24T09:00:00Z"


def test_a_server_that_does_not_say_its_zone_freezes_nothing(
    server: CannedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.reply(403, {"detail": "these credentials do not reach so far"})
    end = ["freeze", "extend", "frz_1", "--until", "2026-12-24 18:00", "--server", server.url]
    assert run(end) == 3
    assert "set it with --timezone" in capsys.readouterr().err
    assert [each.method for each in server.received] == ["GET"]


def test_a_zone_that_is_mistyped_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calendar", "--timezone", "Europe/Amsterdm"]) == 2
    assert 'did you mean "Europe/Amsterdam"?' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["chekout"], 'unknown service; did you mean "checkout"?'),
        (["elsewhere"], "unknown service; known: checkout, docs-site"),
        (["checkout", "--environment", "stagin"], 'unknown environment; did you mean "staging"?'),
        (["checkout", "--change", "rolback"], 'unknown change; did you mean "rollback"?'),
    ],
)
def test_a_name_that_is_mistyped_gets_a_suggestion(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(
        "version: 1\nenvironments: [production, staging]\nservices: {checkout: {}, docs-site: {}}\n"
        "unknown_services: refuse\npolicies: []\n"
    )
    assert run(["check", *arguments, "--policies", str(path)]) == 3
    assert sentence in capsys.readouterr().err
