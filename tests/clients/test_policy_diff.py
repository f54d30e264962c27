"""The comment on a pull or merge request: one, renewed, by the very shell that pipelines run."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.clients.policy_diff import (
    KEY,
    SCRIPT,
    TEMPLATE,
    TOKEN,
    FakeForge,
    Ran,
    Reply,
    github,
    gitlab,
    serving,
)
from tests.live.gate import ROOT, running

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")

POLICIES = 'version: 1 # "quoted" \\ é 🧊\r\npolicies: []\n'
MARKER = "<!-- freezegate-diff policies.yaml -->\n"
LIMITED = (("Retry-After", "0"), ("X-RateLimit-Remaining", "0"))
CLIENTS = pytest.mark.parametrize("client", [github, gitlab])
Client = Callable[..., Ran]


class Place:
    """A checked out repository, and the server that its jobs talk to."""

    def __init__(self, forge: FakeForge, url: str, folder: Path) -> None:
        self.forge, self.url, self.folder = forge, url, folder

    def run(self, client: Client, **inputs: str) -> Ran:
        if client is gitlab:
            self.forge.bot = "project_42_bot"
        ran = client(self.url, self.folder, **inputs)
        for secret in (KEY, TOKEN):
            assert secret not in ran.printed + ran.outputs + ran.summary
        return ran


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "policies.yaml").write_bytes(POLICIES.encode())
    forge = FakeForge()
    with serving(forge) as url:
        yield Place(forge, url, tmp_path)


def test_the_gitlab_job_has_the_very_script_of_the_action() -> None:
    _, template = yaml.safe_load_all(TEMPLATE.read_text())
    assert template["policy-diff"]["script"][-1] == SCRIPT.read_text()


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_script_is_read_by_every_shell(shell: str) -> None:
    assert subprocess.run([shell, "-n", SCRIPT], check=False).returncode == 0


@CLIENTS
def test_one_comment_is_written_and_then_renewed(client: Client, place: Place) -> None:
    forge = place.forge
    ran = place.run(client)
    assert ran.status == 0, ran.printed
    assert "Opens 8 hours, closes none" in ran.printed
    (body,) = forge.bodies()
    assert body.startswith(MARKER + "### Opens 8 hours, closes none, in `production`\n")
    assert body.endswith("Policies of 0123456789ab, compared with those in force.")
    assert ran.summary == forge.markdown
    forge.markdown = "### Opens 9 hours, closes none, in `production`\n"
    assert place.run(client).status == 0
    (body,) = forge.bodies()
    assert "Opens 9 hours" in body
    assert forge.secrets == {f"Bearer {KEY}", f"Bearer {TOKEN}" if client is github else TOKEN}
    assert forge.candidates[0] == {"policies": {"policies.yaml": POLICIES}, "calendars": {}}


@CLIENTS
def test_the_comment_is_found_behind_hundreds_of_others(client: Client, place: Place) -> None:
    if client is gitlab:
        place.forge.bot = "project_42_bot"
    for number in range(230):
        place.forge.add(f"comment {number}", "ada")
    place.forge.add(MARKER + "old")
    assert place.run(client).status == 0
    (body,) = place.forge.bodies()
    assert "Opens 8 hours" in body
    assert len(place.forge.comments) == 231


def test_a_real_gate_answers_the_script(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("gate")
    shutil.copy(ROOT / "policies.yaml", folder)
    later = (ROOT / "policies.yaml").read_text().replace("from: fri 14:00", "from: fri 15:00")
    (place.folder / "policies.yaml").write_text(later)
    with running(folder / "policies.yaml", folder / "gate.db", FREEZEGATE_ANONYMOUS_ROLE="viewer") as gate:
        ran = github(gate.url, place.folder, api_key="", api_url=place.url, fail_on="opens")
        assert (ran.status, "hours open, which fail-on forbids" in ran.printed) == (1, True), ran.printed
        (place.folder / "policies.yaml").write_text(later.replace("weekly", "wekly"))
        assert "did you mean" in github(gate.url, place.folder, api_key="", api_url=place.url).printed
    (body,) = place.forge.bodies()
    assert body.startswith(MARKER + "### The policies have errors")
    assert "### Opens " in ran.summary
    assert "closes none, in `production`" in ran.summary


def test_comments_of_others_are_left_alone_whatever_they_begin_with(place: Place) -> None:
    place.forge.add(MARKER + "mine", "mallory")
    place.forge.add("no marker")
    place.forge.add(MARKER.replace("policies.yaml", "conf") + "of other policies")
    place.forge.comments.append({"id": 99, "body": None, "user": None, "author": None})
    assert place.run(github).status == 0
    assert [each["body"] for each in place.forge.comments][:3] == [
        MARKER + "mine",
        "no marker",
        MARKER.replace("policies.yaml", "conf") + "of other policies",
    ]
    assert len(place.forge.comments) == 5


def test_what_runs_at_the_same_time_left_over_is_removed(place: Place) -> None:
    for text in ("one", "two", "three"):
        place.forge.add(MARKER + text)
    assert place.run(github).status == 0
    (body,) = place.forge.bodies()
    assert "Opens 8 hours" in body


@pytest.mark.parametrize(
    ("client", "reply"),
    [
        (github, Reply(0)),
        (gitlab, Reply(0)),
        (github, Reply(502, "<html>")),
        (gitlab, Reply(429, {}, LIMITED)),
        (github, Reply(403, {}, LIMITED)),
    ],
    ids=["lost", "lost in gitlab", "502", "429", "403 with a limit"],
)
def test_a_forge_that_fails_for_a_moment_still_gets_one_comment(
    client: Client, place: Place, reply: Reply
) -> None:
    # A lost answer: the comment was written, so it must be found and not written again.
    place.forge.instead = {"POST comments": [reply]}
    assert place.run(client).status == 0
    assert len(place.forge.bodies()) == 1


def test_a_comment_that_is_deleted_meanwhile_is_written_anew(place: Place) -> None:
    place.forge.add(MARKER + "old")
    place.forge.instead = {"PATCH comment": [Reply(404, {})]}
    assert place.run(github).status == 0
    assert len([each for each in place.forge.bodies() if "Opens 8 hours" in each]) == 1


def test_a_token_that_may_not_comment_is_a_warning_and_the_difference_is_in_the_summary(place: Place) -> None:
    place.forge.instead = {"POST comments": [Reply(403, {"message": "Resource not accessible"})]}
    ran = place.run(github)
    assert ran.status == 0
    assert "could not be put into a comment (status 403)" in ran.printed
    assert "Opens 8 hours" in ran.summary


@pytest.mark.parametrize("body", ["[", {"id": 1}])
def test_a_list_that_can_not_be_read_writes_no_second_comment(place: Place, body: object) -> None:
    place.forge.add(MARKER + "old")
    place.forge.instead = {"GET comments": [Reply(200, body)]}
    ran = place.run(github)
    assert (ran.status, "could not be put into a comment" in ran.printed) == (0, True)
    assert place.forge.bodies() == [MARKER + "old"]


def test_without_a_difference_there_is_no_comment_but_an_old_one_says_so(place: Place) -> None:
    forge = place.forge
    forge.difference = {"differs": False, "opens": False, "closes": False, "complete": True}
    forge.markdown = "### No hours open or close\n"
    assert place.run(github).status == 0
    assert forge.bodies() == []
    forge.add(MARKER + "### Opens 8 hours")
    assert place.run(github).status == 0
    assert "No hours open or close" in forge.bodies()[0]


@pytest.mark.parametrize(
    ("client", "fail_on", "opens", "closes", "complete", "status"),
    [
        (github, "opens", True, False, True, 1),
        (github, "opens", False, True, True, 0),
        (github, "closes", True, False, True, 0),
        (gitlab, "closes", False, True, True, 1),
        (github, "any", False, True, True, 1),
        (gitlab, "any", False, False, True, 0),
        (github, "closes", True, False, False, 1),
        (gitlab, "any", False, False, False, 1),
        (github, "", False, False, False, 0),
    ],
)
def test_the_job_fails_on_what_it_is_told_to(  # noqa: PLR0913 - a table
    client: Client, place: Place, fail_on: str, opens: bool, closes: bool, complete: bool, status: int
) -> None:
    place.forge.difference = {"differs": True, "opens": opens, "closes": closes, "complete": complete}
    ran = place.run(client, fail_on=fail_on)
    assert ran.status == status, ran.printed
    assert len(place.forge.bodies()) == 1
    if client is github:
        assert f"opens={str(opens).lower()}\ncloses={str(closes).lower()}\n" in ran.outputs


@CLIENTS
def test_policies_with_errors_fail_with_their_places_and_say_so_in_the_comment(
    client: Client, place: Place
) -> None:
    problem = {"file": "policies.yaml", "line": 3, "column": 5, "path": "policies[0]", "severity": "error"}
    text = '"@channel" ```\n::error::x `<b>`'
    body = {"detail": "the policies have 1 error", "problems": [{**problem, "message": text}]}
    place.forge.instead = {"diff": [Reply(422, body)]}
    ran = place.run(client)
    assert ran.status == 1
    assert "policies.yaml:3: " in ran.printed
    assert "\n::error::x" not in ran.printed
    (comment,) = place.forge.bodies()
    assert '\n    policies.yaml:3:5: policies[0]: "@channel" ``` ::error::x `<b>`\n' in comment


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply(403, {"detail": "this needs the role viewer"}), "status 403: this needs the role viewer"),
        (Reply(200, {"differs": "yes"}), "status 200"),
        (Reply(200, "<html>it works</html>"), "status 200"),
    ],
)
def test_a_gate_that_gives_no_difference_fails_the_job_and_changes_no_comment(
    place: Place, reply: Reply, sentence: str
) -> None:
    place.forge.add(MARKER + "old")
    place.forge.instead = {"diff": [reply]}
    ran = place.run(github)
    assert (ran.status, sentence in ran.printed) == (1, True), ran.printed
    assert "old" in place.forge.comments[0]["body"]


def test_a_busy_gate_is_asked_again_and_one_that_is_gone_fails(place: Place) -> None:
    place.forge.instead = {"diff": [Reply(503, {}, (("Retry-After", "0"),)), Reply(0)]}
    assert place.run(github).status == 0
    place.forge.instead = {"diff": [Reply(503, {"detail": "busy"})] * 3}
    ran = place.run(github)
    assert (ran.status, "status 503: busy" in ran.printed) == (1, True)


@CLIENTS
def test_a_folder_goes_with_its_calendars(client: Client, place: Place) -> None:
    conf = place.folder / "conf"
    (conf / "days").mkdir(parents=True)
    (conf / "a b.yaml").write_text("policies: []")
    (conf / "b.yaml").write_text("icalendar")
    (conf / "days" / "x y.ics").write_text("BEGIN")
    (conf / "notes.txt").write_text("none of ours")
    (conf / "days" / "z.ics").symlink_to("/etc/passwd")
    policies = "conf/" if client is github else "conf"
    assert place.run(client, policies=policies).status == 0
    assert place.forge.candidates[0] == {
        "policies": {"a b.yaml": "policies: []", "b.yaml": "icalendar"},
        "calendars": {"days/x y.ics": "BEGIN"},
    }


@pytest.mark.parametrize("policies", ["link.yaml", "-rf", "$(touch pwned)", "empty"])
def test_policies_that_are_not_there_are_not_sent(place: Place, policies: str) -> None:
    (place.folder / "link.yaml").symlink_to("/etc/passwd")
    (place.folder / "empty").mkdir()
    ran = place.run(github, policies=policies)
    assert (ran.status, "there is no policy file" in ran.printed) == (1, True)
    assert place.forge.candidates == []
    assert not (place.folder / "pwned").exists()


def test_secrets_that_could_end_their_line_are_refused(place: Place) -> None:
    for name in ("api_key", "comment_token"):
        ran = place.run(github, **{name: 'x"\nproxy = "http://evil'})
        assert ran.status == 1
        assert "evil" not in ran.printed
    assert place.run(github, fail_on="maybe").status == 1
    assert place.forge.candidates == []


def test_without_a_number_or_a_token_there_is_only_the_summary(place: Place) -> None:
    for inputs in ({"number": ""}, {"comment_token": ""}):
        assert place.run(github, **inputs).status == 0
    assert place.forge.requests == []


def test_a_markdown_of_the_largest_size_fits_into_a_comment(place: Place) -> None:
    place.forge.markdown = "### Opens\n" + "é" * 70_000
    assert place.run(github).status == 0
    assert len(place.forge.bodies()[0]) < 65_536
