"""The pages in docs/how-to/deploy: their commands, values and files are ones that exist and work."""

import itertools
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from app.cli import cli
from app.gate.keys import check_given
from app.settings import read_settings
from tests.deploy.helm import Helm, running_helm
from tests.deploy.test_deploy import COMPOSE, ROOT

DEPLOY = ROOT / "docs" / "how-to" / "deploy"
PAGES = {page.stem: page.read_text() for page in sorted(DEPLOY.glob("*.md"))}


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", PAGES[page], re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for _, text in found]


def commands(page: str) -> list[list[str]]:
    """The commands of the page's shell blocks, each as its words; lines joined and lists taken apart."""
    lines = "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    found: list[list[str]] = []
    for line in words:
        found.append([])
        for word in line:
            if word == "&&":
                found.append([])
            else:
                found[-1].append(word)
    return [command for command in found if command]


ALL = [(page, command) for page in PAGES for command in commands(page)]


def test_the_pages_are_read() -> None:
    assert {"compose", "helm", "kubernetes", "systemd"} <= set(PAGES)
    assert len(ALL) > 20


@pytest.mark.parametrize(
    ("page", "command"), [each for each in ALL if "-c" in each[1] and "new_key" in str(each[1])]
)
def test_a_key_that_is_made_as_a_page_says_is_one_that_the_gate_takes(page: str, command: list[str]) -> None:
    code = command[command.index("-c") + 1]
    # The wheel has the package under another name; tests/packaging holds that the rest is the same.
    code = code.replace("from freezegate.", "from app.") if page == "systemd" else code
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    check_given(done.stdout.strip())


@pytest.mark.parametrize(
    ("page", "command"),
    [
        each
        for each in ALL
        if any(word.rpartition("/")[2] == "freezegate" for word in each[1]) and "keys" in each[1]
    ],
)
def test_commands_of_the_gate_and_their_options_exist(page: str, command: list[str]) -> None:
    given = command[command.index("keys") :]
    shown = CliRunner().invoke(cli, [*given[:2], "--help"])
    assert shown.exit_code == 0, page
    assert all(option in shown.output for option in given if option.startswith("--"))


@pytest.mark.parametrize(("page", "command"), ALL)
def test_files_of_the_repository_are_there(page: str, command: list[str]) -> None:
    for word in command:
        if word.startswith("deploy/"):
            assert (ROOT / word).exists(), page


def test_compose_finds_the_secrets_that_its_page_makes() -> None:
    text = "\n".join(blocks("compose", "sh"))
    assert set(re.findall(r"> secrets/(\S+)", text)) == set(COMPOSE["secrets"])
    owned = re.findall(r"chown 10001 (.*?)  ", text)[0].split()
    assert {f"secrets/{name}" for name in COMPOSE["services"]["gate"]["secrets"]} == set(owned)


def test_the_settings_of_the_systemd_page_are_settings(tmp_path: Path) -> None:
    (text,) = [block for block in blocks("systemd", "sh") if block.startswith("FREEZEGATE_")]
    read_settings(dict(line.split("=", 1) for line in text.splitlines()))


@pytest.fixture(scope="module")
def helm() -> Iterator[Helm]:
    with running_helm() as running:
        yield running


def test_helm_takes_the_values_of_its_page(helm: Helm) -> None:
    examples = [yaml.safe_load(block) for block in blocks("helm", "yaml")]
    assert len(examples) == 2
    for values in examples:
        assert "Deployment" in helm.render(values)["deployment.yaml"]
        assert helm.lint(values) == []


def test_helm_takes_the_values_that_its_page_sets_on_the_command_line(helm: Helm) -> None:
    (command,) = [each for each in commands("helm") if each[:2] == ["helm", "install"] and "--set" in each]
    values: dict[str, dict[str, str]] = {}
    for option, given in itertools.pairwise(command):
        if option in ("--set", "--set-file"):
            name, value = given.split("=", 1)
            group, key = name.split(".")
            text = (ROOT / value).read_text() if option == "--set-file" else value
            values.setdefault(group, {})[key] = text
    assert len(values) == 2
    assert "registry.example.com/freezegate:" in helm.render(values)["deployment.yaml"]
