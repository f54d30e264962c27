"""What the documents say is held against what is there."""

import re
import shutil
import time
from pathlib import Path

import httpx
import pytest

from app.cli import run
from app.core.instant import parse_instant
from app.identity.credentials import new_key
from app.policies.lint.lint import lint
from app.policies.load import load
from app.policies.source import Snapshot
from app.settings import PREFIX, Settings
from tests.console import Shell, examples, matches
from tests.live.gate import ROOT, running

PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")]
)


def _prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_internal_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", _prose(page)):
        assert (page.parent / target).exists(), target


def test_the_settings_table_is_true() -> None:
    found = re.findall(r"^\| `(FREEZEGATE_\w+)` \|(.*?)\|", (ROOT / "README.md").read_text(), re.MULTILINE)
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
    assert len(rows) == 8


def test_the_readmes_curls_do_what_it_says(tmp_path: Path) -> None:
    asked = re.findall(
        r'curl -f "http://127.0.0.1:1400(\S+at=\S+)" +# (\d+)', (ROOT / "README.md").read_text()
    )
    assert [status for _, status in asked] == ["200", "423"]
    with running(ROOT / "policies.yaml", tmp_path / "gate.db") as gate:
        for path, status in asked:
            assert httpx.get(gate.url + path).status_code == int(status)


def test_the_readmes_calendar_is_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("app.clock.SystemClock.now", lambda _: parse_instant("2026-11-23T23:30:00Z"))
    shown = re.search(
        r"\$ freezegate (calendar --weeks 1)\n((?:.*\n)*?)```", (ROOT / "README.md").read_text()
    )
    assert shown is not None
    assert run([*shown[1].split(), "--policies", str(ROOT / "policies.yaml")]) == 0
    assert capsys.readouterr().out == shown[2]


def test_every_room_that_the_readme_names_exists() -> None:
    table = (ROOT / "README.md").read_text().partition("## Find your way")[2].partition("How it works")[0]
    paths = re.findall(r"`(app/[\w/.]+)`", table)
    assert len(paths) >= 10
    assert all((ROOT / path).exists() for path in paths)


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

TUTORIAL = ROOT / "docs/tutorial/first-freeze.md"
CONSOLES = [
    page
    for page in PAGES
    if "how-to" in page.parts and re.search("^```console$", page.read_text(), re.MULTILINE)
]


@pytest.mark.parametrize("page", CONSOLES, ids=lambda page: page.stem)
def test_the_console_of_a_page_prints_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    frozen = tmp_path / "frozen.yaml"
    frozen.write_text(FROZEN)
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(ROOT / "policies.yaml", work)
    key = new_key()
    with (
        running(frozen, tmp_path / "gate.db", FREEZEGATE_ADMIN_KEY=key) as gate,
        Shell(work, {"FREEZEGATE_URL": gate.url, "FREEZEGATE_API_KEY": key}) as shell,
    ):
        for example in examples(page.read_text()):
            printed = shell.run(example.command)
            assert matches(example.shown, printed), f"$ {example.command}\n{printed}"


def test_the_tutorial_works(tmp_path: Path) -> None:
    page = TUTORIAL.read_text()
    policies = tmp_path / "policies.yaml"
    shutil.copy(ROOT / "policies.yaml", policies)
    policy, tests = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    before, after = page.split("## 5. Write a rule")
    key = new_key()
    with (
        running(policies, tmp_path / "freezegate.db", FREEZEGATE_ADMIN_KEY=key) as gate,
        Shell(tmp_path, {"FREEZEGATE_URL": gate.url, "FREEZEGATE_API_KEY": key}) as shell,
    ):
        for example in examples(before):
            printed = shell.run(example.command)
            assert matches(example.shown, printed), f"$ {example.command}\n{printed}"
        text = re.sub(
            r"^policies:.*\n", lambda line: line[0] + policy, policies.read_text(), flags=re.MULTILINE
        )
        text = re.sub(r"^tests:.*\n", lambda line: line[0] + tests, text, flags=re.MULTILINE)
        replacement = tmp_path / "policies.new"
        replacement.write_text(text)
        replacement.replace(policies)
        while httpx.get(f"{gate.url}/policies/demo").status_code == 404:
            time.sleep(0.1)
        for example in examples(after):
            printed = shell.run(example.command)
            assert matches(example.shown, printed), f"$ {example.command}\n{printed}"
