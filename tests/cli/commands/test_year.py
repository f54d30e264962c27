"""``freezegate year``: the lines of a terminal, and the options around them."""

import json
from datetime import date
from pathlib import Path

import click
import pytest

from app.cli import run
from app.cli.year_text import draw_year
from app.core.wallclock import local_day
from app.core.year import Year
from app.core.year.representation import year_to_json
from tests.cli.conftest import POLICIES, CannedServer
from tests.core.year.test_year import ALWAYS, FRIDAY, policy, year_of

TODAY = local_day(date(2027, 11, 29))


@pytest.fixture
def policies(tmp_path: Path) -> str:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES)
    return str(path)


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Friday 27 November 2026, 14:00 in Amsterdam, on a terminal of 80 columns."""
    monkeypatch.setattr("app.clock.SystemClock.now", lambda _: 1_795_784_400)
    monkeypatch.setenv("COLUMNS", "80")


def lines(shown: Year, width: int = 80, today: int = TODAY) -> list[str]:
    return [click.unstyle(line) for line in draw_year(shown, today, width)]


def test_a_month_is_a_row_and_a_day_has_the_letters_of_what_freezes_it() -> None:
    drawn = lines(year_of(2027, FRIDAY, policy("lunch", {"daily": {"from": "12:00", "to": "12:30"}})))
    assert drawn[:4] == [
        "2027  production, normal: 41% of the year is frozen",
        "     1       5         10        15        20        25        30",
        "           1             2             3             4",
        "Jan  .#A#A#AB.B.B.B.#A#A#AB.B.B.B.#A#A#AB.B.B.B.#A#A#AB.B.B.B.#A#A#",
    ]
    assert drawn[-4:] == [
        "  A  friday: 53 times, 3,442 h",
        "  B  lunch: 365 times, 182 h",
        "  .  open   : open weekend   # several   > today",
        "     week numbers at Mondays; a letter is 12 h; Europe/Amsterdam time",
    ]


@pytest.mark.parametrize(
    ("width", "letters"), [(20, 1), (66, 1), (67, 2), (80, 2), (98, 3), (200, 6), (253, 8), (400, 12)]
)
def test_a_day_has_as_many_letters_as_there_is_room_for(width: int, letters: int) -> None:
    drawn = lines(year_of(2027, FRIDAY), width)
    assert len(drawn[3]) == 5 + 31 * letters
    assert width < 36 or max(map(len, drawn[1:26])) <= width
    assert drawn[-1].startswith(f"     week numbers at Mondays; a letter is {24 // letters} h;")


def test_a_stretch_frozen_for_a_second_is_shown_as_frozen() -> None:
    shown = year_of(2027, policy("p", {"daily": {"from": "11:59:59", "to": "12:00:00"}}))
    assert lines(shown)[3].startswith("Jan  A.A:A:A.A.")


def test_week_numbers_yield_to_marks_and_are_never_cut() -> None:
    shown = year_of(2027, policy("nl", {"holidays": {"country": "NL"}}))
    wide, narrow = lines(shown, 98), lines(shown, 40)
    # Monday 29 March and Monday 17 May are holidays, Monday 29 November is today.
    assert (
        wide[6]
        == "     9                    10                   11                   12          *     *  *"
    )
    assert wide[22].endswith("47                   >")
    assert "*" in narrow[6]
    for row in wide[2:26:2] + narrow[2:26:2]:
        assert all(1 <= int(each) <= 53 for each in row.replace("*", " ").replace(">", " ").split())
    assert not [row for row in narrow[2:26:2] if row.endswith("1") and row.strip() == "1"]


def test_a_day_that_a_zone_skips_is_blank_and_open_weekends_differ() -> None:
    shown = year_of(2011, where="Pacific/Apia")
    assert lines(shown)[25] == "Dec  ....::::..........::::..........::::..........::::........  ::"


def test_rare_freezes_are_listed_with_their_dates_and_many_rules_go_without_letters() -> None:
    once = policy("once", {"dates": {"from": "2027-05-18", "to": "2027-05-21"}})
    assert "  A  once: Tue 18 May 00:00 to Fri 21 May 24:00" in lines(year_of(2027, once))
    many = lines(year_of(2027, *({**ALWAYS, "id": f"p{number}"} for number in range(66))))
    assert "  z  closed: Fri 1 Jan 00:00 to Fri 31 Dec 24:00" in many
    assert "  ?  2 other policies: Fri 1 Jan 00:00 to Fri 31 Dec 24:00" in many


def test_holidays_are_listed_within_the_width() -> None:
    drawn = lines(year_of(2027, policy("gb", {"holidays": {"country": "GB"}})), 60)
    first = next(row for row in drawn if row.startswith("  *  "))
    assert first.startswith("  *  Fri 1 Jan New Year's Day, ")
    assert max(map(len, drawn[26:-1])) <= 72


def test_colours_are_those_of_the_rules_and_only_where_somebody_sees_them(
    policies: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["year", "2027", "--policies", policies]
    assert run(arguments) == 0
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setattr("app.cli.commands.year.colours", lambda: True)
    assert run(arguments) == 0
    assert "\x1b[38;5;231m\x1b[48;5;33mAAAAA\x1b[0m" in capsys.readouterr().out
    both = "".join(draw_year(year_of(2027, FRIDAY, {**ALWAYS, "id": "all"}), TODAY, 80))
    assert "\x1b[48;5;33m######\x1b[0m" in both, "several are in the colour of the rarest"


def test_the_year_of_a_file_is_the_present_one_unless_another_is_named(
    policies: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["year", "--policies", policies]) == 0
    assert capsys.readouterr().out.startswith("2026  production, normal: 39% of the year is frozen\n")
    assert run(["year", "2100", "--policies", policies, "--timezone", "Asia/Tokyo", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert (body["year"], body["timezone"], body["service"]) == (2100, "Asia/Tokyo", None)
    assert [rule["id"] for rule in body["rules"]] == ["friday-afternoon"], "those that warn are left out"


def test_a_server_is_asked_and_draws_the_same(
    server: CannedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = year_of(2027, FRIDAY, policy("nl", {"holidays": {"country": "NL"}}))
    server.reply(200, year_to_json(shown))
    arguments = ["year", "2027", "--server", server.url, "--service", "api", "--environment", "production"]
    assert run(arguments) == 0
    assert capsys.readouterr().out.splitlines() == lines(shown, today=0)
    assert server.received[-1].path == "/year?year=2027&environment=production&service=api&change=normal"
    output = tmp_path / "year.svg"
    assert run([*arguments, "--format", "svg", "--output", str(output)]) == 0
    assert capsys.readouterr().out == ""
    assert "<a " not in output.read_text()
    assert run([*arguments, "--format", "svg", "--url", "https://gate.example.com/"]) == 0
    assert (
        'href="https://gate.example.com/dashboard/year?'
        'year=2027&amp;environment=production&amp;change=normal&amp;day=2027-01-08#day"'
    ) in capsys.readouterr().out
    assert run([*arguments, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == year_to_json(shown)


def test_a_reply_that_is_no_year_or_a_refusal_exits_3(
    server: CannedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies: tuple[object, ...] = (b"", [], {}, {"year": 2027})
    for body in bodies:
        server.reply(200, body)
        assert run(["year", "--server", server.url]) == 3
    server.reply(422, {"detail": "environment: unknown environment"})
    assert run(["year", "--server", server.url]) == 3
    assert "environment: unknown environment" in capsys.readouterr().err


def test_a_name_that_the_file_does_not_list_exits_3(policies: str) -> None:
    assert run(["year", "--policies", policies, "--environment", "moon"]) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["1999"],
        ["27"],
        ["soon"],
        ["2027", "--timezone", "europe/amsterdam"],
        ["--service", "Api"],
        ["--format", "png"],
        ["--format", "svg", "--json"],
        ["--output", "/dev/null/year.txt"],
        ["--url", "https://gate.example.com"],
        ["--format", "svg", "--url", "gate.example.com"],
        ["--server", "http://localhost"],
    ],
)
def test_wrong_usage_exits_2(policies: str, arguments: list[str]) -> None:
    assert run(["year", "--policies", policies, *arguments]) == 2
