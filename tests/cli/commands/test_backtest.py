"""``freezegate backtest``, on a database and against a server."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.cli import run
from app.cli.backtest_text import is_backtest, print_backtest
from app.gate.backtest import Backtested, backtest
from tests.api.fakes import FakeClock
from tests.cli.conftest import CannedServer
from tests.gate.conftest import gate_on
from tests.gate.history import NEW, OLD, START, History

PERIOD = ["--from", "2026-10-05", "--to", "2026-11-29"]


async def _live(folder: Path) -> None:
    gate = gate_on(f"sqlite:///{folder / 'gate.db'}", folder / "policies.yaml", FakeClock(START))
    await History(gate, seed=9).live(60)
    await gate.store.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with 60 decisions, the policies that they were made by, and a candidate."""
    folder = tmp_path_factory.mktemp("backtest")
    (folder / "policies.yaml").write_text(OLD)
    (folder / "new.yaml").write_text(NEW)
    asyncio.run(_live(folder))
    return folder


@pytest.fixture
def arguments(folder: Path) -> list[str]:
    return [
        "backtest",
        str(folder / "new.yaml"),
        "--database-url",
        f"sqlite:///{folder / 'gate.db'}",
        *PERIOD,
    ]


def body_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run([*arguments, "--json"]) == 0
    body: dict[str, Any] = json.loads(capsys.readouterr().out)
    return body


def test_on_a_database_it_shows_sentences_and_tables(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    body = body_of(arguments, capsys)
    assert (body["from"], body["to"]) == ("2026-10-05T04:00:00Z", "2026-11-30T05:00:00Z")
    assert run(arguments) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines()[: len(body["in_words"])] == body["in_words"]
    for each in ("deploys", "denied", "overridden", "unknown"):
        assert max(number for number in body[each].values() if isinstance(number, int)) > 0
    for head in ("POLICY", "NO LONGER DENIED BY", "SERVICE", "WOULD HAVE BEEN STOPPED", "CAN'T BE JUDGED"):
        assert f"\n\n{head} " in said.out
    assert body["examples"]["stopped"][0]["decision_id"] in said.out


def test_tables_say_what_they_leave_out_with_numbers_as_in_sentences(
    capsys: pytest.CaptureFixture[str],
) -> None:
    counts = {"deploys": 10_182, "stopped": 1_000, "denied": 0, "allowed": 0}
    example = {"at": "2026-11-27T13:00:00Z", "service": "web", "environment": "production", "result": None}
    print_backtest(
        {
            "in_words": [],
            "timezone": "Europe/Amsterdam",
            "policies": [],
            "no_longer_denied_by": [],
            "services": [{"service": f"svc-{each}", **counts} for each in range(50)],
            "environments": [{"environment": "production", **counts}],
            "hours": [],
            "examples": dict.fromkeys(("refused", "never", "allowed", "steps", "unknown"), ())
            | {"stopped": [{**example, "policies": [], "decision_id": "d"}] * 6},
        }
    )
    services, environments, stopped = capsys.readouterr().out.strip("\n").split("\n\n")
    assert services.splitlines()[1].split() == ["svc-0", "10,182", "1,000", "0", "0"]
    assert services.splitlines()[6:] == ["and 45 more, see --json"]
    assert len(environments.splitlines()) == 2
    assert stopped.splitlines()[6:] == ["and more, see --json"]


def test_filters_are_those_of_the_options(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    everything = body_of(arguments, capsys)
    some = body_of(
        [*arguments, "--service", "api", "--environment", "production", "--change", "normal"], capsys
    )
    assert 0 < some["decisions"] < everything["decisions"]
    assert [each["service"] for each in some["services"]] == ["api"]
    assert body_of([*arguments[:4], "--from", "2026-10-05", "--to", "2026-10-05"], capsys)["decisions"] < 10


@pytest.mark.parametrize("fail_on", ["stopped", "allowed", "any"])
def test_it_fails_on_what_it_is_told_to_and_never_passes_by_what_cannot_be_judged(
    arguments: list[str], fail_on: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, "--fail-on", fail_on]) == 1
    assert run([*arguments, "--environment", "legacy"]) == 0
    capsys.readouterr()
    assert run([*arguments, "--environment", "legacy", "--fail-on", fail_on]) == 3
    said = capsys.readouterr()
    assert said.out.splitlines()[0].endswith("because these policies don't list environment legacy.")
    assert said.err == "freezegate: --fail-on can't pass: there are decisions that can't be judged\n"
    assert run([*arguments, "--fail-on", fail_on, "--service", "nothing"]) == 0


def test_stopped_by_ctrl_c_it_says_how_far_it_was_with_what_it_found(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []

    def interrupt(progress: object) -> None:
        shown.append(progress)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("app.gate.backtest._TOGETHER", 20)
    monkeypatch.setattr("app.cli.commands.backtest._show_nothing", interrupt)
    before = signal.getsignal(signal.SIGINT)
    assert run(arguments) == 3
    said = capsys.readouterr()
    assert said.err.startswith("freezegate: stopped after 20 of 60 decisions, up to 2026-10-")
    assert said.out.startswith("These policies would have stopped ")
    assert len(shown) == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_ends_it_at_once(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("app.cli.commands.backtest._show_nothing", interrupt)
    assert run(arguments) == 3
    assert capsys.readouterr().out == ""


def _interrupted_at_once(*arguments: Any) -> Backtested:
    query, candidate, wanted, stop, progress = arguments
    signal.raise_signal(signal.SIGINT)
    return backtest(query, candidate, wanted, stop, progress)


def test_on_a_terminal_it_shows_progress(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gate.backtest._TOGETHER", 40)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert run(arguments) == 0
    assert capsys.readouterr().err == "\r40 of 60 decisions\r60 of 60 decisions\n"
    monkeypatch.setattr("app.gate.backtest._TOGETHER", 20)
    monkeypatch.setattr("app.gate.console.backtest", _interrupted_at_once)
    assert run(arguments) == 3
    assert capsys.readouterr().err.startswith(
        "\r20 of 60 decisions\nfreezegate: stopped after 20 of 60 decisions"
    )


def test_against_a_server_it_sends_the_files_and_shows_the_same(
    arguments: list[str], server: CannedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    body = body_of(arguments, capsys)
    assert is_backtest(body)
    assert run(arguments) == 0
    on_database = capsys.readouterr().out
    server.reply(200, body)
    asked = ["backtest", arguments[1], "--server", server.url, *PERIOD, "--service", "api"]
    assert run(asked) == 0
    assert capsys.readouterr().out == on_database
    (received,) = server.received
    parts = urlsplit(received.path)
    assert (received.method, parts.path) == ("POST", "/policies/backtest")
    assert parse_qs(parts.query) == {"from": [body["from"]], "to": [body["to"]], "service": ["api"]}
    assert received.body == {"policies": {"new.yaml": NEW}, "calendars": {}}
    server.reply(200, {**body, "complete": False, "until": None})
    assert run(asked) == 3
    assert "give a shorter period" in capsys.readouterr().err


@pytest.mark.parametrize("change", [{"until": 5}, {"policies": [{}]}, {"examples": None}, {"complete": 1}])
def test_an_answer_that_is_no_backtest_is_none(
    folder: Path, server: CannedServer, capsys: pytest.CaptureFixture[str], change: dict[str, object]
) -> None:
    server.reply(200, {"complete": True, **change})
    assert run(["backtest", str(folder / "new.yaml"), "--server", server.url]) == 3
    assert "is no backtest" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--server", "http://127.0.0.1:1", "--database-url", "sqlite:///x"], "not both"),
        (["--from", "2026-11-30", "--to", "2026-11-28"], "--to must be after --from"),
        (["--from", "2025-01-01", "--to", "2026-11-28"], "by 366 days at most"),
        (["--service", "Not a name"], "a name starts with"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(
    folder: Path, capsys: pytest.CaptureFixture[str], given: list[str], sentence: str
) -> None:
    assert run(["backtest", str(folder / "new.yaml"), *given]) == 2
    assert sentence in capsys.readouterr().err
    assert run(["backtest", str(folder / "nw.yaml"), "--from", "2026-11-30"]) == 2
    assert 'did you mean "new.yaml"?' in capsys.readouterr().err
