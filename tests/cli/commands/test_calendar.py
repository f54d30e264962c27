import json
from pathlib import Path

import click
import pytest

from app.cli import run
from app.cli.commands.calendar import Block, CalendarGrid, draw
from app.core.instant import format_instant, parse_instant
from app.core.notation import parse_date_bound
from app.core.wallclock import zone
from tests.cli.conftest import POLICIES, CannedServer

AMSTERDAM = "Europe/Amsterdam"


@pytest.fixture
def policies(tmp_path: Path) -> str:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES)
    return str(path)


def rows(blocks: list[Block], first: str, days: int, where: str = AMSTERDAM, today: int = 0) -> list[str]:
    picture = CalendarGrid(blocks, parse_date_bound(first).day, days, zone(where), today)
    return [click.unstyle(line) for line in draw(picture)]


def block(start: str, end: str, block_id: str = "freeze", *, warns: bool = False) -> Block:
    return Block(parse_instant(start), parse_instant(end), block_id, block_id.title(), warns)


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Friday 27 November 2026, 14:00 in Amsterdam."""
    monkeypatch.setattr("app.clock.SystemClock.now", lambda _: parse_instant("2026-11-27T13:00:00Z"))


def test_a_row_a_day_a_column_an_hour_a_letter_a_policy(
    policies: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--policies", policies, "--from", "2027-01-08", "--weeks", "1"]
    assert run(["calendar", *arguments]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "                 0     6     12    18",
        "  Fri 2027-01-08 ..............AAAAAAAAAA",
        " |Sat 2027-01-09 AAAAAAAAAAAAAAAAAAAAAAAA",
        " |Sun 2027-01-10 AAAAAAAAAAAAAAAAAAAAAAAA",
        "  Mon 2027-01-11 AAAAAAAA............bbb.",
        "  Tue 2027-01-12 ....................bbb.",
        "  Wed 2027-01-13 ....................bbb.",
        "  Thu 2027-01-14 ....................bbb.",
        "",
        "  A  friday-afternoon: No deploys after Friday 14:00",
        "  b  late: It is late (only warns)",
        "  .  open   # several   + several, all only warn",
        "  >  today   | weekend   times in Europe/Amsterdam",
    ]


def test_four_weeks_from_today_are_drawn_and_today_is_marked(
    policies: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calendar", "--policies", policies]) == 0
    drawn = capsys.readouterr().out.splitlines()
    assert drawn[1] == "> Fri 2026-11-27 ..............AAAAAAAAAA"
    assert drawn.index("") == 1 + 28
    assert [line for line in drawn[1:29] if line[0] == ">"] == [drawn[1]]


def test_an_hour_is_blocked_if_a_second_of_it_is() -> None:
    drawn = rows([block("2026-12-01T08:59:59Z", "2026-12-01T10:00:01Z")], "2026-12-01", 1, "UTC")
    assert drawn[1] == "  Tue 2026-12-01 ........AAA............."


def test_several_policies_in_an_hour_are_told_from_one_and_warnings_yield() -> None:
    drawn = rows(
        [
            block("2026-12-01T00:00:00Z", "2026-12-01T04:00:00Z", "one"),
            block("2026-12-01T02:00:00Z", "2026-12-01T06:00:00Z", "two"),
            block("2026-12-01T03:00:00Z", "2026-12-01T12:00:00Z", "three", warns=True),
            block("2026-12-01T10:00:00Z", "2026-12-01T14:00:00Z", "four", warns=True),
        ],
        "2026-12-01",
        1,
        "UTC",
    )
    assert drawn[1] == "  Tue 2026-12-01 AA##BBcccc++dd.........."


def test_the_hour_that_clocks_skip_is_blank() -> None:
    [row] = rows([], "2027-03-28", 1)[1:2]
    assert row == " |Sun 2027-03-28 .. ....................."


def test_the_hour_that_clocks_repeat_is_blocked_by_either_pass_and_its_neighbours_are_not() -> None:
    first = block("2026-10-25T00:10:00Z", "2026-10-25T00:20:00Z")
    second = block("2026-10-25T01:10:00Z", "2026-10-25T01:20:00Z")
    expected = " |Sun 2026-10-25 ..A....................."
    assert rows([first], "2026-10-25", 1)[1] == expected
    assert rows([second], "2026-10-25", 1)[1] == expected


def test_clocks_that_go_back_half_an_hour_are_drawn_right() -> None:
    # Lord Howe: at 15:00 UTC, 02:00 +11:00 becomes 01:30 +10:30.
    before = block("2027-04-03T14:59:59Z", "2027-04-03T15:00:00Z")
    after = block("2027-04-03T15:00:00Z", "2027-04-03T15:00:01Z")
    beyond = block("2027-04-03T15:30:00Z", "2027-04-03T15:30:01Z")
    where = "Australia/Lord_Howe"
    assert rows([before], "2027-04-04", 1, where)[1].endswith(" .A......................")
    assert rows([after], "2027-04-04", 1, where)[1].endswith(" .A......................")
    assert rows([beyond], "2027-04-04", 1, where)[1].endswith(" ..A.....................")


def test_a_day_that_a_zone_skips_is_blank() -> None:
    assert rows([], "2011-12-30", 1, "Pacific/Apia")[1].rstrip() == "  Fri 2011-12-30"


@pytest.mark.parametrize("where", [AMSTERDAM, "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"])
def test_every_cell_agrees_with_every_ten_minutes_of_the_year(where: str) -> None:
    there = zone(where)
    start = parse_instant("2027-01-01T00:00:00Z")
    blocks = [
        Block(at, at + 600, "freeze", "Freeze", warns=False)
        for at in range(start, start + 366 * 86_400, 97 * 600)
    ]
    first = parse_date_bound("2027-01-02").day
    expected = {there.local(each.start) // 3600 for each in blocks}
    drawn = rows(blocks, "2027-01-02", 363, where)[1:364]
    for number, row in enumerate(drawn):
        cells = row[17:].ljust(24)
        frozen = {(first + number) * 24 + hour for hour, cell in enumerate(cells) if cell == "A"}
        assert frozen == {hour for hour in expected if hour // 24 == first + number}


def test_more_policies_than_letters_are_still_drawn() -> None:
    many = [block("2026-12-01T00:00:00Z", "2026-12-01T01:00:00Z", f"policy-{number}") for number in range(30)]
    drawn = rows(many, "2026-12-01", 1, "UTC")
    assert drawn[1] == "  Tue 2026-12-01 #......................."
    assert "  ?  policy-29: Policy-29" in drawn


def test_letters_are_coloured_only_where_somebody_sees_it(
    policies: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calendar", "--policies", policies]) == 0
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setattr("app.cli.commands.calendar.colours", lambda: True)
    assert run(["calendar", "--policies", policies]) == 0
    assert "\x1b[31mA\x1b[0m" in capsys.readouterr().out


def test_a_server_is_asked_for_its_schedule(server: CannedServer, capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"id": "freeze", "title": "Freeze"}
    segment = {
        "from": format_instant(parse_instant("2026-12-01T00:00:00Z")),
        "to": "2026-12-01T06:00:00Z",
        "blocking": [entry],
        "warnings": [],
    }
    server.reply(200, {"timezone": "UTC", "segments": [segment]})
    arguments = ["--server", server.url, "--service", "api", "--from", "2026-12-01", "--weeks", "1"]
    assert run(["calendar", *arguments]) == 0
    assert "  Tue 2026-12-01 AAAAAA.................." in capsys.readouterr().out
    assert server.received[-1].path == (
        "/schedule?service=api&environment=production&change=normal"
        "&from=2026-12-01T00%3A00%3A00Z&to=2026-12-08T00%3A00%3A00Z"
    )
    assert run(["calendar", *arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["segments"] == [segment]


CATALOGUE = POLICIES.replace(
    "policies:\n",
    """unknown_services: refuse
services: {api: {}, pay: {tags: [pci]}}
changes: [normal, rollback]
policies:
  - {id: pci, title: PCI, reason: Audit, applies_to: {tags: [pci]}, when: [{always: true}]}
""",
).replace("    when:\n      - weekly", "    exempt: {changes: [rollback]}\n    when:\n      - weekly")


def test_without_a_service_what_nothing_singles_out_is_drawn_even_where_unknown_ones_are_refused(
    policies: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(policies).write_text(CATALOGUE)
    arguments = ["calendar", "--policies", policies, "--weeks", "1"]
    assert run(arguments) == 0
    assert "> Fri 2026-11-27 ..............AAAAAAAAAA\n" in capsys.readouterr().out
    assert run([*arguments, "--change", "rollback"]) == 0
    assert "> Fri 2026-11-27 ....................aaa.\n" in capsys.readouterr().out
    assert run([*arguments, "--service", "pay"]) == 0
    assert "> Fri 2026-11-27 AAAAAAAAAAAAAA####" in capsys.readouterr().out
    assert run([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["service"] is None


@pytest.mark.parametrize("arguments", [["--service", "web"], ["--change", "web"], ["--environment", "web"]])
def test_a_name_that_the_file_does_not_list_exits_3(policies: str, arguments: list[str]) -> None:
    Path(policies).write_text(CATALOGUE)
    assert run(["calendar", "--policies", policies, *arguments]) == 3


def test_a_server_that_refuses_unknown_services_is_said_to_want_one(
    server: CannedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    error = {"field": "service", "message": "unknown service"}
    server.reply(422, {"detail": "service: unknown service", "errors": [error]})
    assert run(["calendar", "--server", server.url]) == 3
    assert "422: service: unknown service; set one with --service" in capsys.readouterr().err
    assert server.received[0].path.startswith("/schedule?service=any&")
    assert run(["calendar", "--server", server.url, "--service", "web"]) == 3
    assert "set one" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "body",
    [b"", [], {"timezone": "Mars/Base"}, {"timezone": "UTC"}, {"timezone": "UTC", "segments": [{}]}],
)
def test_a_reply_that_is_no_schedule_exits_3(server: CannedServer, body: object) -> None:
    server.reply(200, body)
    assert run(["calendar", "--server", server.url]) == 3


def test_a_server_that_refuses_says_why(server: CannedServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.reply(422, {"detail": "unknown environment"})
    assert run(["calendar", "--server", server.url]) == 3
    assert "the server answered 422: unknown environment" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from", "soon"],
        ["--from", "2026-12-01 12:00"],
        ["--from", "1999-12-31"],
        ["--timezone", "europe/amsterdam"],
        ["--weeks", "0"],
        ["--weeks", "53"],
        ["--service", "Api"],
        ["--server", "http://localhost"],
    ],
)
def test_wrong_usage_exits_2(policies: str, arguments: list[str]) -> None:
    assert run(["calendar", "--policies", policies, *arguments]) == 2
