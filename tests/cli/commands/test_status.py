"""`freezegate status`, `decisions` and `insights` against a gate: the dashboard, in the terminal."""

import json
from collections.abc import Iterator

import pytest

from app.cli import run
from app.cli.service_text import service_lines
from app.cli.status_text import Times, status_lines
from app.core.counted import counted
from tests.cli.conftest import CannedServer
from tests.cli.served import ADMIN, ServedGate, served
from tests.web.companies import FRIDAY, environments, policy_file, services

AUTH = {"Authorization": f"Bearer {ADMIN}"}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGate]:
    """A company of 12 environments and 300 services, on a Friday afternoon."""
    with served(tmp_path_factory.mktemp("gate"), policy_file(12, 300), FRIDAY) as gate:
        for name in list(services(9)):
            body = {"service": name, "environment": "production-eu", "ref": "v1.4.2", "actor": "ada"}
            gate.client.post("/can-deploy", json=body, headers=AUTH)
        incident = {"title": "Payment incident", "reason": "Cards fail.", "contact": "#inc-42", "ttl": "2h"}
        gate.client.post("/freezes", json={**incident, "environments": ["sandbox-ap"]}, headers=AUTH)
        yield gate


@pytest.fixture
def shell(
    company: ServedGate, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> "Shell":
    monkeypatch.setenv("FREEZEGATE_API_KEY", ADMIN)
    return Shell(company.url, capsys)


class Shell:
    """Runs a command against a server."""

    def __init__(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self._url, self._capsys = url, capsys
        self.err = ""

    def __call__(self, *arguments: str, status: int = 0) -> str:
        assert run([*arguments, "--server", self._url]) == status
        out, self.err = self._capsys.readouterr()
        return out


def test_what_is_frozen_comes_first_and_all_of_it_fits_a_screen(shell: Shell) -> None:
    lines = shell("status").splitlines()
    assert len(lines) <= 38
    production = "production-eu, production-us and production-ap"
    assert lines[0] == f"FROZEN  {production}  until Mon 30 Nov 08:00 CET, for 2 d 17 h 55 min"
    assert lines[1].startswith("        No deploys after Friday 14:00: Nothing good happens after 14:00 on")
    assert lines[1].endswith("Ask #release-managers. https://wiki.example.org/freezes")
    assert (
        "150 services differ: 125 frozen (payments-api, payments-site, payments-index and 122 more)"
        in lines[2]
    )
    assert lines[2].endswith("25 open (search-api, search-gateway, search-site and 22 more)")
    ways = lines[3:6]
    assert all(line.startswith(" " * 10) and ", until " in line and ": " in line for line in ways), ways
    assert ways[2].endswith(" more rules")
    assert lines[6] == "FROZEN  sandbox-ap  until Fri 27 Nov 16:05 CET, for 2 h"
    assert "Payment incident: Cards fail. Started by" in lines[7]
    assert lines[7].endswith("Ask #inc-42.")
    assert any(line.startswith("OPEN    8 environments open: staging-eu, ") for line in lines)
    assert any(line.strip() == "all warn: Mind the lunch break: Half of the team is away." for line in lines)
    assert any(line.startswith("NEXT    ") for line in lines)


def test_every_service_that_differs_is_named_on_request(shell: Shell) -> None:
    lines = shell("status", "--services", "--environment", "production-eu").splitlines()
    start = lines.index("150 services differ in production-eu")
    named = {name for line in lines[start + 1 :] for name in line[8:].partition("  ")[0].split(", ")}
    assert len(named & services(300).keys()) == 150
    assert any(line.startswith("OPEN    search-api, ") for line in lines)


def test_the_pages_of_services_are_joined(shell: Shell) -> None:
    body = json.loads(shell("status", "--services", "--json"))
    for state in body["environments"]:
        names = [name for each in state["services"] for name in (each["service"], *each["also"])]
        assert len(names) == len(set(names)) == state["services_differ"]
        assert state["next"] is None


def test_json_is_what_the_api_answers(shell: Shell, company: ServedGate) -> None:
    assert json.loads(shell("status", "--json")) == company.client.get("/status").json()


def test_another_time_may_be_asked_for(shell: Shell) -> None:
    out = shell("status", "--at", "2026-12-24 12:00", "--environment", "test-eu")
    assert out.startswith("FROZEN  test-eu  until Mon 4 Jan 2027 00:00 CET, for ")


def test_one_service_is_shown_with_its_changes_rules_and_decisions(shell: Shell) -> None:
    lines = shell("status", "--service", "payments-api").splitlines()
    assert lines[0] == "payments-api"
    assert lines[1].startswith(
        "FROZEN  production-eu, production-us and production-ap  until Mon 30 Nov 09:00"
    )
    assert sum(line.startswith(("FROZEN", "OPEN")) for line in lines) <= 3
    changes = lines[lines.index("Next changes") + 1 :]
    assert changes[0].strip().startswith("Sat 28 Nov 06:00 CET  staging-eu, ")
    assert changes[0].endswith(" open")
    rules = lines[lines.index("Rules of the coming four weeks") + 1 :]
    assert any(
        line.strip() == "payday  Payday freeze: Salaries are paid out. Ask #payments." for line in rules
    )
    (decided,) = lines[lines.index("Last decisions") + 1 :]
    assert decided.startswith("  Fri 27 Nov 14:05 CET  deny      production-eu  ada  dec_")


def test_a_service_without_decisions_says_so(shell: Shell) -> None:
    assert shell("status", "--service", "nobody").splitlines()[-1] == "  none yet"


def test_decisions_that_a_key_may_not_read_are_not_shown() -> None:
    body = {"service": "api", "environments": [_state("e")], "schedules": [], "decisions": None}
    lines = [line.text for line in service_lines(body, _times())]
    assert lines[-1] == "  not shown: set FREEZEGATE_API_KEY to a key with the role viewer"


def test_a_service_with_many_rules_names_the_first() -> None:
    rules = [{"id": f"r{n}", "title": "T", "reason": "R"} for n in range(9)]
    state = _state("e", allowed=False, blocking=rules, opens_at=None)
    body = {"service": "api", "environments": [state], "schedules": [], "decisions": []}
    assert "  and 3 more" in [line.text for line in service_lines(body, _times())]


def test_a_service_in_json_has_all_of_it(shell: Shell) -> None:
    body = json.loads(shell("status", "--service", "payments-api", "--json"))
    assert [each["environment"] for each in body["environments"]] == environments(12)
    assert len(body["schedules"]) == 12
    assert body["decisions"][0]["service"] == "payments-api"


def _times() -> Times:
    return Times(str, lambda text: f"<{text}>")


def _state(name: str, **more: object) -> dict[str, object]:
    return {"environment": name, "allowed": True, "services": [], "services_differ": 0, **more}


def _texts(*states: dict[str, object], **body: object) -> list[str]:
    return [line.text for line in status_lines({"environments": list(states), **body}, _times())]


def test_a_screen_holds_twelve_environments_that_are_frozen_each_by_rules_of_its_own() -> None:
    rules = [{"id": f"r{n}", "kind": "policy", "title": f"T{n}.", "reason": "R"} for n in range(4)]
    service = {"service": "api", "allowed": True, "also": ["web"]}
    frozen = [
        _state(f"e{n}", allowed=False, blocking=rules, opens_at=str(n), services=[service], next="web")
        for n in range(12)
    ]
    coming = [{"from": "x", "title": "Coming"}] * 9
    texts = _texts(
        *frozen, freezes={"upcoming": coming}, warnings=["a", "b", "c", "d"], policies={"stale": 1}
    )
    assert len(texts) <= 12 * 4 + 4
    assert len(_texts(*[{**each, "blocking": rules[:1]} for each in frozen], warnings=["a"])) <= 38
    assert texts[2].strip() == "and 3 more rules"
    assert texts[3].strip() == "at least 2 services differ: 2 open (api and web)"
    assert texts[-1] == "NOTE    c"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"allowed": True, "closes_at": None}, "OPEN    e  no freeze in sight"),
        ({"allowed": True, "closes_at": "T", "closing": [{"title": "X"}]}, "OPEN    e  until T, for <T>"),
        ({"allowed": False, "opens_at": None, "blocking": []}, "FROZEN  e  no end in sight"),
        (
            {"allowed": False, "opens_at": None, "blocking": [{"kind": "freeze", "title": "X"}]},
            "FROZEN  e  until it is lifted",
        ),
    ],
)
def test_a_line_says_until_when(state: dict[str, object], words: str) -> None:
    assert _texts(_state("e", **state))[0] == words


def test_the_first_to_close_is_named() -> None:
    first = _state("a", closes_at="1", closing=[{"title": "X"}])
    assert _texts(first, _state("b", closes_at="2"))[1].strip() == "a closes first 1, in <1>: X"
    assert (
        _texts(first, _state("b"), _state("c", closes_at="1"))[1].strip()
        == "a and c close first 1, in <1>: X"
    )
    warned = _state("b", warnings=[{"title": "W", "reason": "R"}])
    assert _texts(first, warned)[2].strip() == "b warns: W: R"


def test_colours_are_for_terminals_and_no_color_turns_them_off(
    server: CannedServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.reply(200, {"at": "2026-11-27T13:05:00Z", "timezone": "UTC", "environments": [_state("e" * 300)]})
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert run(["status", "--server", server.url]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("…")
    monkeypatch.setenv("NO_COLOR", "1")
    assert run(["status", "--server", server.url]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("body", [{}, {"environments": []}, {"environments": [], "at": 5}])
def test_an_answer_that_is_no_status_is_undecided(
    server: CannedServer, capsys: pytest.CaptureFixture[str], body: object
) -> None:
    server.reply(200, body)
    assert run(["status", "--server", server.url]) == 3
    assert "it is no status" in capsys.readouterr().err


def test_decisions_are_listed_newest_first_by_pages_and_filters(shell: Shell) -> None:
    lines = shell("decisions", "list", "--limit", "4").splitlines()
    assert lines[0].split() == ["TIME", "OUTCOME", "SERVICE", "ENVIRONMENT", "WHO", "REF", "ID"]
    assert len(lines) == 5
    assert "payments-worker  production-eu  ada  v1.4.2  dec_" in lines[1]
    cursor = shell.err.split("--cursor ")[1].split(".")[0]
    assert len(shell("decisions", "list", "--limit", "50", "--cursor", cursor).splitlines()) == 6
    only = ("--service", "search-api", "--outcome", "warn", "--actor", "ada", "--from", "2026-11-27")
    assert len(shell("decisions", "list", *only, "--to", "2026-11-28").splitlines()) == 2
    assert shell("decisions", "list", "--policy", "year-end") == "No decision matches.\n"
    assert len(json.loads(shell("decisions", "list", "--json", "--limit", "2"))["decisions"]) == 2


def test_a_decision_is_shown_with_its_reasons_and_its_outcome(shell: Shell, company: ServedGate) -> None:
    page = json.loads(shell("decisions", "list", "--json", "--service", "search-api"))
    own_id = page["decisions"][0]["decision_id"]
    report = {"result": "failed", "incident": "INC-42"}
    company.client.post(f"/decisions/{own_id}/outcome", json=report, headers=AUTH)
    lines = [line.strip() for line in shell("decisions", "show", own_id).splitlines()]
    assert lines[0].startswith("search-api may be deployed to production-eu")
    assert f"{own_id}: claimed by ada on Fri 27 Nov 14:05 CET" in lines
    assert "deploys v1.4.2" in lines
    assert any(line.startswith("failed, INC-42: reported on Fri 27 Nov 14:05 CET") for line in lines)
    assert json.loads(shell("decisions", "show", own_id, "--json"))["outcomes"][0]["result"] == "failed"
    shell("decisions", "show", "dec_0000000000", status=3)


def test_insights_have_the_numbers_of_the_page(shell: Shell, company: ServedGate) -> None:
    company.clock.at += 120
    body = company.client.get("/insights", headers=AUTH).json()
    company.clock.at -= 120
    company.clock.at += 120
    lines = shell("insights", "--hours", "denials").splitlines()
    company.clock.at -= 120
    totals = body["totals"]
    assert lines[0].startswith(f"{counted(totals['deploys'], 'deploy')}, {totals['denials']} denials, ")
    assert body["in_words"] in lines[2]
    head = next(line for line in lines if line.startswith("ENVIRONMENT"))
    assert head.split()[:3] == ["ENVIRONMENT", "DEPLOYS", "DENIALS"]
    friday = next(line for line in lines if line.startswith("fri "))
    assert int(friday.split()[1 + 14]) == body["totals"]["denials"]
    assert len(friday.split()) == 25
    shown = json.loads(shell("insights", "--json", "--service", "search-api", "--from", "2026-11-01"))
    assert shown["service"] == "search-api"


@pytest.mark.parametrize("command", [["insights"], ["decisions", "list"], ["decisions", "show", "dec_x"]])
def test_an_answer_of_another_shape_is_undecided(
    server: CannedServer, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    server.reply(200, {"decisions": "none"})
    assert run([*command, "--server", server.url]) == 3
    assert "the server's response can't be used" in capsys.readouterr().err
