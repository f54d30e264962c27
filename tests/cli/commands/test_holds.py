"""``freezegate holds``: the list of the deploys that wait, and one of them."""

from typing import Any

import pytest

from app.cli import run
from tests.cli.conftest import CannedServer

HOLD: dict[str, Any] = {
    "id": "hld_1",
    "state": "waiting",
    "service": "checkout",
    "environment": "production",
    "actor": "ada",
    "requested_by": "ci",
    "created_at": "2030-11-29T13:05:00Z",
    "expires_at": "2030-12-01T13:05:00Z",
    "changed_at": "2030-11-29T13:05:00Z",
    "turn_at": "2030-11-30T07:00:00Z",
}


def reply(server: CannedServer, *holds: dict[str, Any]) -> None:
    """Give the same answer to the list and to the question for the zone."""
    server.reply(200, {"holds": holds, "next": None, "timezone": "Europe/Amsterdam"})


@pytest.mark.parametrize("command", [["holds"], ["holds", "list"]])
def test_alone_it_lists_those_that_wait_in_local_time(
    server: CannedServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:
    monkeypatch.setenv("FREEZEGATE_URL", server.url)
    late = {"id": "hld_2", "turn_at": None, "expires_at": "2030-11-30T08:13:00+01:00"}
    over = {"id": "hld_3", "turn_at": None, "state": "cancelled"}
    reply(server, HOLD, HOLD | late, HOLD | over)
    assert run(command) == 0
    head, waiting, rejected, cancelled = capsys.readouterr().out.splitlines()
    assert head.split() == ["ID", "STATE", "SERVICE", "ENVIRONMENT", "WHO", "SINCE", "TURN", "EXPIRES"]
    assert waiting.endswith("Fri 29 Nov 2030 14:05 CET  Sat 30 Nov 2030 08:00 CET  Sun 1 Dec 2030 14:05 CET")
    assert "CET  will be rejected " in rejected
    assert rejected.endswith("Sat 30 Nov 2030 08:13 CET")
    assert "rejected" not in cancelled
    assert {each.path.partition("?")[0] for each in server.received} == {"/holds", "/status"}


def test_a_wrong_command_is_still_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["holds", "lst"]) == 2
    assert 'there is no command "lst"' in capsys.readouterr().err


def test_one_that_is_finished_says_what_became_of_it_when_and_why(
    server: CannedServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREEZEGATE_URL", server.url)
    cancelled = {"state": "cancelled", "changed_at": "2030-11-29T13:10:00Z", "cancelled_by": "grace"}
    server.reply(200, HOLD | cancelled | {"cancel_reason": "Superseded", "timezone": "Europe/Amsterdam"})
    assert run(["holds", "show", "hld_1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "hld_1 is cancelled: checkout to production",
        "  asked for by ada on Fri 29 Nov 2030 14:05 CET",
        "  cancelled on Fri 29 Nov 2030 14:10 CET by grace: Superseded",
    ]
    server.reply(200, HOLD | {"timezone": "Europe/Amsterdam"})
    assert run(["holds", "show", "hld_1"]) == 0
    assert "waits since Fri 29 Nov" in capsys.readouterr().out
