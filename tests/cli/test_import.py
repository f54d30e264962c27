import io
import sys
from pathlib import Path

import pytest

from app.cli import run
from app.policies.load import load
from app.policies.source import Snapshot, Source

WEEKEND = "time_intervals:\n  - name: weekend\n    time_intervals:\n      - weekdays: [saturday, sunday]\n"
BROKEN = WEEKEND + "      - weekdays: [caturday]\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "alertmanager.yml"
    file.write_text(WEEKEND)
    return file


def test_it_prints_policies_and_reports_on_standard_error(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["import", "prometheus", str(source)]) == 0
    printed = capsys.readouterr()
    assert [policy.id for policy in load(Snapshot.of(printed.out)).policy_set.policies] == ["weekend"]
    assert printed.err == "1 window, 1 policy, 4 tests, 0 refused\n"


def test_it_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + WEEKEND.encode())))
    assert run(["import", "prometheus", "-"]) == 0
    assert "# standard input:4:9: weekend[0]" in capsys.readouterr().out


def test_it_writes_a_new_file_and_never_over_an_old_one(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "policies.yaml"
    assert run(["import", "prometheus", str(source), "--output", str(target)]) == 0
    before = target.read_text()
    assert load(Source(target).read()).tests
    assert run(["import", "prometheus", str(source), "-o", str(target)]) == 2
    assert target.read_text() == before


def test_with_a_refused_window_nothing_is_written(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source.write_text(BROKEN)
    target = tmp_path / "policies.yaml"
    assert run(["import", "prometheus", str(source), "-o", str(target)]) == 1
    assert not target.exists()
    assert capsys.readouterr().err == (
        f'{source}:5:9: weekend[1]: refused: weekdays: "caturday" is no weekday; did you mean "saturday"?\n'
        "2 windows, 1 policy, 4 tests, 1 refused; nothing is written without --partial\n"
    )


def test_with_partial_the_rest_is_written(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source.write_text(BROKEN)
    assert run(["import", "prometheus", str(source), "--partial"]) == 0
    assert "# Not imported:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        ["--environment", "Production"],
        ["--service", "a b"],
        ["--timezone", "Mars/Olympus"],
        ["--map", "clusters/x"],
        ["--map", "clusters/x=team:y"],
        ["--map", "clusters/x=service:A B"],
        ["--output", "/dev/null/policies.yaml"],
    ],
)
def test_a_mistyped_option_is_a_usage_error(source: Path, options: list[str]) -> None:
    assert run(["import", "prometheus", str(source), *options]) == 2


def test_an_unknown_format_is_a_usage_error(source: Path) -> None:
    assert run(["import", "jira", str(source)]) == 2


def test_a_missing_file_is_no_import(tmp_path: Path) -> None:
    assert run(["import", "prometheus", str(tmp_path / "missing.yml")]) == 3


def test_a_file_that_is_no_text_is_refused_with_its_line(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source.write_bytes(b"a: b\n\xff\n")
    assert run(["import", "prometheus", str(source)]) == 2
    assert "is not UTF-8 from line 2 on" in capsys.readouterr().err
