"""Commands on policy files with a calendar by URL: fetched once, bounded, and undecided without it."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app import cli
from app.core.calendar_url import label
from app.core.instant import parse_instant
from app.policies.calendars.fetch import NO_VALIDATORS
from app.policies.calendars.kept import CalendarFolder, Kept
from tests.policies.calendars.calendar_server import CALENDAR

Run = Callable[..., tuple[int, str]]

POLICIES = """version: 1
policies:
  - id: releases
    title: No deploys during releases
    reason: Busy.
    when: [{icalendar: {url: "URL", required: true}}]
tests: [{at: 2026-12-24 12:00, service: api, expect: allow}]
"""


class Server(ThreadingHTTPServer):
    """Serves one calendar on this machine."""

    text = CALENDAR
    asked = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        content = self.server.text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        """Be silent."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    found = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=found.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setenv("FREEZEGATE_CALENDAR_HTTP", "allow")
    monkeypatch.setenv("FREEZEGATE_CALENDAR_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("FREEZEGATE_CALENDAR_PORTS", str(found.server_address[1]))
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


@pytest.fixture
def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/private-1.ics"


@pytest.fixture
def file(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES.replace("URL", url))
    monkeypatch.setenv("FREEZEGATE_DATA", str(tmp_path))
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run_command(*arguments: str) -> tuple[int, str]:
        status = cli.run(list(arguments))
        shown = capsys.readouterr()
        return status, shown.out + shown.err

    return run_command


def check(run: Run, file: Path, at: str) -> tuple[int, str]:
    return run("check", "api", "--policies", str(file), "--at", at)


def test_check_decides_by_the_events_of_a_url(run: Run, file: Path) -> None:
    assert check(run, file, "2026-12-24T12:00:00Z")[0] == 1
    assert check(run, file, "2026-12-25T12:00:00Z")[0] == 0


def test_check_is_undecided_without_the_calendar(run: Run, file: Path, server: Server) -> None:
    server.text = "<html>Sign in</html>"
    status, output = check(run, file, "2026-12-25T12:00:00Z")
    assert status != 0
    assert "could not be fetched: the server sent a web page" in output
    assert "private-1" not in output


def test_check_falls_back_to_what_the_gate_fetched_last(
    run: Run, file: Path, server: Server, url: str
) -> None:
    then = parse_instant("2026-11-20T00:00:00Z")
    CalendarFolder(file.parent / "calendars").write(url, Kept(CALENDAR, then, then, NO_VALIDATORS))
    server.text = ""
    assert check(run, file, "2026-12-24T12:00:00Z")[0] == 1
    assert check(run, file, "2026-12-25T12:00:00Z")[0] == 0
    output = run("lint", str(file))[1]
    assert (
        "the server sent nothing. Its events are as old as the gate's last fetch, 2026-11-20T00:00:00Z"
        in output
    )


def test_lint_fetches_once_and_checks_the_events(run: Run, file: Path, server: Server) -> None:
    server.text = CALENDAR.replace("SUMMARY", "TRANSP:TRANSPARENT\r\nSUMMARY").replace("2026", "2066")
    status, output = run("lint", "--json", str(file))
    assert status == 0
    assert any("marked free" in each["message"] for each in json.loads(output))
    assert server.asked == 1


def test_lint_says_why_a_calendar_could_not_be_fetched_and_does_not_try_offline(
    run: Run, file: Path, server: Server, url: str
) -> None:
    server.text = ""
    sentence = f"the calendar {label(url)} could not be fetched: the server sent nothing"
    output = run("lint", str(file))[1]
    assert sentence in output
    assert f"{file}:6:" in output
    assert "private-1" not in output
    assert server.asked == 1
    assert "could not be fetched" not in run("lint", "--offline", str(file))[1]
    assert server.asked == 1


def test_a_misspelt_setting_is_named(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEZEGATE_CALENDAR_PORT", "443")
    assert "FREEZEGATE_CALENDAR_PORT is no setting" in run("lint", str(file))[1]


def test_tests_of_files_need_no_network(run: Run, file: Path, server: Server) -> None:
    assert run("test", str(file))[0] == 0
    assert server.asked == 0


@pytest.mark.parametrize("required", ["true", "false"])
def test_exports_and_pictures_have_the_events_of_a_url(
    run: Run, file: Path, server: Server, required: str
) -> None:
    file.write_text(file.read_text().replace("true", required))
    today = datetime.now(UTC)
    server.text = CALENDAR.replace("20261224", f"{today + timedelta(days=2):%Y%m%d}")
    for command in (["export", "argocd", str(file)], ["calendar", "--policies", str(file), "--weeks", "1"]):
        status, output = run(*command)
        assert status == 0
        assert "No deploys during releases" in output
        assert "never loaded" not in output


@pytest.mark.parametrize("required", ["true", "false"])
def test_exports_and_pictures_are_undecided_without_the_calendar(
    run: Run, file: Path, server: Server, required: str
) -> None:
    file.write_text(file.read_text().replace("true", required))
    server.text = ""
    of_file = ["--policies", str(file)]
    for command in (["export", "argocd", str(file)], ["calendar", *of_file], ["year", *of_file]):
        status, output = run(*command)
        assert status == 3
        assert "could not be fetched: the server sent nothing" in output
        assert "private-1" not in output
