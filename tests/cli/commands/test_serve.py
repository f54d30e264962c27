import http.client
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.cli import run
from app.cli.commands.serve import address
from app.identity.credentials import is_key
from tests.cli.conftest import POLICIES


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES)
    return path


@pytest.fixture
def served(policies: Path) -> Iterator[tuple["subprocess.Popen[str]", str, list[str]]]:
    """Start a server on a free port; yield its address and its standard error."""
    command = [sys.executable, "-m", "tests.patient", "serve", "--policies", str(policies), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=_environment()
    ) as process:
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(3)]
        url = re.search(r"http://127\.0\.0\.1:\d+", said[0])
        assert url is not None, said
        yield process, url[0], said
        process.kill()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("FREEZEGATE_")}


def test_it_says_where_it_listens_answers_there_and_stops_when_told(
    served: tuple["subprocess.Popen[str]", str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    process, url, said = served
    assert said == [
        f"freezegate listens on {url}\n",
        f"  dashboard  {url}/\n",
        f"  try        curl -i '{url}/can-deploy?service=api'\n",
    ]
    friday = ["check", "api", "--server", url, "--at"]
    assert run([*friday, "2026-11-27T13:59:59+01:00"]) == 0
    assert run([*friday, "2026-11-27T14:00:00+01:00"]) == 1
    assert run(["check", "api", "--server", url, "--environment", "moon", "--on-error", "allow"]) == 3
    assert run(["check", "api", "--server", url, "--claim", "--at", "2026-11-27T14:00:00Z"]) == 2
    assert run(["check", "api", "--server", url, "--claim", "--ref", "v1"]) in (0, 1)
    assert run(["calendar", "--server", url, "--weeks", "1"]) == 0
    assert "friday-afternoon" in capsys.readouterr().out
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0


def test_a_calendar_is_the_same_from_a_server_and_from_its_file(
    served: tuple["subprocess.Popen[str]", str, list[str]],
    policies: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["calendar", "--from", "2027-03-20", "--weeks", "4"]
    assert run([*arguments, "--server", served[1]]) == 0
    from_server = capsys.readouterr().out
    assert run([*arguments, "--policies", str(policies)]) == 0
    assert capsys.readouterr().out == from_server


def test_bad_policies_refuse_to_start_with_all_that_is_wrong(
    policies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policies.write_text(POLICIES.replace("fri 14:00", "fry 14:00").replace("effect: warn", "effect: shout"))
    assert run(["serve", "--policies", str(policies), "--port", "0"]) == 3
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[2] for line in said] == ["8", "12"]
    assert all(line.startswith(f"freezegate: {policies}:") for line in said)


def test_a_failing_self_test_refuses_to_start(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policies.write_text(POLICIES.replace("expect: allow", "expect: deny"))
    assert run(["serve", "--policies", str(policies), "--port", "0"]) == 3
    assert "this test fails: expected deny, got allow" in capsys.readouterr().err


def test_policies_that_are_not_there_refuse_to_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.yaml"
    assert run(["serve", "--policies", str(missing), "--port", "0"]) == 3
    said = capsys.readouterr().err
    assert said == f"freezegate: {missing}: there is no such file; name your policies with --policies\n"


def test_a_misspelt_setting_refuses_to_start(
    policies: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FREEZEGATE_POLICY", str(policies))
    assert run(["serve", "--port", "0"]) == 3
    assert "FREEZEGATE_POLICY is no setting; did you mean FREEZEGATE_POLICIES?" in capsys.readouterr().err


def test_a_port_that_is_taken_is_said_in_a_sentence(
    policies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["serve", "--policies", str(policies), "--port", str(port)]) == 3
    said = capsys.readouterr().err
    why = "address already in use; choose another with --port or FREEZEGATE_PORT"
    assert f"can't listen on 127.0.0.1:{port}: {why}" in said


def test_a_terminal_gets_a_banner_with_the_first_key_and_a_readable_log(policies: Path) -> None:
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "tests.patient", "serve", "--policies", str(policies), "--port", "0"]
    with subprocess.Popen(command, stdout=terminal, stderr=terminal, env=_environment()) as process:
        shown = _until(screen, r"for others\.\r\n")
        url, key = re.search(r"dashboard  (\S+)/", shown), re.search(r"admin key  (\S+)", shown)
        assert url is not None, shown
        assert key is not None, shown
        assert is_key(key[1])
        assert run(["check", "api", "--server", url[1], "--at", "2026-11-27T14:00:00+01:00"]) == 1
        line = _until(screen, r"outcome=deny\r\n").strip()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
    os.close(terminal)
    os.close(screen)
    assert "{" not in shown
    assert re.match(r"\d\d:\d\d:\d\dZ info    request ", line)
    assert "method=GET route=/can-deploy status=423" in line


def _until(screen: int, pattern: str) -> str:
    """Return the output on a terminal up to a text."""
    shown = ""
    while not re.search(pattern, shown):
        ready, _, _ = select.select([screen], [], [], 60)
        assert ready, shown
        shown += os.read(screen, 65536).decode()
    return shown


def test_a_database_that_can_not_be_opened_is_no_start(policies: Path) -> None:
    command = [sys.executable, "-m", "app.cli", "serve", "--policies", str(policies), "--port", "0"]
    done = subprocess.run(
        [*command, "--database-url", "oracle://nowhere"],
        env=_environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3


def test_an_ipv6_address_is_put_in_brackets() -> None:
    assert address("::1", 1400) == "http://[::1]:1400"
    assert address("localhost", 1400) == "http://localhost:1400"


SECRET = "nobody-may-read-this"  # noqa: S105 - so that it is found where it must not be


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"FREEZEGATE_ADMIN_KEY": f"fzk_{SECRET}"}, "FREEZEGATE_ADMIN_KEY is not an API key"),
        (
            {"FREEZEGATE_ADMIN_KEY_FILE": "/dev/null"},
            "_ADMIN_KEY_FILE: the file /dev/null is empty",
        ),
        ({"FREEZEGATE_IDENTITY": "/nowhere.yaml"}, "/nowhere.yaml:1:1: the file can't be read: No such file"),
        ({"FREEZEGATE_NOTIFICATIONS": "/nowhere.yaml"}, "/nowhere.yaml:1:1: the file can't be read: No such"),
        ({"FREEZEGATE_CA_FILE": "/dev/null"}, "FREEZEGATE_CA_FILE: the file holds no certificates"),
        (
            {"FREEZEGATE_DATABASE_URL": f"postgresql://gate:p@{SECRET}@127.0.0.1/gate"},
            'a name or password with "@" in it is written with %40',
        ),
        (
            {"FREEZEGATE_DATABASE_URL": f"postgresql://gate:{SECRET}@127.0.0.1:x/gate"},
            "the database URL can't",
        ),
        ({"FREEZEGATE_DATABASE_URL": f"sqlite+{SECRET}"}, "the database URL can't be read"),
    ],
)
@pytest.mark.parametrize("started_by", ["serve", "uvicorn"])
def test_what_can_not_be_used_ends_the_start_with_a_sentence(
    started_by: str, variables: dict[str, str], said: str, policies: Path
) -> None:
    command = [sys.executable, "-m", "app.cli", "serve"]
    if started_by == "uvicorn":
        command = [sys.executable, "-m", "uvicorn", "app.main:app"]
    done = subprocess.run(
        [*command, "--port", "0"],
        env={**_environment(), "FREEZEGATE_POLICIES": str(policies), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    for part in (SECRET, SECRET[:8], SECRET[-8:]):
        assert part not in done.stdout + done.stderr


def test_a_connection_that_a_proxy_keeps_is_not_closed_under_its_next_claim(
    served: tuple["subprocess.Popen[str]", str, list[str]],
) -> None:
    """Proxies reuse connections for a minute or two; if the server closes first, a claim gets no answer."""
    kept = http.client.HTTPConnection(urlsplit(served[1]).netloc, timeout=30)
    for wait in (6, 0):
        kept.request("GET", "/healthz")
        reply = kept.getresponse()
        assert (reply.status, reply.read()[:1]) == (200, b"{")
        assert kept.sock is not None, "the gate said that it closes"
        assert select.select([kept.sock], [], [], wait) == ([], [], []), "closed after uvicorn's five seconds"
    kept.close()
