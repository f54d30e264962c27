import io
import json
from pathlib import Path
from typing import Any

import pytest

from app.cli import run
from app.cli.commands.simulate import SOURCES
from app.integrations.incidents import IncidentSection
from app.integrations.vendors import vendors
from tests.cli.conftest import CannedServer

MOVE = {
    "rule": "sev1",
    "step": "start",
    "sentence": "start a freeze until 2026-11-27T18:00:00Z: It\x1bburns",
}
FOUND: dict[str, Any] = {
    "result": "started",
    "incident": {"key": "1", "title": "It burns", "link": None, "firing": 1, "incomplete": False},
    "rules": [
        {"rule": "sev1", "matches": True, "why_not": []},
        {
            "rule": "sev2",
            "matches": False,
            "why_not": ['severity is "a", not b', "priority is not given, not P1"],
        },
    ],
    "moves": [MOVE],
    "unknown": ['environments: unknown environment "prod"'],
}


@pytest.fixture
def payload(tmp_path: Path) -> str:
    file = tmp_path / "payload.json"
    file.write_text('{"groupKey": "1", "alerts": []}')
    return str(file)


def test_the_command_knows_every_system_that_reports_incidents() -> None:
    sections = {name: vendor.section for name, vendor in vendors().items()}
    reporting = [
        name for name, section in sections.items() if section and issubclass(section, IncidentSection)
    ]
    assert list(SOURCES) == reporting


def simulate(server: CannedServer, *arguments: str, source: str = "alertmanager") -> int:
    return run(["simulate", source, *arguments, "--server", server.url])


def test_a_simulation_is_printed_in_words(
    server: CannedServer, payload: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.reply(200, FOUND)
    assert simulate(server, payload) == 0
    assert capsys.readouterr().out.splitlines() == [
        "alertmanager: It burns",
        "  sev1 matches",
        '  sev2 does not match: severity is "a", not b; priority is not given, not P1',
        '  warning: environments: unknown environment "prod"',
        "would start a freeze until 2026-11-27T18:00:00Z: It burns",
    ]
    (received,) = server.received
    assert (received.method, received.path) == ("POST", "/integrations/alertmanager/simulate")
    assert received.body == {"groupKey": "1", "alerts": []}


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"incident": None, "result": "ignored"}, ["jira: no incident", "would do nothing: it is not about"]),
        ({"result": "outdated"}, ["jira: It burns", "would do nothing: a later report"]),
        ({"result": "unmatched"}, ["jira: It burns", "would do nothing: no rule is about it"]),
        (
            {
                "incident": {"title": "x", "firing": 0},
                "moves": [{**MOVE, "sentence": "nothing: it has no freeze"}],
            },
            ["jira: x, resolved", "would do nothing: it has no freeze"],
        ),
    ],
)
def test_a_simulation_says_why_nothing_would_happen(
    server: CannedServer,
    payload: str,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    lines: list[str],
) -> None:
    server.reply(200, {**FOUND, "rules": [], "unknown": [], "moves": [], **changes})
    assert simulate(server, payload, source="jira") == 0
    printed = capsys.readouterr().out.splitlines()
    assert all(line.startswith(start) for line, start in zip(printed, lines, strict=True)), printed


def test_a_simulation_is_printed_as_json(
    server: CannedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.reply(200, FOUND)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    assert simulate(server, "-", "--json") == 0
    assert json.loads(capsys.readouterr().out) == FOUND


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, '{"a": "' + "x" * 256 * 1024 + '"}'])
def test_a_file_without_a_payload_is_wrong_usage(
    server: CannedServer, tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "payload.json"
    file.write_text(content)
    assert simulate(server, str(file)) == 2
    assert "holds no JSON object of at most 256 KiB" in capsys.readouterr().err
    assert not server.received


def test_a_file_or_a_system_that_does_not_exist_is_wrong_usage(server: CannedServer, payload: str) -> None:
    assert simulate(server, payload + "x") == 2
    assert simulate(server, payload, source="opsgenie") == 2


def test_a_refused_simulation_exits_3(
    server: CannedServer, payload: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.reply(404, {"status": 404, "detail": "the integrations file has no section jira"})
    assert simulate(server, payload, source="jira") == 3
    assert "has no section jira" in capsys.readouterr().err
