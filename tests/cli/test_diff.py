"""``freezegate diff``, from files and git revisions to words, JSON, Markdown and a picture."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from app import cli
from app.cli import candidate as sending
from app.cli.commands import diff as command
from app.cli.server import Request, Response
from app.core.instant import parse_instant
from tests.api.fakes import FakeClock
from tests.cli.test_git_source import git

POLICIES = """\
version: 1
timezone: Europe/Amsterdam
policies:
  - id: friday-afternoon
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    when:
      - weekly: {from: fri 14:00, to: mon 08:00}
"""
LATER = POLICIES.replace("fri 14:00", "fri 15:00")
NOW = parse_instant("2026-11-29T20:00:42Z")


class Ran:
    """The result of a command."""

    def __init__(self, *arguments: str) -> None:
        runner = CliRunner()
        with runner.isolation() as (out, err, _):
            self.status = cli.run(["diff", *arguments])
            self.out, self.err = out.getvalue().decode(), err.getvalue().decode()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose base has the policies of before, and whose branch has those of after."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "SystemClock", lambda: FakeClock(NOW))
    (tmp_path / "old.yaml").write_text(POLICIES)
    (tmp_path / "new.yaml").write_text(LATER)
    return tmp_path


def in_git(folder: Path, before: str | None, after: str) -> None:
    (folder / "policies.yaml").write_text(before or "")
    git(folder, "init", "-q")
    git(folder, "add", "policies.yaml" if before is not None else "old.yaml")
    git(folder, "commit", "-qm", "base")
    git(folder, "checkout", "-qb", "change")
    (folder / "policies.yaml").write_text(after)


def markdown(*more: str) -> str:
    ran = Ran("git:main:policies.yaml", "policies.yaml", "--format", "markdown", *more)
    assert ran.status == 0, ran.err
    return ran.out


def test_a_pull_request_that_moves_friday_shows_exactly_the_hours_that_open(here: Path) -> None:
    in_git(here, POLICIES, LATER)
    text = markdown()
    assert text.startswith("### Opens 8 hours, closes none, in `production`\n")
    times = re.findall(r"^- (?:opens|closes) (.*) \(", text, re.MULTILINE)
    assert times == [
        "Fri 4 Dec 14:00 to 15:00 CET",
        "Fri 11 Dec 14:00 to 15:00 CET",
        "Fri 18 Dec 14:00 to 15:00 CET",
        "Fri 25 Dec 14:00 to 15:00 CET",
        "Fri 1 Jan 2027 14:00 to 15:00 CET",
        "Fri 8 Jan 2027 14:00 to 15:00 CET",
        "Fri 15 Jan 2027 14:00 to 15:00 CET",
        "Fri 22 Jan 2027 14:00 to 15:00 CET",
    ]
    assert (
        text.count("| every service | all | 8 hours | none | opens Fri 14:00 to 15:00, 8 times: 4 Dec … ")
        == 1
    )


def test_a_pull_request_of_comments_and_order_shows_no_difference(here: Path) -> None:
    second = "  - {id: lunch, title: Lunch, reason: Lunch, when: [{daily: {from: '12:00', to: '13:00'}}]}\n"
    head, _, policy = POLICIES.partition("policies:\n")
    in_git(here, POLICIES + second, f"# By the book.\n{head}policies:\n{second}{policy}")
    text = markdown()
    assert text.startswith("### No hours open or close\n")
    assert "nothing changes" in text
    assert Ran("git:main:policies.yaml", "policies.yaml", "--fail-on", "any").status == 0


def test_a_renamed_policy_is_named_as_renamed(here: Path) -> None:
    in_git(here, POLICIES, POLICIES.replace("id: friday-afternoon", "id: weekend"))
    text = markdown()
    assert text.startswith("### No hours open or close\n")
    assert "- renamed `friday-afternoon` to `weekend`\n" in text


def test_a_new_file_adds_everything(here: Path) -> None:
    in_git(here, None, POLICIES)
    ran = Ran("git:main:policies.yaml", "policies.yaml", "--format", "markdown")
    assert (ran.status, ran.err) == (0, "git:main:policies.yaml does not exist: compared with no policies\n")
    assert "- added `friday-afternoon`" in ran.out
    assert ran.out.startswith("### Closes 539 hours, opens none, in `production`")


@pytest.mark.parametrize("path", ["polcies.yaml", "gone/policies.yaml"])
def test_a_mistyped_old_file_does_not_pass_fail_on(here: Path, path: str) -> None:
    in_git(here, POLICIES, LATER)
    near = '; did you mean "policies.yaml"?' if path == "polcies.yaml" else ""
    ran = Ran(f"git:main:{path}", "policies.yaml", "--fail-on", "opens", "--output", "diff.out")
    said = f"git:main:{path} does not exist, so --fail-on can't be judged{near}"
    assert (ran.status, ran.out, ran.err) == (3, "", f"freezegate: {said}\n")
    assert not (here / "diff.out").exists()
    ran = Ran(f"git:main:{path}", "policies.yaml")
    assert (ran.status, ran.err) == (0, f"git:main:{path} does not exist: compared with no policies{near}\n")


@pytest.mark.parametrize(
    ("fail_on", "forward", "backward"), [("opens", 1, 0), ("closes", 0, 1), ("any", 1, 1), (None, 0, 0)]
)
def test_the_exit_status_is_what_fail_on_says(fail_on: str | None, forward: int, backward: int) -> None:
    options = ["--fail-on", fail_on] if fail_on else []
    assert Ran("old.yaml", "new.yaml", *options).status == forward
    assert Ran("new.yaml", "old.yaml", *options).status == backward


def test_the_forms_and_the_output_file(here: Path) -> None:
    body = json.loads(Ran("old.yaml", "new.yaml", "--json").out)
    assert (body["from"], body["to"]) == ("2026-11-29T20:00:00Z", "2027-01-28T20:00:00Z")
    assert body == json.loads(Ran("old.yaml", "new.yaml", "--format", "json").out)
    assert Ran("old.yaml", "new.yaml").out.splitlines() == body["in_words"]
    assert Ran("old.yaml", "new.yaml", "--format", "svg").out.startswith("<svg ")
    for kind in ("text", "json", "markdown", "svg"):
        ran = Ran("old.yaml", "new.yaml", "--format", kind, "--output", "diff.out")
        assert (ran.status, ran.out) == (0, "")
        assert (here / "diff.out").read_text() == Ran("old.yaml", "new.yaml", "--format", kind).out


def test_the_period_takes_local_times_in_the_zone_of_the_new_policies() -> None:
    ran = Ran("old.yaml", "new.yaml", "--from", "2026-12-04", "--to", "2026-12-04", "--json")
    body = json.loads(ran.out)
    assert (body["from"], body["to"]) == ("2026-12-03T23:00:00Z", "2026-12-04T23:00:00Z")
    assert len(body["differences"][0]["hours"]) == 1
    ran = Ran("old.yaml", "new.yaml", "--from", "2026-12-04", "--timezone", "Asia/Tokyo", "--json")
    assert json.loads(ran.out)["from"] == "2026-12-03T15:00:00Z"
    assert json.loads(ran.out)["timezone"] == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["old.yaml"], "give OLD and NEW, or NEW and --against-server"),
        (["old.yaml", "new.yaml", "--against-server"], "with --against-server, give only NEW"),
        (["old.yaml", "new.yaml", "--server", "http://x"], "--server goes with --against-server only"),
        (["ald.yaml", "new.yaml"], 'there is no such file or folder; did you mean "old.yaml"?'),
        (["gone/old.yaml", "new.yaml"], "there is no such file or folder"),
        (["git:main", "new.yaml"], "write git:REVISION:PATH"),
        (["git:-x:p.yaml", "new.yaml"], "write git:REVISION:PATH"),
        (["old.yaml", "new.yaml", "--to", "2026-01-01"], "--to must be after --from"),
        (["old.yaml", "new.yaml", "--to", "2028-01-01"], "by 366 days at most"),
        (["old.yaml", "new.yaml", "--from", "tomorrow"], "an instant such as"),
        (["old.yaml", "new.yaml", "--format", "html"], "one of text, json, markdown, svg"),
        (["old.yaml", "new.yaml", "--format", "svg", "--json"], "either --json or --format svg, not both"),
        (["old.yaml", "new.yaml", "-o", "gone/diff.out"], "can't be written: no such file or directory"),
    ],
)
def test_wrong_usage_says_what_to_write(arguments: list[str], sentence: str) -> None:
    ran = Ran(*arguments)
    assert ran.status == 2
    assert sentence in ran.err


def test_a_revision_that_is_not_there_is_wrong_usage(here: Path) -> None:
    in_git(here, POLICIES, LATER)
    ran = Ran("git:origin/main:policies.yaml", "policies.yaml")
    assert (ran.status, "git fetch --depth=1" in ran.err) == (2, True)
    ran = Ran("policies.yaml", "git:main:policy.yaml")
    assert ran.status == 3
    assert 'git:main:policy.yaml:1:1: there is no such file; did you mean "policies.yaml"?' in ran.err


def test_policies_with_errors_are_shown_as_lint_shows_them(here: Path) -> None:
    (here / "new.yaml").write_text(LATER.replace("weekly", "wekly"))
    ran = Ran("old.yaml", "new.yaml")
    assert ran.status == 3
    assert ran.err.startswith("freezegate: new.yaml:8:9: policies[0].when[0].wekly: ")


def test_policies_of_every_minute_ask_for_a_shorter_period(here: Path) -> None:
    every_minute = "{cron: {start: '* * * * *', duration: 1s}}"
    often = f"  - {{id: a, title: t, reason: r, when: [{every_minute}, {every_minute}]}}\n"
    (here / "new.yaml").write_text(POLICIES + often)
    ran = Ran("old.yaml", "new.yaml", "--to", "2027-11-28")
    assert (ran.status, "shorten the period" in ran.err) == (2, True)


def test_a_calendar_that_can_not_be_fetched_is_a_warning(here: Path) -> None:
    fair = (
        "  - {id: fair, title: Fair, reason: Busy, "
        "when: [{icalendar: {url: 'http://127.0.0.1:9/x.ics', required: true}}]}\n"
    )
    (here / "new.yaml").write_text(POLICIES + fair)
    ran = Ran("old.yaml", "new.yaml", "--json")
    assert ran.status == 0
    assert "could not be fetched" in ran.err
    # As after a start, what is required and unknown freezes.
    assert json.loads(ran.out)["closes"] is True
    assert Ran("old.yaml", "new.yaml", "--offline").err == ""


class FakeGate:
    """Answers as a gate would; the difference is in the form that was asked for."""

    def __init__(self, body: object, status: int = 200) -> None:
        self.body, self.status = body, status
        self.requests: list[Request] = []

    def send(self, request: Request, deadline: float) -> Response:
        assert deadline > 30
        self.requests.append(request)
        accept = request.headers["Accept"]
        content = json.dumps(self.body) if accept == "application/json" else f"as {accept}\n"
        return Response(self.status, content.encode())


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeGate], FakeGate]:
    def serve(gate: FakeGate) -> FakeGate:
        monkeypatch.setattr(sending, "send", gate.send)
        return gate

    return serve


ANSWER = {
    "opens": True,
    "closes": False,
    "differs": True,
    "complete": True,
    "in_words": ["opens\x1b[2J", "two"],
}
AGAINST = ["new.yaml", "--against-server", "--server", "http://gate", "--timezone", "UTC"]


def test_a_candidate_goes_to_the_server(serve: Callable[[FakeGate], FakeGate]) -> None:
    gate = serve(FakeGate(ANSWER))
    ran = Ran(*AGAINST, "--from", "2026-12-04")
    assert (ran.status, ran.out) == (0, "opens [2J\ntwo\n")
    (request,) = gate.requests
    assert request.url == "http://gate/policies/diff"
    assert request.params == {"from": "2026-12-04T00:00:00Z", "to": "2027-02-02T00:00:00Z"}
    assert request.body == {"policies": {"new.yaml": LATER}, "calendars": {}}
    assert Ran(*AGAINST, "--fail-on", "opens").status == 1
    assert Ran(*AGAINST, "--fail-on", "closes").status == 0
    assert json.loads(Ran(*AGAINST, "--json").out) == ANSWER
    assert Ran(*AGAINST, "--format", "markdown").out == "as text/markdown\n"
    assert Ran(*AGAINST, "--format", "svg").out == "as image/svg+xml\n"


def test_what_was_not_compared_may_open_or_close_hours(serve: Callable[[FakeGate], FakeGate]) -> None:
    serve(FakeGate({**ANSWER, "complete": False}))
    assert Ran(*AGAINST).status == 0
    assert Ran(*AGAINST, "--fail-on", "opens").status == 1
    ran = Ran(*AGAINST, "--fail-on", "closes")
    assert (ran.status, "not all was compared" in ran.err) == (3, True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 200),
        ({**ANSWER, "opens": "no"}, 200),
        ({**ANSWER, "in_words": [1]}, 200),
        ([], 200),
        (ANSWER, 503),
    ],
)
def test_an_answer_that_is_no_difference_is_undecided(
    serve: Callable[[FakeGate], FakeGate], body: object, status: int
) -> None:
    serve(FakeGate(body, status))
    assert Ran(*AGAINST, "--fail-on", "any").status == 3


def test_a_server_that_is_gone_is_undecided() -> None:
    ran = Ran("new.yaml", "--against-server", "--server", "http://127.0.0.1:9", "--timezone", "UTC")
    assert ran.status == 3


def test_a_new_kind_of_change_that_a_freeze_exempts_does_not_pass_fail_on(here: Path) -> None:
    exempt = "    exempt: {changes: [rollback]}\n    when:"
    old = POLICIES.replace("policies:", "changes: [normal, rollback]\npolicies:").replace("    when:", exempt)
    (here / "old.yaml").write_text(old)
    (here / "new.yaml").write_text(old.replace("rollback]", "rollback, emergency]"))
    ran = Ran("old.yaml", "new.yaml", "--fail-on", "opens")
    assert ran.out.startswith("No difference found; not all was compared.\n")
    assert ran.out.endswith("is not compared: the kind of change emergency.\n")
    assert (ran.status, "--fail-on can't be judged" in ran.err) == (3, True)
    body = json.loads(Ran("old.yaml", "new.yaml", "--json").out)
    assert (body["opens"], body["complete"], len(body["limits"])) == (False, False, 1)
