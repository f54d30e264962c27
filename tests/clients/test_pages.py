"""The commands of README and docs as they are written there, against a gate as the container is set up.

And against what else may answer at its address: only an allow of the very deploy passes.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from app.identity.credentials import new_key
from tests.clients.conftest import Fake, reply
from tests.live.gate import ROOT, Gate, running

FROZEN = """\
version: 1
policies:
  - {id: stop, title: Année gelée, reason: Because, contact: "#ops", exempt: {changes: [rollback]},
     applies_to: {services: [checkout, shop]}, when: [{always: true}]}
"""
OPEN = "version: 1\npolicies: []\n"
KEY = new_key()
_OCTOPUS = 'case $1 in Freezegate.Url) echo "$FREEZEGATE_URL";; *) echo "$FREEZEGATE_API_KEY"; esac'
VERDICT = "allowed: service=checkout environment=production change=normal\n"


class Page(NamedTuple):
    """A way to ask that a page gives, as shell: it ends with ./deploy.sh, as far as it is reached."""

    script: str
    pipefail: bool = False


def fenced(path: str, language: str) -> list[str]:
    """The fenced blocks of a page."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def the_one(path: str, language: str, holding: str) -> str:
    found = [block for block in fenced(path, language) if holding in block]
    assert found
    return found[0]


def pages() -> dict[str, Page]:
    readme = the_one("README.md", "sh", "awk")
    jenkins = the_one("docs/how-to/ci/jenkins.md", "groovy", "awk")
    circle = yaml.safe_load(the_one("docs/how-to/ci/circleci.md", "yaml", "awk"))
    steps = [each for each in circle["jobs"]["deploy"]["steps"] if isinstance(each, dict)]
    azure = yaml.safe_load(the_one("docs/how-to/ci/azure-devops.md", "yaml", "awk"))
    github = yaml.safe_load(the_one("docs/how-to/ci/without-a-secret.md", "yaml", "ACTIONS_ID_TOKEN_REQUEST_URL"))
    gitlab = yaml.safe_load(the_one("docs/how-to/ci/without-a-secret.md", "yaml", "FREEZEGATE_TOKEN"))
    bitbucket = yaml.safe_load(the_one("docs/how-to/ci/bitbucket.md", "yaml", "awk"))
    (bitbucket_step,) = bitbucket["pipelines"]["branches"]["main"]
    (harness,) = yaml.safe_load(the_one("docs/how-to/ci/harness.md", "yaml", "awk"))
    tekton = yaml.safe_load(the_one("docs/how-to/ci/tekton.md", "yaml", "awk"))
    (tekton_step,) = tekton["spec"]["steps"]
    # Octopus's own function, which reads a variable of the project.
    octopus = f"get_octopusvariable() {{ {_OCTOPUS}; }}\n" + the_one("docs/how-to/ci/octopus.md", "sh", "awk")
    deploy = "\n./deploy.sh"
    jenkins_shell = re.search(r"sh '''\n(.*?)'''", jenkins, re.DOTALL)
    assert jenkins_shell is not None
    identity = github["steps"][0]["run"].split("\n", 2)[2]  # after the token was asked for
    return {
        "README.md": Page("set -e\n" + readme + deploy),
        "shell.md": Page(the_one("docs/how-to/ci/shell.md", "sh", "awk")),
        "jenkins.md": Page("set -e\n" + jenkins_shell[1] + deploy),
        "circleci.md": Page(steps[0]["run"]["command"] + deploy, pipefail=True),
        "azure-devops.md": Page(azure[0]["bash"]),
        "bitbucket.md": Page("set -e\n" + "\n".join(bitbucket_step["step"]["script"])),
        "teamcity.md": Page("set -e\n" + the_one("docs/how-to/ci/teamcity.md", "sh", "awk") + deploy),
        "octopus.md": Page(octopus + deploy),
        "harness.md": Page(harness["step"]["spec"]["source"]["spec"]["script"] + deploy),
        "tekton.md": Page("SERVICE=checkout\n" + tekton_step["script"] + deploy),
        "report-outcomes.md": Page(the_one("docs/how-to/report-outcomes.md", "sh", "grep")),
        "without-a-secret.md, GitHub": Page(f"TOKEN=$FREEZEGATE_API_KEY\n{identity}{deploy}", pipefail=True),
        "without-a-secret.md, GitLab": Page("set -e\n" + gitlab["gate"]["script"][0] + deploy),
    }


PAGES = pages()
EVERY_PAGE = pytest.mark.parametrize("page", PAGES)


class Ran(NamedTuple):
    deployed: bool
    status: int
    printed: str


def run(page: str, url: str, folder: Path, key: str = KEY) -> Ran:
    """Run what a page says where `./deploy.sh` leaves a trace."""
    script = folder / "deploy.sh"
    script.write_text("#!/bin/sh\ntouch deployed\n")
    script.chmod(0o755)
    chosen = PAGES[page]
    text = chosen.script.replace("https://freezegate.example.com", url)
    if "shop" in text:
        text = text.replace("shop", "checkout")
    shell = ["bash", "-eo", "pipefail", "-c"] if chosen.pipefail else ["sh", "-c"]
    done = subprocess.run(
        [*shell, text],
        env={
            "PATH": os.environ["PATH"],
            "FREEZEGATE_URL": url,
            "FREEZEGATE_API_KEY": key,
            "FREEZEGATE_TOKEN": key,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran((folder / "deployed").exists(), done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def gates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Gate]]:
    """An open gate and a frozen one, set up as in the Dockerfile: callers without a key may only look."""
    role = re.search(r"FREEZEGATE_ANONYMOUS_ROLE=(\w+)", (ROOT / "Dockerfile").read_text())
    assert role is not None
    settings = {"FREEZEGATE_ANONYMOUS_ROLE": role[1], "FREEZEGATE_ADMIN_KEY": KEY}
    folder = tmp_path_factory.mktemp("gates")
    (folder / "open.yaml").write_text(OPEN)
    (folder / "frozen.yaml").write_text(FROZEN)
    with (
        running(folder / "open.yaml", folder / "open.db", **settings) as opened,
        running(folder / "frozen.yaml", folder / "frozen.db", **settings) as frozen,
    ):
        yield {"open": opened, "frozen": frozen}


@EVERY_PAGE
def test_an_allow_deploys_and_its_sentence_is_in_the_log(
    page: str, gates: dict[str, Gate], tmp_path: Path
) -> None:
    ran = run(page, gates["open"].url, tmp_path)
    assert ran.deployed
    assert ran.status == 0, ran.printed
    assert "checkout may be deployed to production." in ran.printed


@EVERY_PAGE
def test_a_deny_stops_and_its_sentence_is_in_the_log(
    page: str, gates: dict[str, Gate], tmp_path: Path
) -> None:
    ran = run(page, gates["frozen"].url, tmp_path)
    assert not ran.deployed
    assert ran.status != 0
    assert "checkout may not be deployed to production: Année gelée." in ran.printed
    assert "Ask #ops." in ran.printed


@EVERY_PAGE
@pytest.mark.parametrize("key", ["", "fzk_wrong"])
def test_without_a_key_nothing_is_deployed(
    page: str, key: str, gates: dict[str, Gate], tmp_path: Path
) -> None:
    ran = run(page, gates["open"].url, tmp_path, key)
    assert not ran.deployed
    assert ran.status != 0


@EVERY_PAGE
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, ""),
        (200, "<html>Sign in</html>"),
        (302, VERDICT),
        (200, VERDICT.replace("checkout", "search")),
        (200, VERDICT.replace("production", "staging")),
        (200, VERDICT.replace("normal", "rollback")),
        (200, VERDICT.replace("checkout", "checkout2")),
        (200, "x" + VERDICT),
        (200, reply()),
        (200, reply(service="checkout")),
        (
            423,
            "checkout may not be deployed.\ndenied: service=checkout environment=production change=normal\n",
        ),
        (503, json.dumps({"status": 503, "detail": VERDICT})),
    ],
    ids=lambda value: str(value)[:20],
)
def test_whatever_else_answers_there_stops_the_deploy(
    page: str, status: int, body: str, fake: Fake, tmp_path: Path
) -> None:
    if status == 302:
        body = "moved\n"
    fake.answer((status, body))
    ran = run(page, fake.url, tmp_path)
    assert not ran.deployed
    assert ran.status != 0


@EVERY_PAGE
def test_a_closed_port_stops_the_deploy(page: str, tmp_path: Path) -> None:
    ran = run(page, "http://127.0.0.1:9", tmp_path)
    assert not ran.deployed
    assert ran.status != 0


CURL_SINCE = {
    "-H": "4.0", "-L": "4.0", "-N": "6.5", "-S": "5.9", "-d": "4.0", "-f": "4.0", "-i": "4.8", "-m": "4.0",
    "-o": "4.0", "-s": "4.0", "--config": "4.10", "--data": "4.0", "--data-binary": "7.2",
    "--dump-header": "5.7", "--globoff": "7.6", "--header": "5.0", "--max-filesize": "7.10.8",
    "--max-time": "4.0", "--output": "4.0", "--proto": "7.20.2", "--request": "6.0", "--show-error": "5.9",
    "--silent": "4.0", "--url": "7.5", "--write-out": "6.5",
}  # fmt: skip
"""The first version of curl with an option, as its manual says. Ubuntu 20.04 has 7.68, Debian 11 has 7.74,
RHEL 9 has 7.76, Ubuntu 22.04 has 7.81."""

OLDEST_CURL = (7, 68)

SOURCES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("docs", "clients", "deploy")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".md", ".sh", ".yml", ".yaml") and "decisions" not in path.parts
)


@pytest.mark.parametrize("source", ["README.md", *SOURCES])
def test_no_page_or_client_uses_an_option_that_an_older_curl_lacks(source: str) -> None:
    text = (ROOT / source).read_text(encoding="utf-8")
    if source.endswith(".md"):
        text = "\n".join(re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL))
    text = text.replace("\\\n", " ")
    for command in re.findall(r"\bcurl ((?:[^|\n]|\n {8,}--)*)", text):
        if not re.match(r"['\"$-]|https?:", command):
            continue  # the word, in a sentence
        bare = re.sub(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"", "x", command.split("`")[0].split("; printf")[0])
        for option in re.findall(r"(?<!\S)(--[a-z][a-z0-9-]*|-[A-Za-z]+)", bare):
            for each in [option] if option.startswith("--") else [f"-{letter}" for letter in option[1:]]:
                assert each in CURL_SINCE, f"{source}: {each}"
                assert tuple(map(int, CURL_SINCE[each].split("."))) <= (*OLDEST_CURL, 99), f"{source}: {each}"
