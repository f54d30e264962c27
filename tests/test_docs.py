"""What the documents say is held against what is there."""

import contextlib
import json
import re
import shlex
import shutil
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import httpx
import pytest

from app.cli import cli, run
from app.core.instant import parse_instant
from app.identity.credentials import new_key
from app.identity.oidc import github, gitlab
from app.policies.lint.lint import lint
from app.policies.load import load
from app.policies.source import Snapshot
from app.settings import PREFIX, Settings
from tests.console import Shell, examples, matches
from tests.integrations.reporters import PAYLOADS, Event
from tests.live.gate import ROOT, running

PAGES = sorted(
    page
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "bench/*.md",
        "clients/**/*.md",
        "deploy/**/*.md",
        "findings/*.md",
    )
    for page in ROOT.glob(pattern)
)


def _prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_internal_link_leads_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", _prose(page)):
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not anchor or anchor in _anchors(there), f"{target}#{anchor}"


SETTINGS = ROOT / "docs/reference/settings.md"


def _of_the_gate() -> str:
    return SETTINGS.read_text().partition("\n## Of the client")[0]


def test_the_settings_table_is_true() -> None:
    found = re.findall(r"^\| `(FREEZEGATE_\w+)` \|(.*?)\|", _of_the_gate(), re.MULTILINE)
    rows = {name: default.strip() for name, default in found}
    expected = {
        f"{PREFIX}{name.upper()}": f"`{field.default}`" if field.default is not None else ""
        for name, field in Settings.model_fields.items()
    }
    assert rows == expected


@pytest.mark.parametrize("page", ["README.md", "docs/reference/policies.md"])
def test_the_policies_of_a_page_load(page: str) -> None:
    snippets = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert snippets
    for snippet in snippets:
        head = "" if "version:" in snippet else "version: 1\nenvironments: [production, staging]\n"
        assert load(Snapshot.of(head + snippet)).policy_set.policies


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/reference/policies.md",
        "docs/how-to/calendars/cron.md",
        "docs/how-to/calendars/icalendar.md",
    ],
)
def test_lint_finds_nothing_in_the_policies_of_a_page(page: str) -> None:
    now = parse_instant("2026-11-23T12:00:00Z")
    for snippet in re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL):
        head = "" if "version:" in snippet else "version: 1\nenvironments: [production, staging]\n"
        calendar = (ROOT / "tests/policies/lint/misread/free.ics").read_text()
        snapshot = Snapshot.of(head + snippet, calendars={"releases.ics": calendar})
        told = [problem.message for problem in lint(snapshot, now)]
        assert [each for each in told if "there are no tests" not in each] == []


def test_the_table_of_cron_dialects_says_where_lint_warns() -> None:
    now = parse_instant("2026-11-23T12:00:00Z")
    rows = re.findall(
        r"^\| `([^`]+)`[^|]* \| .* \| (.*?) ?\|$",
        (ROOT / "docs/how-to/calendars/cron.md").read_text(),
        re.MULTILINE,
    )
    expressions = [(text, said) for text, said in rows if len(text.split()) == 5]
    assert len(expressions) >= 9
    for text, said in expressions:
        head = "version: 1\npolicies:\n  - id: a\n    title: t\n    reason: r\n    when:\n"
        snapshot = Snapshot.of(f'{head}      - cron: {{start: "{text}", duration: 10m}}\n')
        told = [each.message for each in lint(snapshot, now) if "there are no tests" not in each.message]
        assert bool(told) is said.startswith("warns"), (text, told)


def test_every_window_of_the_reference_loads() -> None:
    text = (ROOT / "docs/reference/policies.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \| .*\|$", text.partition("## Windows")[2], re.MULTILINE)
    calendar = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n"
    head = "version: 1\npolicies:\n  - id: a\n    title: t\n    reason: r\n    when:\n"
    for kind, example in rows:
        snapshot = Snapshot.of(f"{head}      - {kind}: {example}\n", calendars={"releases.ics": calendar})
        assert load(snapshot).policy_set.policies[0].when[0].kind == kind
    assert len(rows) == 9


def test_the_readmes_curls_do_what_it_says(tmp_path: Path) -> None:
    asked = re.findall(
        r'curl -f "http://127.0.0.1:1400(\S+at=\S+)" +# (\d+)', (ROOT / "README.md").read_text()
    )
    assert [status for _, status in asked] == ["200", "423"]
    with running(ROOT / "policies.yaml", tmp_path / "gate.db") as gate:
        for path, status in asked:
            assert httpx.get(gate.url + path).status_code == int(status)


RECIPES = sorted((ROOT / "docs/how-to/policies").glob("[!R]*.md"))


def _recipes() -> list[tuple[str, Snapshot]]:
    """Each policy file of a recipe; blocks that begin with a file's name are one folder together."""
    found = []
    for page in RECIPES:
        blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
        named = {match[1]: text for text in blocks if (match := re.match(r"# (\S+\.yaml)\n", text))}
        alone = [text for text in blocks if text not in named.values()]
        assert blocks, page
        found += [(f"{page.stem} {number}", Snapshot.of(text)) for number, text in enumerate(alone, 1)]
        if named:
            found.append((page.stem, Snapshot(named)))
    return found


@pytest.mark.parametrize("snapshot", [pytest.param(each, id=name) for name, each in _recipes()])
def test_every_policy_of_a_recipe_is_proved_by_its_own_tests(snapshot: Snapshot) -> None:
    assert [str(problem) for problem in lint(snapshot, parse_instant("2026-11-29T12:00:00Z"))] == []
    loaded = load(snapshot)  # runs the tests
    named = {policy for test in loaded.policy_set.tests for policy in test.by or ()}
    assert named == {policy.id for policy in loaded.policy_set.policies}
    assert {test.expect for test in loaded.policy_set.tests} > {"allow"}


def test_the_index_of_recipes_lists_every_recipe() -> None:
    index = (ROOT / "docs/how-to/policies/README.md").read_text()
    assert re.findall(r"^\| .* \| \[.*?\]\((\S+?)\) \|$", index, re.MULTILINE) == list(
        dict.fromkeys(re.findall(r"\]\(((?!\.\.)\S+?)\)", index))
    )
    assert sorted(re.findall(r"\]\(((?!\.\.)\S+?)\)", index)) == [page.name for page in RECIPES]


def test_the_index_reaches_every_page() -> None:
    reached, front = set[Path](), [ROOT / "docs/README.md"]
    while front:
        page = front.pop()
        reached.add(page)
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", _prose(page)):
            path = (page.parent / target).resolve()
            path = path / "README.md" if path.is_dir() else path
            if path.suffix == ".md" and (ROOT / "docs") in path.parents and path not in reached:
                front.append(path)
    assert set((ROOT / "docs").rglob("*.md")) - reached == set()


FROZEN = """\
version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
policies:
  - id: friday-afternoon
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    contact: "#release-managers"
    applies_to: {environments: [production]}
    when: [{always: true}]
"""
"""For the examples of pages: frozen whenever they run."""
OPEN = "version: 1\nenvironments: [production, staging]\npolicies: []\n"

TUTORIAL = ROOT / "docs/tutorial/first-freeze.md"
CONSOLES = [
    page
    for page in PAGES
    if "how-to" in page.parts and re.search("^```console$", page.read_text(), re.MULTILINE)
]


class Started(NamedTuple):
    """A gate for the examples of pages, and what a shell beside it has in its environment."""

    url: str
    environment: dict[str, str]


INCIDENTS = ROOT / "docs/how-to/incidents/README.md"
PAGE_OF_MAIL = {"service": {"id": "PMAIL", "summary": "Mail"}, "teams": []}
"""The incident of the page: what PagerDuty says of it."""


def _integrations(folder: Path) -> Path:
    """The integrations file of the page about incidents."""
    section = re.search(r"^```yaml\n(.*?)^```", INCIDENTS.read_text(), re.MULTILINE | re.DOTALL)
    assert section is not None
    file = folder / "integrations.yaml"
    file.write_text(
        section[1].replace("secret_file: /run/secrets/pagerduty-secret", "secret: a-secret-of-pagerduty")
    )
    return file


@contextlib.contextmanager
def _started(folder: Path, policies: str) -> Iterator[Started]:
    (folder / "gate.yaml").write_text(policies)
    key, database = new_key(), folder / "gate.db"
    given = {"FREEZEGATE_ADMIN_KEY": key, "FREEZEGATE_INTEGRATIONS": str(_integrations(folder))}
    with running(folder / "gate.yaml", database, **given) as gate:
        environment = {
            "FREEZEGATE_URL": gate.url,
            "FREEZEGATE_API_KEY": key,
            "FREEZEGATE_DATABASE_URL": f"sqlite:///{database}",
        }
        yield Started(gate.url, environment)


@pytest.fixture(scope="module")
def frozen_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    with _started(tmp_path_factory.mktemp("frozen"), FROZEN) as started:
        yield started


@pytest.fixture(scope="module")
def open_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    with _started(tmp_path_factory.mktemp("open"), OPEN) as started:
        yield started


@pytest.mark.parametrize("page", CONSOLES, ids=lambda page: page.stem)
def test_the_console_of_a_page_prints_what_the_page_shows(
    page: Path, frozen_gate: Started, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "policies.yaml", tmp_path)
    payload = PAYLOADS["pagerduty"](Event("pagerduty", "P1", True, 0, PAGE_OF_MAIL))
    (tmp_path / "payload.json").write_text(json.dumps(payload))
    with Shell(tmp_path, frozen_gate.environment) as shell:
        _run(page.read_text(), shell)


def _run(text: str, shell: Shell) -> None:
    """Run the console examples of a text; each must print what is shown."""
    for example in examples(text):
        printed = shell.run(example.command)
        assert matches(example.shown, printed), f"$ {example.command}\n{printed}"


def _with(text: str, key: str, entries: str) -> str:
    """Return a policy file with more entries below one of its keys."""
    return re.sub(rf"^{key}:.*\n", lambda line: line[0] + entries, text, flags=re.MULTILINE)


def test_the_tutorial_works(tmp_path: Path) -> None:
    page = TUTORIAL.read_text()
    policy, tests = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    first, rest = page.split("## 2. Ask it")
    second, third = rest.split("## 5. Write a rule")
    policies = tmp_path / "gate/policies.yaml"
    key = new_key()
    with contextlib.ExitStack() as stack:
        shell = stack.enter_context(Shell(tmp_path, {"FREEZEGATE_API_KEY": key}))
        _run(first, shell)
        database = tmp_path / "gate/freezegate.db"
        gate = stack.enter_context(running(policies, database, FREEZEGATE_ADMIN_KEY=key))
        shell.run(f"export FREEZEGATE_URL={gate.url}")
        _run(second, shell)
        replacement = tmp_path / "policies.new"
        replacement.write_text(_with(_with(policies.read_text(), "policies", policy), "tests", tests))
        replacement.replace(policies)
        while httpx.get(f"{gate.url}/policies/demo").status_code == 404:
            time.sleep(0.1)
        _run(third, shell)


def test_the_readmes_check_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    shown = re.search(r"\$ freezegate (check .*)\n((?:.+\n)*?)```", (ROOT / "README.md").read_text())
    assert shown is not None
    at = ["--policies", str(ROOT / "policies.yaml"), "--at", "2026-11-27T14:05:00+01:00"]
    assert run([*shown[1].split(), *at]) == 1
    assert capsys.readouterr().out == shown[2]


def test_the_page_about_identity_names_every_refused_claim() -> None:
    page = (ROOT / "docs/how-to/ci/without-a-secret.md").read_text()
    rows = re.findall(r"^\| (\w+) `(\w+)` \| (.*) \|$", page, re.MULTILINE)
    shown = {(vendor, claim, frozenset(re.findall(r"`(\w+)`", values))) for vendor, claim, values in rows}
    assert shown == {
        (name, claim, values)
        for name, vendor in (("GitHub", github.VENDOR), ("GitLab", gitlab.VENDOR))
        for claim, values in vendor.refused.items()
    }


def _commands() -> Iterator[tuple[str, str]]:
    """Each `freezegate …` of the shell examples of a page, up to the end of the command."""
    for page in PAGES:
        blocks = re.findall(r"^ *```(?:sh|console)\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
        lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
        for part in (part for line in lines for part in re.split(r" && |\|", line.removeprefix("$ "))):
            found = re.match(r"(?:\S+=\S* )?(?:\w+=\$\()?freezegate ([a-z][^>]*)", part.strip())
            if found and not part.startswith("freezegate listens"):
                yield page.name, shlex.join(shlex.split(found[1].rstrip(")"), comments=True))


@pytest.mark.parametrize(("page", "line"), sorted(set(_commands())))
def test_every_command_of_a_page_has_its_options(page: str, line: str) -> None:
    assert page
    command: click.Command = cli
    words = shlex.split(line)
    while isinstance(command, click.Group):
        context = click.Context(command)
        found = command.get_command(context, words.pop(0))
        assert found is not None, line
        command = found
    context = click.Context(command)
    command.make_parser(context).parse_args(words)


def test_every_promise_names_tests_that_exist() -> None:
    table = (ROOT / "SECURITY.md").read_text().partition("## Promises and their tests")[2]
    rows = re.findall(r"^\| (.+) \| (`tests/.+`) \|$", table, re.MULTILINE)
    assert len(rows) >= 9
    for promise, tests in rows:
        for path in re.findall(r"`(tests/\S+\.py)`", tests):
            assert (ROOT / path).exists(), promise


SHELLS: dict[str, dict[str, str]] = {
    "docs/how-to/access.md": {},
    "docs/how-to/calendar-feed.md": {},
    "docs/how-to/rollout-in-steps.md": {},
    "docs/how-to/several-services.md": {},
    "docs/how-to/report-outcomes.md": {"$DECISION_ID": "DECISION_ID=$id"},
    "docs/explanation/record.md": {
        "--against": "cp audit-$(date +%F).jsonl audit-2026-11-01.jsonl",
        "verify_archive.py": f"mkdir -p archive && cp {ROOT}/deploy/verify_archive.py .",
    },
}
"""Pages whose shell examples run one after the other, and what a reader does before a line of them."""


@pytest.mark.parametrize("page", SHELLS)
def test_the_shell_examples_of_a_page_run(page: str, open_gate: Started, tmp_path: Path) -> None:
    deploy = tmp_path / "deploy.sh"
    deploy.write_text("#!/bin/sh\n")
    deploy.chmod(0o755)
    blocks = re.findall(r"^( *```sh\n.*?)^ *```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    with Shell(tmp_path, open_gate.environment) as shell:
        for block in blocks:
            text = textwrap.dedent(block).partition("\n")[2].replace("\\\n", " ")
            for line in [text] if "\nif " in text else text.splitlines():
                for part, command in SHELLS[page].items():
                    if part in line:
                        shell.run(command)
                printed = shell.run(line)
                assert shell.run("echo $?") == "0\n", f"$ {line}\n{printed}"


def _mentions() -> Iterator[tuple[str, str]]:
    """Each page of the documents that a file outside of them names, with that file."""
    folders = ("app", "bench", "clients", "deploy", "findings", "tests")
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.*"))]
    for file in [
        *files,
        ROOT / "Makefile",
        ROOT / "Dockerfile",
        ROOT / "policies.yaml",
        ROOT / "CHANGELOG.md",
    ]:
        if file.is_file() and file.suffix not in (".png", ".pyc", ".woff2"):
            for page in re.findall(r"(?<![\w/])docs/[\w/.-]+\.md\b", file.read_text(errors="replace")):
                yield str(file.relative_to(ROOT)), page


def test_every_page_that_another_file_names_exists() -> None:
    mentions = set(_mentions())
    assert len(mentions) >= 20
    assert [each for each in mentions if not (ROOT / each[1]).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_addresses_its_reader_in_plain_words(page: Path) -> None:
    if "decisions" not in page.parts and page.name != "CHANGELOG.md":
        quaint = re.compile(r"\b(somebody|whoever|anybody|everybody|no good|told)\b", re.IGNORECASE)
        assert quaint.findall(_prose(page)) == []
