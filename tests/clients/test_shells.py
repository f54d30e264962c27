"""The very shell that pipelines run, against a gate that answers, lies, or is gone: only an allow passes."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.clients.conftest import LOST, NOW, Fake, reply
from tests.live.gate import ROOT, running

ALLOW = reply()
DENY = reply(allowed=False, outcome="deny", message="%s", opens_at="2026-11-30T07:00:00Z")
ENTRY = {
    "id": "late",
    "kind": "policy",
    "title": "allowed",
    "link": 'It is "late"} {',
    "reason": "a [b",
    "contact": "service",
}
ALLOWS = {
    "an allow": ALLOW,
    "a warning": reply(outcome="warn", warnings=[ENTRY, ENTRY]),
    "an override": reply(
        outcome="override", blocking=[ENTRY], override={"id": "ovr_1", "uncovered": [], "uses_left": 0}
    ),
    "a step of a rollout": reply(
        continues={"id": "dec_0", "result": "running", "first": "dec_0", "until": NOW, "lifted": [ENTRY]}
    ),
    "an allow that speaks of allowed": reply(message='he said "allowed": false, "service": "web"}'),
    "an allow in UTF-8": json.dumps(json.loads(reply(message="Année: ça va 🚀")), ensure_ascii=False),
}
GARBAGE = {
    "html": (200, "<html>it works</html>"),
    "a deny as 200": (200, DENY % "frozen"),
    "an allow of another service": (200, reply(service="web")),
    "an allow of another environment": (200, reply(environment="staging")),
    "an allow of another change": (200, reply(change="rollback")),
    "an allow whose outcome is a deny": (200, reply(outcome="deny")),
    "an allow of an outcome that there is not": (200, reply(outcome="maybe")),
    "an allow with a brace too many": (200, ALLOW + "}"),
    "an allow with a brace too many inside": (200, ALLOW.replace('"blocking"', '"x": 1}, "blocking"')),
    "an allow with a brace too few": (200, ALLOW.replace('"blocking": []', '"blocking": [{]')),
    "an allow that takes it back": (200, ALLOW.replace('"at"', '"allowed": false, "at"')),
    "an allow with a second outcome": (200, ALLOW.replace('"at"', '"outcome": "deny", "at"')),
    "an allow with a second service": (200, ALLOW.replace('"at"', '"service": "web", "at"')),
    "an allow and a deny": (200, ALLOW + (DENY % "frozen")),
    "an allow and a deny in lines": (200, ALLOW + "\n" + (DENY % "frozen")),
    "two allows in lines": (200, ALLOW + "\n" + ALLOW),
    "a truncated allow": (200, ALLOW[:-20]),
    "an allow inside a message": (200, DENY % 'he said \\"allowed\\": true, \\"outcome\\": \\"allow\\"'),
    "an allow that something blocks": (200, reply(blocking=[ENTRY])),
    "a warning that something blocks": (200, reply(outcome="warn", blocking=[ENTRY])),
    "an allow that nothing blocks, and something": (
        200,
        ALLOW.replace('"blocking": []', '"blocking": [], "blocking": [{}]'),
    ),
    "an allow that does not say what blocks": (200, ALLOW.replace('"blocking": [], ', "")),
    "an allow of long ago": (200, reply(at="2020-01-01T00:00:00Z")),
    "an allow of years ahead": (200, reply(at="2099-12-31T23:59:59Z")),
    "an allow of now and of long ago": (200, ALLOW.replace(', "at"', ', "at": "2020-01-01T00:00:00Z", "at"')),
    "an allow without a time": (200, ALLOW.replace(f'"at": "{NOW}", ', "")),
    "an allow of no such time": (200, reply(at="yesterday")),
    "an allow larger than any": (200, reply(warnings=[{**ENTRY, "reason": "x" * 300_000}], outcome="warn")),
    "an allow with depths": (200, ALLOW.replace('"override": null', f'"override": {"[" * 9}{"]" * 9}')),
    "nothing but depths": (200, "[" * 100_000 + "]" * 100_000),
    "an allow as 423": (423, ALLOW),
    "an allow as 500": (500, ALLOW),
    "an allow as 202": (202, ALLOW),
    "nothing": (200, ""),
    "only true": (200, "true"),
    "another JSON": (200, '{"allowed": true}'),
    "an error": (503, '{"status": 503}'),
}


PROBLEM = json.dumps({"type": "about:blank", "status": 422, "detail": "environment: unknown environment"})
FINAL = [301, 307, 400, 401, 403, 404, 409, 413, 422]
PASSING = [LOST, 408, 423, 425, 429, 500, 502, 503]


class Result(NamedTuple):
    status: int
    printed: str
    outputs: str
    summary: str


def github(url: str, folder: Path, **inputs: str) -> Result:
    """Run the step of action.yml as the runner would."""
    action = yaml.safe_load((ROOT / "clients/github-action/action.yml").read_text())
    step = action["runs"]["steps"][0]
    runner = {}
    if inputs.pop("with_identity", None):
        runner = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
        }
    given = {name: str(spec.get("default", "")) for name, spec in action["inputs"].items()}
    given.update({"url": url, "service": "api", **{k.replace("_", "-"): v for k, v in inputs.items()}})
    environment = dict(runner)
    for name, value in step["env"].items():
        for key, put in given.items():
            value = value.replace("${{ inputs." + key + " }}", put)  # noqa: PLW2901 - filled in step by step
        environment[name] = "x" if "${{" in value else value
    assert "${{" not in step["run"]
    return _run(["bash", "-c", step["run"]], folder, environment)


def gitlab(url: str, folder: Path, **given: str) -> Result:
    """Run the before_script of the hidden job, and then the deploy; what is no input is a variable."""
    spec, template = component()
    inputs = {name: str(each.get("default", "")) for name, each in spec.items()}
    inputs.update({"url": url, "service": "api"})
    inputs.update({name: value for name, value in given.items() if name in spec})
    for name, each in spec.items():
        assert matches_as_in_gitlab(each["regex"], inputs[name])
    variables = {name: value for name, value in given.items() if name not in spec}
    if secret := variables.pop("api_key", None):
        variables["GATE_API_KEY"] = secret
    if secret := variables.pop("override_token", None):
        variables["GATE_OVERRIDE_TOKEN"] = secret
    lines = [*template["before_script"], 'echo "decision $gate_decision_id"', "echo deployed"]
    script = "\n".join(
        re.sub(r"\$\[\[ inputs\.(\w+) \]\]", lambda each: inputs[each[1]], line) for line in lines
    )
    assert "$[[" not in script
    return _run(["sh", "-e", "-c", script], folder, variables)


def matches_as_in_gitlab(pattern: str, text: str) -> bool:
    """Whether an input is taken; in RE2 the end is the end of the text."""
    return re.search(pattern.removesuffix("$") + r"\Z", text) is not None


def component() -> tuple[dict[str, Any], dict[str, Any]]:
    """The inputs of the GitLab component, and its hidden job."""
    text = (ROOT / "clients/gitlab/templates/can-deploy.yml").read_text()
    spec, template = yaml.safe_load_all(text)
    return spec["spec"]["inputs"], template[".can-deploy"]


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> Result:
    outputs, summary = folder / "outputs", folder / "summary"
    ran = subprocess.run(
        command,
        env={
            # The clock of `make test-hours`, where that runs this.
            **{name: os.environ[name] for name in ("LD_PRELOAD", "CLOCK_SHIFT") if name in os.environ},
            "PATH": os.environ["PATH"],
            "GATE_POLL_SECONDS": "0.1",
            "GITHUB_ACTION_PATH": str(ROOT / "clients/github-action"),
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(summary),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Result(
        ran.returncode,
        ran.stdout + ran.stderr,
        outputs.read_text() if outputs.exists() else "",
        summary.read_text() if summary.exists() else "",
    )


CLIENTS = pytest.mark.parametrize("client", [github, gitlab])
Client = Callable[..., Result]


@CLIENTS
@pytest.mark.parametrize("kind", ALLOWS)
def test_an_allow_passes(client: Client, fake: Fake, tmp_path: Path, kind: str) -> None:
    fake.answer((200, ALLOWS[kind]))
    result = client(fake.url, tmp_path)
    assert result.status == 0
    assert json.loads(ALLOWS[kind])["message"] in result.printed
    assert json.loads(fake.requests[0])["service"] == "api"


@CLIENTS
def test_a_step_of_a_rollout_names_the_earlier_one_and_hands_its_decision_on(
    client: Client, fake: Fake, tmp_path: Path
) -> None:
    fake.answer((200, ALLOWS["a step of a rollout"]))
    assert client(fake.url, tmp_path).status == 0
    assert {"duration", "continues"}.isdisjoint(json.loads(fake.requests[0]))
    result = client(fake.url, tmp_path, duration="40m", continues="dec_0")
    sent = json.loads(fake.requests[1])
    assert (sent["duration"], sent["continues"]) == ("40m", "dec_0")
    if client is github:
        assert "decision_id=dec_1\n" in result.outputs
    else:
        assert "decision dec_1\n" in result.printed


RUN_OF: dict[Any, dict[str, str]] = {github: {}, gitlab: {"CI_PIPELINE_ID": "47", "CI_JOB_NAME_SLUG": "deploy-eu"}}


@CLIENTS
def test_a_job_that_runs_again_claims_the_same_deploy(client: Client, fake: Fake, tmp_path: Path) -> None:
    fake.answer((423, DENY % "Friday."))
    for _ in range(2):
        client(fake.url, tmp_path, **RUN_OF[client])
    first, second = (json.loads(each)["deploy_id"] for each in fake.requests)
    assert first == second == ("x" if client is github else "47-deploy-eu")
    assert len(set(fake.keys)) == 2


@CLIENTS
def test_another_deploy_id_may_be_given_and_holds_nothing_but_letters(
    client: Client, fake: Fake, tmp_path: Path
) -> None:
    fake.answer((200, ALLOW))
    given = {"deploy_id" if client is github else "GATE_DEPLOY_ID": f'release-7", "x": "{"y" * 200}'}
    assert client(fake.url, tmp_path, **given).status == 0
    assert json.loads(fake.requests[0])["deploy_id"] == ("release-7x:" + "y" * 200)[:128]


@CLIENTS
def test_a_gate_of_before_deploy_ids_is_asked_without_one(client: Client, fake: Fake, tmp_path: Path) -> None:
    error = {"field": "deploy_id", "message": "is not a field of this request"}
    fake.answer((422, json.dumps({"status": 422, "errors": [error]})), (200, ALLOW))
    assert client(fake.url, tmp_path, **RUN_OF[client]).status == 0
    assert ["deploy_id" in json.loads(each) for each in fake.requests] == [True, False]


@CLIENTS
def test_a_refused_deploy_id_is_left_out_once_and_no_more(client: Client, fake: Fake, tmp_path: Path) -> None:
    fake.answer((422, json.dumps({"status": 422, "errors": [{"field": "deploy_id"}]})))
    assert client(fake.url, tmp_path, **RUN_OF[client]).status != 0
    assert len(fake.requests) == 2


@CLIENTS
def test_a_deny_stops_and_explains_itself(client: Client, fake: Fake, tmp_path: Path) -> None:
    fake.answer((423, DENY % "api may not be deployed: Friday."))
    result = client(fake.url, tmp_path)
    assert result.status != 0
    assert "api may not be deployed: Friday." in result.printed
    assert "deployed\n" not in result.printed.replace("may not be deployed", "")


@CLIENTS
@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_never_passes(client: Client, fake: Fake, tmp_path: Path, kind: str) -> None:
    fake.answer(GARBAGE[kind])
    assert client(fake.url, tmp_path).status != 0


@CLIENTS
@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_clock_that_is_off_by_minutes_is_no_reason_to_stop(
    client: Client, fake: Fake, tmp_path: Path, minutes: int
) -> None:
    fake.handler.clock = timedelta(minutes=minutes)
    fake.answer((200, ALLOW))
    assert client(fake.url, tmp_path).status == 0


@CLIENTS
@pytest.mark.parametrize("minutes", [-17, 17])
def test_an_allow_of_another_time_says_so(client: Client, fake: Fake, tmp_path: Path, minutes: int) -> None:
    fake.handler.clock = timedelta(minutes=minutes)
    fake.answer((200, ALLOW))
    result = client(fake.url, tmp_path)
    assert result.status != 0
    assert "more than 15 minutes from this machine's clock" in result.printed


@CLIENTS
def test_nesting_without_end_is_refused_at_once(client: Client, fake: Fake, tmp_path: Path) -> None:
    fake.answer((200, ALLOW.replace('"override": null', f'"override": {"[" * 120_000}{"]" * 120_000}')))
    began = time.monotonic()
    assert client(fake.url, tmp_path).status != 0
    assert time.monotonic() - began < 20  # in the loop that went a level at a time it was minutes


@CLIENTS
def test_a_redirect_is_not_followed_to_an_allow(client: Client, fake: Fake, tmp_path: Path) -> None:
    fake.answer((302, ALLOW))
    assert client(fake.url, tmp_path).status != 0


@CLIENTS
@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense://x", "file:///etc/passwd"])
def test_a_gate_that_is_gone_never_passes(client: Client, tmp_path: Path, url: str) -> None:
    if client is gitlab:
        assert gitlab("$ADDRESS", tmp_path, ADDRESS=url).status != 0
    else:
        assert github(url, tmp_path).status != 0


HOSTILE = pytest.mark.parametrize(
    "text", ['x", "change": "rollback', "$(touch pwned)", "a b\nc", "`id`", "\\", "-K/etc/passwd", "@x"]
)


@HOSTILE
def test_hostile_inputs_stay_data(fake: Fake, tmp_path: Path, text: str) -> None:
    fake.answer((423, DENY % "no"))
    github(fake.url, tmp_path, service=text)
    body = json.loads(fake.requests[0])
    assert body["service"] == text.replace("\n", " ")
    assert body["change"] == "normal"
    assert not list(tmp_path.glob("pwned"))


@HOSTILE
def test_hostile_variables_stay_data_in_gitlab(fake: Fake, tmp_path: Path, text: str) -> None:
    fake.answer((423, DENY % "no"))
    gitlab(fake.url, tmp_path, service="$NAME", NAME=text, GITLAB_USER_LOGIN=text, CI_JOB_ID=text)
    body = json.loads(fake.requests[0])
    assert body["service"] == body["actor"] == text.replace("\n", " ")
    assert body["change"] == "normal"
    assert not list(tmp_path.glob("pwned"))


@pytest.mark.parametrize("text", ['x"; touch pwned; "', "$(touch pwned)", "a b", "a\nb", "`id`", "\\", "'"])
@pytest.mark.parametrize("name", ["url", "service", "environment", "change"])
def test_gitlab_makes_no_pipeline_of_an_input_that_would_become_shell(name: str, text: str) -> None:
    pattern = component()[0][name]["regex"]
    assert not matches_as_in_gitlab(pattern, text)


def test_what_the_inputs_of_the_component_fix_no_variable_of_the_pipeline_replaces(
    fake: Fake, tmp_path: Path
) -> None:
    fake.answer((423, DENY % "no"))
    others = {"url": "http://127.0.0.1:9", "service": "web", "environment": "staging", "change": "rollback"}
    variables = {f"{head}_{name}": each for head in ("GATE", "gate") for name, each in others.items()}
    shouted = {name.upper(): each for name, each in variables.items()}
    assert gitlab(fake.url, tmp_path, **variables, **shouted).status != 0
    body = json.loads(fake.requests[0])
    assert (body["service"], body["environment"], body["change"]) == ("api", "production", "normal")


INJECTED = 'x"\nproxy = "%s"\nuser-agent = "y'


@CLIENTS
@pytest.mark.parametrize("secret", ["api_key", "override_token"])
@pytest.mark.parametrize(
    "text", [INJECTED, "two\nlines", 'a"b', "a\\b", "a b", "a\rb", "ključ", "x\n\nproxy"]
)
def test_a_secret_that_is_none_reaches_nobody_and_stops_the_deploy(
    client: Client, fake: Fake, tmp_path: Path, secret: str, text: str
) -> None:
    fake.answer((200, ALLOW))
    text = text.replace("%s", fake.url)
    result = client("http://127.0.0.1:9", tmp_path, **{"api_key": "fzk_secret", secret: text})
    assert result.status != 0
    assert "deployed" not in result.printed
    assert fake.requests == []
    assert "holds characters that no" in result.printed
    assert text not in result.printed


@CLIENTS
def test_the_line_end_of_a_secret_that_came_from_a_file_is_cut_off(
    client: Client, fake: Fake, tmp_path: Path
) -> None:
    fake.answer((200, ALLOW))
    secrets = {"api_key": "fzk_aZ09-._~+/=\r\n", "override_token": "fzo_1\n\n"}
    assert client(fake.url, tmp_path, **secrets).status == 0
    assert fake.tokens == [("Bearer fzk_aZ09-._~+/=", "fzo_1")]


@CLIENTS
def test_a_secret_of_nothing_but_line_ends_is_none(client: Client, fake: Fake, tmp_path: Path) -> None:
    fake.answer((200, ALLOW))
    assert client(fake.url, tmp_path, api_key="\n", override_token="\r\n").status == 0  # noqa: S106
    assert fake.tokens == [(None, None)]


def test_github_asks_with_the_identity_token_of_the_job(fake: Fake, tmp_path: Path) -> None:
    fake.answer((200, ALLOW))
    fake.handler.identity = (200, json.dumps({"count": 1, "value": "eyJ.eyJ._-"}))
    result = github(fake.url, tmp_path, audience="freezegate", with_identity="yes")
    assert result.status == 0
    assert fake.tokens == [("Bearer eyJ.eyJ._-", None)]
    assert fake.handler.asked_identity == [
        ("Bearer request-token", "/token?api-version=2&audience=freezegate")
    ]
    assert "::add-mask::eyJ.eyJ._-" in result.printed


def test_github_gets_a_new_identity_token_for_every_question(fake: Fake, tmp_path: Path) -> None:
    fake.answer((423, DENY % "no"), (200, ALLOW))
    fake.handler.identity = (200, json.dumps({"value": "eyJ"}))
    assert github(fake.url, tmp_path, audience="freezegate", with_identity="yes", wait="1").status == 0
    assert len(fake.handler.asked_identity) == 2


@pytest.mark.parametrize(
    "identity", [(403, '{"value": "eyJ"}'), (200, "<html>"), (200, '{"value": "a b"}'), (500, "")]
)
def test_without_an_identity_token_nobody_is_asked(
    fake: Fake, tmp_path: Path, identity: tuple[int, str]
) -> None:
    fake.answer((200, ALLOW))
    fake.handler.identity = identity
    result = github(fake.url, tmp_path, audience="freezegate", with_identity="yes")
    assert result.status == 1
    assert fake.requests == []
    assert "no identity token" in result.printed


def test_a_job_without_the_permission_for_identity_tokens_is_told_so(fake: Fake, tmp_path: Path) -> None:
    fake.answer((200, ALLOW))
    result = github(fake.url, tmp_path, audience="freezegate")
    assert result.status == 1
    assert fake.requests == []
    assert "the job needs the permission id-token: write" in result.printed


def test_outputs_and_summary_are_written(fake: Fake, tmp_path: Path) -> None:
    fake.answer((423, DENY % "api may not be deployed."))
    result = github(fake.url, tmp_path)
    assert result.outputs == (
        "allowed=false\nopens_at=2026-11-30T07:00:00Z\nmessage=api may not be deployed.\ndecision_id=\n"
    )
    assert result.summary.startswith("### Deploy stopped")


@pytest.mark.parametrize(
    "hostile", ["a\\nallowed=true", "x::set-output name=allowed::true", "<img src=x>", "a\\u000ab"]
)
def test_a_hostile_message_writes_no_output_and_no_command(fake: Fake, tmp_path: Path, hostile: str) -> None:
    fake.answer((423, DENY % hostile))
    result = github(fake.url, tmp_path)
    assert [line.split("=")[0] for line in result.outputs.splitlines()] == ["allowed", "opens_at", "message", "decision_id"]
    assert result.outputs.startswith("allowed=false\n")
    assert result.printed.count("::") == 2  # the error annotation's own
    assert "<img" not in result.summary


def test_waiting_ends_when_it_opens(fake: Fake, tmp_path: Path) -> None:
    fake.answer((423, DENY % "no"), (423, DENY % "no"), (200, ALLOW))
    assert github(fake.url, tmp_path, wait="1").status == 0
    assert len(set(fake.keys)) == 3  # each question that was answered is followed by one of its own


@pytest.mark.parametrize("status", PASSING)
def test_a_question_whose_answer_was_lost_is_asked_again_under_its_key(
    fake: Fake, tmp_path: Path, status: int
) -> None:
    fake.answer((423, DENY % "no"), (status, ""), (status, ""), (200, ALLOW))
    assert github(fake.url, tmp_path, wait="1").status == 0
    assert len(set(fake.keys[1:])) == 1
    assert fake.keys[0] != fake.keys[1]


@pytest.mark.parametrize("status", FINAL)
def test_waiting_ends_at_once_on_what_will_not_change_and_says_why(
    fake: Fake, tmp_path: Path, status: int
) -> None:
    fake.answer((status, PROBLEM))
    result = github(fake.url, tmp_path, wait="9999")
    assert result.status == 1
    assert len(fake.requests) == 1
    assert f"(status {status}: environment: unknown environment)" in result.outputs
    assert "environment: unknown environment" in result.printed


@pytest.mark.parametrize("status", [LOST, 408, 425, 429, 500, 502, 503])
def test_gitlab_asks_again_for_an_answer_that_was_lost_under_the_same_key(
    fake: Fake, tmp_path: Path, status: int
) -> None:
    fake.answer((status, ""), (status, ""), (200, ALLOW))
    assert gitlab(fake.url, tmp_path).status == 0
    assert len(fake.keys) == 3
    assert len(set(fake.keys)) == 1


def test_gitlab_asks_three_times_at_most(fake: Fake, tmp_path: Path) -> None:
    fake.answer((503, PROBLEM))
    assert gitlab(fake.url, tmp_path).status != 0
    assert len(fake.keys) == 3


@pytest.mark.parametrize("status", [*FINAL, 423])
def test_gitlab_asks_once_where_it_is_refused_and_says_why(fake: Fake, tmp_path: Path, status: int) -> None:
    fake.answer((status, PROBLEM))
    result = gitlab(fake.url, tmp_path)
    assert result.status != 0
    assert len(fake.keys) == 1
    assert f"(status {status}): environment: unknown environment" in result.printed


@CLIENTS
def test_what_the_gate_says_commands_neither_terminal_nor_ci(
    client: Client, fake: Fake, tmp_path: Path
) -> None:
    hostile = '\x1b[2J\r\n::set-env name=X::1 ##[add-path]y "quoted" C:\\new\\\\u00e9'
    fake.answer((423, reply(allowed=False, outcome="deny", message=hostile)))
    printed = client(fake.url, tmp_path).printed
    assert "\x1b" not in printed
    assert "\n::set-env" not in printed
    assert '"quoted" C:\\new\\\\u00e9' in printed
    assert client is gitlab or "##[" not in printed


@CLIENTS
def test_the_real_gate_allows_and_denies(client: Client, tmp_path: Path) -> None:
    frozen = tmp_path / "frozen.yaml"
    frozen.write_text(
        "version: 1\npolicies:\n  - {id: stop, title: Année gelée 🚀, reason: Because, "
        "exempt: {changes: [rollback]}, when: [{always: true}]}\n"
    )
    with running(frozen, tmp_path / "gate.db") as gate:
        denied = client(gate.url, tmp_path)
        assert denied.status != 0
        assert "Année gelée 🚀" in denied.printed
        assert client(gate.url, tmp_path, change="rollback").status == 0


@pytest.mark.parametrize("client", [github, gitlab])
def test_each_run_of_a_step_has_a_key_of_its_own(
    fake: Fake, tmp_path: Path, client: Callable[..., Result]
) -> None:
    fake.answer((200, ALLOW))
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert client(fake.url, folder).status == 0
    assert None not in fake.keys
    assert len(set(fake.keys)) == 3


@pytest.mark.parametrize("minutes", ["abc", "1.5", "-1", "99999"])
def test_a_wait_that_is_no_number_of_minutes_stops_the_deploy_and_says_so(
    fake: Fake, tmp_path: Path, minutes: str
) -> None:
    fake.answer((200, ALLOW))
    result = github(fake.url, tmp_path, wait=minutes)
    assert result.status == 1
    assert "allowed=false" in result.outputs
    assert "::error" in result.printed


def test_a_wait_with_a_leading_zero_is_taken_as_it_reads(fake: Fake, tmp_path: Path) -> None:
    fake.answer((200, ALLOW))
    assert github(fake.url, tmp_path, wait="08").status == 0
