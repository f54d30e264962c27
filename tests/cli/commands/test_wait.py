import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli import run
from app.cli.commands.wait import HEARTBEAT, ProgressPrinter, Wait, WaitOptions
from app.cli.decision_source import Answer, FileDecisionSource, Query
from app.cli.errors import UndecidedError
from app.cli.server import DEADLINE
from app.core.instant import format_instant, parse_instant
from tests.cli.conftest import ALLOW, DENY, POLICIES, CannedServer

START = parse_instant("2026-11-30T06:00:00Z")
OPENS = parse_instant("2026-11-30T07:00:00Z")


class FakeTime:
    """A clock that advances only by sleeping."""

    def __init__(self, now: int = START) -> None:
        self._now = float(now)
        self.slept: list[float] = []

    def now(self) -> int:
        return int(self._now)

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self._now += seconds


class Scripted:
    """A decision source that answers by a function of the time and records its queries."""

    def __init__(self, reply: Callable[[int], dict[str, Any] | UndecidedError]) -> None:
        self._reply = reply
        self.asked_at: list[int] = []
        self.timeouts: list[float] = []

    def ask(self, query: Query, now: int, timeout: float = DEADLINE) -> Answer:
        self.asked_at.append(now)
        self.timeouts.append(timeout)
        reply = self._reply(now)
        if isinstance(reply, UndecidedError):
            raise reply
        return Answer({**reply, "at": format_instant(now)})


class Printed:
    """The lines and status lines that were printed."""

    def __init__(self, *, terminal: bool = False) -> None:
        self.lines: list[str] = []
        self.shown: list[str] = []
        self.progress = ProgressPrinter(
            terminal=terminal, print_line=self.lines.append, show_status=self.shown.append
        )


def opening(now: int) -> dict[str, Any]:
    return ALLOW if now >= OPENS else DENY


def hold(
    reply: Callable[[int], dict[str, Any] | UndecidedError],
    options: WaitOptions,
    *,
    terminal: bool = False,
    as_json: bool = False,
) -> tuple[int, Printed, Scripted, FakeTime]:
    printed, source, clock = Printed(terminal=terminal), Scripted(reply), FakeTime()
    status = Wait(source, options, clock, printed.progress, as_json=as_json).until_open(Query("api"))
    return status, printed, source, clock


def test_it_ends_at_once_where_it_is_open() -> None:
    status, printed, _, clock = hold(lambda _: ALLOW, WaitOptions())
    assert status == 0
    assert printed.lines == [ALLOW["message"]]
    assert clock.slept == []


def test_it_asks_every_poll_and_again_when_it_should_open() -> None:
    status, _, source, clock = hold(opening, WaitOptions(poll=50))
    assert status == 0
    assert source.asked_at[1] == START + 50
    assert all(
        later - earlier <= 50 for earlier, later in zip(source.asked_at, source.asked_at[1:], strict=False)
    )
    assert OPENS <= clock.now() <= OPENS + 2


def test_each_change_is_told_once_and_a_log_hears_of_it_every_five_minutes() -> None:
    _, printed, _, _ = hold(opening, WaitOptions(poll=30))
    assert printed.lines[0] == DENY["message"]
    assert printed.lines[-1] == ALLOW["message"]
    beats = printed.lines[1:-1]
    assert beats[0] == "still frozen, opens in 55 min"
    assert len(beats) == 3600 // HEARTBEAT - 1


def test_another_policy_that_blocks_is_a_change() -> None:
    other = {**DENY, "message": "Year-end freeze.", "blocking": [{"id": "year-end"}]}

    def reply(now: int) -> dict[str, Any]:
        return ALLOW if now >= START + 90 else other if now >= START + 60 else DENY

    _, printed, _, _ = hold(reply, WaitOptions(poll=30))
    assert printed.lines == [DENY["message"], "Year-end freeze.", ALLOW["message"]]


def test_a_terminal_sees_a_countdown_second_by_second() -> None:
    _, printed, source, clock = hold(opening, WaitOptions(poll=60), terminal=True)
    assert printed.shown[:3] == [
        "still frozen, opens in 1 h",
        "still frozen, opens in 59 min 59 s",
        "still frozen, opens in 59 min 58 s",
    ]
    assert printed.lines == [DENY["message"], ALLOW["message"]]
    assert max(clock.slept) < 2
    assert len(source.asked_at) < 70


def test_patience_ends_with_1_where_it_is_still_frozen() -> None:
    status, _, _, clock = hold(lambda _: DENY, WaitOptions(timeout=100, poll=30))
    assert status == 1
    assert clock.now() == START + 100


def test_no_patience_asks_once() -> None:
    status, _, source, clock = hold(lambda _: DENY, WaitOptions(timeout=0))
    assert (status, len(source.asked_at), clock.slept) == (1, 1, [])


def test_no_question_takes_longer_than_the_patience_that_is_left() -> None:
    _, _, source, _ = hold(lambda _: DENY, WaitOptions(timeout=33, poll=15))
    assert source.timeouts == [10, 10, 3, 1]


def test_a_server_that_hangs_is_waited_for_no_longer_than_the_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Only the patience can end this: the client's own deadline is out of the way.
    monkeypatch.setattr("app.cli.commands.wait.DEADLINE", 1e6)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert run(["wait", "api", "--server", url, "--timeout", "1s"]) == 3


def test_a_name_that_a_policy_file_does_not_list_ends_the_wait_at_once(tmp_path: Path) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES)
    printed, clock = Printed(), FakeTime()
    wait = Wait(FileDecisionSource(path), WaitOptions(timeout=100), clock, printed.progress)
    assert wait.until_open(Query("api", environment="nowhere")) == 3
    assert clock.slept == []
    assert printed.lines == ["no answer: unknown environment; known: production"]


def test_patience_ends_with_3_where_no_answer_ever_came() -> None:
    status, printed, _, _ = hold(lambda _: UndecidedError("down"), WaitOptions(timeout=100))
    assert status == 3
    assert printed.lines == ["no answer: down"]


def test_an_outage_in_between_is_told_and_waited_out() -> None:
    def reply(now: int) -> dict[str, Any] | UndecidedError:
        return UndecidedError("down", 503) if START + 30 <= now < START + 400 else opening(now)

    status, printed, _, _ = hold(reply, WaitOptions(poll=30))
    assert status == 0
    assert printed.lines[:4] == [
        DENY["message"],
        "no answer: down",
        "still no answer",
        DENY["message"],
    ]


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 422])
def test_a_refused_request_is_not_repeated(status: int) -> None:
    exit_status, _, source, _ = hold(lambda _: UndecidedError("no", status), WaitOptions())
    assert exit_status == 3
    assert len(source.asked_at) == 1


@pytest.mark.parametrize("status", [408, 423, 425, 429, 500, 503])
def test_a_passing_fault_is_waited_out(status: int) -> None:
    def reply(now: int) -> dict[str, Any] | UndecidedError:
        return UndecidedError("busy", status) if now < START + 90 else ALLOW

    assert hold(reply, WaitOptions())[0] == 0


def test_a_freeze_without_an_end_in_sight_is_polled() -> None:
    def reply(now: int) -> dict[str, Any]:
        return {**(ALLOW if now >= START + 700 else DENY), "opens_at": None}

    status, printed, _, _ = hold(reply, WaitOptions(poll=30))
    assert status == 0
    assert printed.lines[1] == "still frozen"


def test_json_is_an_object_a_change() -> None:
    _, printed, _, _ = hold(lambda now: ALLOW if now >= START + 30 else DENY, WaitOptions(), as_json=True)
    assert [json.loads(line)["outcome"] for line in printed.lines] == ["deny", "allow"]


def test_a_changed_policy_file_is_taken_and_a_broken_one_is_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES)
    source = FileDecisionSource(path)
    saturday = parse_instant("2026-11-28T12:00:00Z")
    assert not source.ask(Query("api"), saturday).allowed
    path.write_text(POLICIES + "surprise: 1\n")
    with pytest.raises(UndecidedError):
        source.ask(Query("api"), saturday)
    path.write_text("version: 1\ntimezone: UTC\npolicies: []\n")
    assert source.ask(Query("api"), saturday).allowed


def test_the_command_waits_for_a_server(server: CannedServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["wait", "api", "--server", server.url]) == 0
    assert capsys.readouterr().out == f"{ALLOW['message']}\n"


def test_the_command_says_that_it_gave_up(server: CannedServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.reply(423, DENY)
    assert run(["wait", "api", "--server", server.url, "--timeout", "0s"]) == 1
    assert "gave up waiting: still frozen" in capsys.readouterr().err
    server.reply(503, b"")
    assert run(["wait", "api", "--server", server.url, "--timeout", "0s"]) == 3
    assert "gave up waiting: no usable answer" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--poll", "61"], ["--poll", "0"], ["--timeout", "later"]])
def test_wrong_patience_is_wrong_usage(arguments: list[str]) -> None:
    assert run(["wait", "api", "--server", "http://localhost", *arguments]) == 2
