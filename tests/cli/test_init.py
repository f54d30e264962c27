"""`freezegate init`: what it writes, guesses, asks and refuses."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import run
from app.core.instant import parse_instant
from app.core.zone_names import country_of, zones_of_countries
from tests.live.gate import clean_environment


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Europe/Amsterdam")
    return tmp_path


def first_lines(folder: Path) -> tuple[str, str]:
    """The zone and the country of the file."""
    text = (folder / "policies.yaml").read_text()
    zone, country = re.search(r"^timezone: (\S+)", text, re.MULTILINE), re.search(r"\{country: (\w+)", text)
    assert zone
    assert country
    return zone[1], country[1]


def test_what_is_written_passes_lint_and_test(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--country", "NL", "--timezone", "Europe/Amsterdam", "--style", "working-hours"]
    assert run(["init", *options]) == 0
    assert "wrote policies.yaml for NL, Europe/Amsterdam, working-hours" in capsys.readouterr().out
    assert run(["lint", "--strict"]) == 0
    assert run(["test"]) == 0
    assert "working-hours" in (folder / "policies.yaml").read_text()


def test_a_file_is_never_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "policies.yaml").write_text("mine")
    assert run(["init"]) == 2
    assert "policies.yaml exists already" in capsys.readouterr().err
    assert (folder / "policies.yaml").read_text() == "mine"
    assert run(["init", "mine/other.yaml"]) == 2
    assert "mine/other.yaml" in capsys.readouterr().err
    assert run(["init", "other.yaml"]) == 0
    assert "freezegate serve --policies other.yaml" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("here", "options", "expected"),
    [
        ("Europe/Amsterdam", [], ("Europe/Amsterdam", "NL")),
        (":Europe/Kiev", [], ("Europe/Kyiv", "UA")),
        ("America/Chicago", [], ("America/Chicago", "US")),
        ("America/Chicago", ["--country", "NL"], ("Europe/Amsterdam", "NL")),
        ("America/Chicago", ["--country", "US"], ("America/Chicago", "US")),
        ("America/Chicago", ["--country", "DE"], ("Europe/Berlin", "DE")),
        ("UTC", ["--timezone", "Asia/Tokyo"], ("Asia/Tokyo", "JP")),
        ("UTC", ["--timezone", "Asia/Saigon"], ("Asia/Ho_Chi_Minh", "VN")),
        ("UTC", ["--timezone", "UTC", "--country", "NL"], ("UTC", "NL")),
    ],
)
def test_what_is_not_given_is_guessed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, here: str, options: list[str], expected: tuple[str, str]
) -> None:
    monkeypatch.setenv("TZ", here)
    assert run(["init", *options]) == 0
    assert first_lines(folder) == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "which country's holidays?"),
        (["--country", "US"], "which time zone? Give it with --timezone; US has America/New_York"),
        (["--country", "HM"], "which time zone? Give it with --timezone\n"),
        (["--country", "nl"], 'did you mean "NL"?'),
        (["--country", "DE", "--subdivision", "Bavria"], "BY (Bayern)"),
        (["--country", "DE", "--timezone", "Europe/Berlim"], 'did you mean "Europe/Berlin"?'),
        (["--style", "weekend"], "friday"),
    ],
)
def test_what_cant_be_guessed_is_wrong_usage(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    said: str,
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    assert run(["init", *options]) == 2
    assert said in capsys.readouterr().err
    assert not list(folder.iterdir())


def test_what_is_not_known_yet_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A calendar that ends, and a government that moves working days: nothing that init could write out."""
    monkeypatch.setattr("app.clock.SystemClock.now", lambda _: parse_instant("2026-11-29T12:00:00Z"))
    assert run(["init", "--country", "LK"]) == 0
    assert "the calendar ends with 2026" in capsys.readouterr().out
    assert run(["lint"]) == 0
    assert "the calendar ends with 2026" in capsys.readouterr().out


def test_on_a_terminal_it_asks_with_guesses_as_defaults(folder: Path) -> None:
    leader, follower = pty.openpty()
    answers = "XX\nDE\n\nworking-hours\nBY\n"
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "init"],
        cwd=folder,
        env=clean_environment(TZ="Europe/Amsterdam"),
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    os.write(leader, answers.encode())
    said = b""
    try:
        while chunk := os.read(leader, 4096):
            said += chunk
    except OSError:  # Linux's end of a terminal
        pass
    os.close(leader)
    assert process.wait(60) == 0, said.decode()
    assert b"[NL]" in said
    assert b"not a known code of a country" in said
    assert first_lines(folder) == ("Europe/Berlin", "DE")
    text = (folder / "policies.yaml").read_text()
    assert "subdivision: BY" in text
    assert "working-hours" in text


def test_countries_and_zones_are_those_of_the_time_zone_database() -> None:
    assert zones_of_countries()["NL"] == ("Europe/Amsterdam",)
    assert len(zones_of_countries()["US"]) > 20
    assert country_of("Europe/Kiev") == "UA"
    assert country_of("UTC") is None
