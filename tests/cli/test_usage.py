"""Usage errors: the option or argument, the values it takes, and a suggestion."""

import importlib
import socket
import threading
from pathlib import Path

import click
import pytest

from app.cli import COMMANDS, run
from tests.cli.conftest import POLICIES, CannedServer

RAW = ("Error:", "Usage:", "Invalid value", "No such", "Missing option", "is not a valid", "Errno", "Trace")
"""Words in which click, Python and the system report errors; ours replace them."""


def said(capsys: pytest.CaptureFixture[str], *arguments: str, exits: int = 2) -> str:
    assert run(list(arguments)) == exits
    printed = capsys.readouterr()
    assert printed.out == ""
    assert not [word for word in RAW if word in printed.err]
    assert all(line.startswith("freezegate: ") for line in printed.err.splitlines())
    return printed.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("chekc api", 'there is no command "chekc"; did you mean "check"?'),
        ("deploy", 'there is no command "deploy"\nfreezegate: `freezegate --help` lists the commands\n'),
        ("help check", 'there is no command "help"; did you mean "--help"?'),
        ("version", 'there is no command "version"; did you mean "--version"?'),
        ("check api --environment Production", 'up to 128 characters; did you mean "production"?'),
        ("override grnt", 'there is no command "grnt"; did you mean "grant"?'),
        ("check api --enviroment x", 'there is no option --enviroment; did you mean "--environment"?'),
        ("--bogus", "there is no option --bogus\n"),
        ("check", "SERVICE is required"),
        ("override approve ovr_1 extra", 'unexpected argument: "extra"'),
        ("check api --at", "--at needs a value"),
        ("check api --claim=x", "--claim takes no value"),
        ("check Api", 'SERVICE "Api": a name starts with a lowercase letter or digit'),
        ("check api --duration 20x", '--duration "20x": not a duration such as "20m"'),
        ("check api --on-error maybe", '--on-error "maybe": one of deny, allow'),
        ("wait api --poll 99", "--poll 99: a whole number from 1 to 60"),
        ("wait api --poll soon", '--poll "soon": a whole number from 1 to 60'),
        ("serve --port x", '--port "x": a whole number'),
        ("keys create --name a", "--role is required, one of viewer, ci, ops, admin"),
        ("keys create --name a --role admn", 'one of viewer, ci, ops, admin; did you mean "admin"?'),
        ("freeze start --reason b", "--title is required"),
        ("lint polices.yaml", 'there is no such file or folder; did you mean "policies.yaml"?'),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_words_with_what_was_meant(
    arguments: str,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    monkeypatch.chdir(tmp_path)
    assert sentence in said(capsys, *arguments.split())


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_no_command_tells_of_a_wrong_option_in_the_words_of_a_library(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found: click.Command = importlib.import_module(f"app.cli.commands.{name}").command
    parts = [*found.commands] if isinstance(found, click.Group) else [""]
    for part in parts:
        printed = said(capsys, name, *part.split(), "--jsn")
        assert f"see `freezegate {' '.join([name, *part.split()])} --help`" in printed


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_tells_every_command_in_a_whole_sentence(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    run([name, "--help"])
    assert "...\n" not in capsys.readouterr().out.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"", "it closed the connection before its response was complete"),
        (b"nonsense\r\n\r\n", "its response is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "is incomplete"),
    ],
)
def test_a_server_that_speaks_no_http_is_told_in_words(
    answer: bytes, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert cause in said(capsys, "check", "api", "--server", url, exits=3)
        thread.join()


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://127.0.0.1:9", "nothing listens there (connection refused)"),
        ("http://gate.invalid", "its name can't be resolved"),
    ],
)
def test_a_server_that_is_not_there_is_told_in_words(
    url: str, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, "freeze", "list", "--server", url, exits=3).endswith(f"{cause}\n")


def test_a_server_without_tls_is_told_in_words(
    server: CannedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    url = server.url.replace("http://", "https://")
    assert "is its address http://?" in said(capsys, "check", "api", "--server", url, exits=3)


def test_a_report_that_can_not_be_written_is_told_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES)
    assert run(["test", str(path), "--junit", str(tmp_path / "none" / "x.xml")]) == 2
    assert "can't be written: no such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["lint", "test"])
def test_without_a_path_it_is_the_policies_of_this_folder(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    missing = 'PATH "policies.yaml": there is no such file or folder; give the path of your policy file'
    assert missing in said(capsys, command)
    (tmp_path / "policies.yaml").write_text(POLICIES)
    assert run([command]) == 0
    (tmp_path / "policies.yaml").write_text(POLICIES.replace("expect: allow", "expect: deny"))
    assert run([command]) == 1


def test_without_an_address_it_is_the_gate_on_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("check api", "freeze list", "override list", "calendar"):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("app.cli.server.DEFAULT_SERVER", "http://127.0.0.1:9")
            assert "the server at http://127.0.0.1:9 can't be reached" in said(
                capsys, *command.split(), exits=3
            )


def test_the_default_address_is_where_serve_listens() -> None:
    from app.cli.server import DEFAULT_SERVER
    from app.settings import Settings

    settings = Settings()
    assert f"http://{settings.host}:{settings.port}" == DEFAULT_SERVER
