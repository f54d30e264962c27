"""CONTRIBUTING.md and ARCHITECTURE.md agree with the tree: each list fits all that exists of its kind."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

import app.api
from app.cli import COMMANDS
from app.core.windows import WindowEntry
from app.identity.oidc import vendors as issuers
from app.integrations.vendors import notifiers, vendors
from app.policies.exporters.formats import FORMATS as EXPORTED
from app.policies.importers.formats import FORMATS as IMPORTED
from app.policies.projections.targets import TARGETS
from app.store.schema import HEAD
from tests.live.gate import ROOT

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
NO_TWIN = {("icalendar", path) for path in ("tests/spec/twin.py", "tests/spec/generate.py", "tests/cases/")}


def _resources() -> dict[str, set[str]]:
    """The files of `app/api`, each with the paths of its routes."""
    names = [each.name for each in pkgutil.iter_modules(app.api.__path__)]
    routers = {name: importlib.import_module(f"app.api.{name}").router for name in names}
    return {name: {route.path for route in router.routes} for name, router in routers.items()}


def _askers() -> dict[str, set[str]]:
    """The vendors that ask about deploys: those with routes, but for the sources of incidents."""
    incidents = {each.stem for each in (ROOT / "docs/how-to/incidents").glob("*.md")}
    asking = {name for name, vendor in vendors().items() if vendor.router is not None}
    # Kubernetes asks with an API key, and doesn't wait.
    return {name: {name} for name in asking - incidents - {"kubernetes"}}


LISTS = {
    "a kind of window": ("KIND", {kind: {kind} for kind in WindowEntry.model_fields}),
    "a format to import": ("FORMAT", {each: {each} for each in IMPORTED}),
    "a format to export": ("FORMAT", {each: {each} for each in EXPORTED}),
    "a target to project to": ("TARGET", {each: {each} for each in TARGETS}),
    "a vendor of notifications": ("VENDOR", {kind: {kind} for kind in notifiers()}),
    "a system that asks in its own words": ("VENDOR", _askers()),
    "a CI system with identity tokens": ("CI", {each: {each} for each in issuers.PREFIXES if each != "oidc"}),
    "a command": ("COMMAND", {command: {command} for command in COMMANDS}),
    "a route": ("RESOURCE", _resources()),
}
"""Each list, its placeholder, and what exists: the name of its files, and the words that others mention."""


def steps(heading: str) -> list[str]:
    """The paths of a list's steps."""
    section = CONTRIBUTING.partition(f"### Add {heading}\n")[2].partition("\n##")[0]
    return re.findall(r"^\d+\. `([^`]+)`", section, re.MULTILINE)


def text_of(path: Path) -> str:
    """The text of a file, or of all files below a folder with their names."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    texts = (
        f"{file.name}\n{file.read_text(errors='replace')}"
        for file in files
        if file.suffix in (".py", ".yaml", ".md", ".json")
    )
    return "\n".join(texts)


def named(path: str, placeholder: str, name: str) -> str:
    """A path with the name for its placeholder; folders of Python code have no hyphens."""
    return path.replace(placeholder, name.replace("-", "_") if path.endswith(".py") else name)


def mentions(text: str, word: str) -> bool:
    """Whether a word, or the path of a route, is in a text; longer words that contain it don't count."""
    before = r"(?<![\w-])" if word[0].isalnum() else ""
    pattern = re.sub(r"\\\{\w+\\\}", r"\\{\\w+\\}", re.escape(word.lower()))
    return re.search(rf"{before}{pattern}(?!\w)", text) is not None


def _cases() -> Iterator[tuple[str, str, str]]:
    for heading, (placeholder, known) in LISTS.items():
        for path in steps(heading):
            assert known
            yield heading, path, placeholder


@pytest.mark.parametrize(("heading", "path", "placeholder"), list(_cases()))
def test_everything_that_exists_follows_its_list(heading: str, path: str, placeholder: str) -> None:
    known = LISTS[heading][1]
    if placeholder in path:
        for name in known:
            assert (ROOT / named(path, placeholder, name)).is_file()
        return
    text = text_of(ROOT / path).lower()
    for name, words in known.items():
        for word in {name} if path == "app/main.py" else words:
            assert (name, path) in NO_TWIN or mentions(text, word), word


@pytest.mark.parametrize("heading", LISTS)
def test_no_file_of_the_kind_is_without_its_list(heading: str) -> None:
    placeholder, known = LISTS[heading]
    patterns = [path for path in steps(heading) if placeholder in path]
    assert patterns
    first = patterns[0]
    others = {
        "app/identity/oidc": {
            "calls",
            "discovery",
            "errors",
            "generic",
            "issuers",
            "keyring",
            "login",
            "people",
            "providers",
            "rule",
            "sign_in_section",
            "tokens",
            "vendor",
            "vendors",
        },
        "docs/how-to/notifications": {"README"},
        "docs/how-to/import": {"README"},
        "docs/how-to/export": {"README"},
        "docs/how-to/project": {"README"},
        "app/policies/projections": {"bounded", "projection", "scope", "single_services", "targets"},
        # A vendor may be in several lists or in none, and some systems ask in our words.
        "app/integrations": {name.replace("-", "_") for name in vendors().keys() - known.keys()},
        "docs/how-to/platforms": {each.stem for each in (ROOT / "docs/how-to/platforms").iterdir()}
        - set(known),
    }
    for pattern in (first, *(each for each in patterns if each.startswith("docs/"))):
        expression = re.escape(pattern).replace(placeholder, r"([^/]+)")
        folder = ROOT / pattern.partition(placeholder)[0]
        found = {
            match[1]
            for file in folder.rglob("*.*")
            if (match := re.fullmatch(expression, str(file.relative_to(ROOT))))
        }
        beside = others.get(str(folder.relative_to(ROOT)), set()) | {"__init__"}
        assert found - beside == {named(pattern, pattern, each) for each in known}


def test_every_column_that_was_added_follows_its_list() -> None:
    paths = steps("a column")
    versions = ROOT / "app/store/migrations/versions"
    added = {
        match[1]
        for file in versions.glob("0*.py")
        for match in re.finditer(r'op\.add_column\("\w+", sa\.Column\("(\w+)"', file.read_text())
    }
    assert len(added) >= 6
    numbers = sorted(file.name.partition("_")[0] for file in versions.glob("0*.py"))
    assert numbers[-1] == HEAD
    for path in paths:
        text = text_of(ROOT / path)
        if path == "app/store/schema.py":
            assert f'"{HEAD}"' in text
        elif path == "CHANGELOG.md":
            newest = re.search(r"new schema \((\d+)\)", text)
            assert newest is not None
            assert newest[1] == HEAD, "the newest release names the schema that it needs"
        elif path == "app/store/records.py":
            both = text + text_of(ROOT / "app/core")
            assert all(re.search(rf"^    {name}: ", both, re.MULTILINE) for name in added)
        elif path == "app/gate/reconciliation.py":
            # It compares freezes by all of their fields; the instant of the head is no event's.
            beside = ("app/gate/decision_rows.py", "app/gate/page_rows.py", "app/core/freeze.py")
            fields = set(re.findall(r"\w+", text + "".join(text_of(ROOT / each) for each in beside)))
            assert added - fields <= {"latest_at"}
        else:
            assert not [name for name in added if not re.search(rf"\b{name}\b", text)], path


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_every_path_that_a_page_names_exists(page: str) -> None:
    paths = re.findall(r"(?<![\w/.])((?:app|tests|docs)/[\w./-]*\w/?)", (ROOT / page).read_text())
    assert len(paths) >= 30
    placeholders = {placeholder for placeholder, _ in LISTS.values()}
    for path in paths:
        if not placeholders & set(re.findall(r"[A-Z]+", path)):
            assert (ROOT / path).exists(), path


def test_the_tree_has_every_package() -> None:
    tree = ARCHITECTURE.partition("```text")[2].partition("```")[0]
    packages = {path.parent.name for path in Path(app.api.__path__[0]).parent.glob("*/__init__.py")}
    assert set(re.findall(r"app/(\w+)(?!\.|\w)", tree)) == packages


def test_the_table_of_threads_has_every_thread_that_is_named() -> None:
    named = set(
        chain.from_iterable(
            re.findall(r'(?:name=|, )"(freezegate-[a-z]+)"', file.read_text())
            for file in (ROOT / "app").rglob("*.py")
            if "Thread" in file.read_text()
        )
    )
    table = ARCHITECTURE.partition("## Threads")[2]
    assert set(re.findall(r"^\| `(freezegate-\w+)`", table, re.MULTILINE)) == named


def test_the_checks_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z-]+)", CONTRIBUTING)) <= targets
