"""The reference pages are what the models, the OpenAPI document, the commands and the settings say."""

import re
from collections.abc import Iterator
from typing import Any

import click
import pytest

from app.cli import COMMANDS
from app.gate.audit_events import Kind
from app.policies.schema import schema
from tests.docs.commands import leaves
from tests.docs.reference import FOLDER, PAGES, rendered


@pytest.mark.parametrize("page", sorted(PAGES))
def test_the_generated_parts_of_a_page_are_what_the_code_says(page: str) -> None:
    assert (FOLDER / page).read_text(encoding="utf-8") == rendered(page), "run: make reference"


@pytest.mark.parametrize("page", sorted(path.name for path in FOLDER.glob("*.md")))
def test_every_link_within_the_reference_leads_to_a_heading(page: str) -> None:
    targets = re.findall(r"\]\(([\w-]+\.md)?#([\w-]+)\)", (FOLDER / page).read_text(encoding="utf-8"))
    assert [target for target in targets if target[1] not in _anchors(target[0] or page)] == []


def test_every_notation_of_the_policy_file_is_explained() -> None:
    rows = dict(_notation())
    assert {part["title"] for part in _texts(schema())} == rows.keys()


def test_the_examples_of_each_notation_are_in_it() -> None:
    rows = dict(_notation())
    checked = 0
    for title, examples in rows.items():
        for pattern in _patterns(title):
            assert [each for each in examples if not re.search(pattern, each)] == [], (title, pattern)
            checked += 1
    assert checked >= 9


def _anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", (FOLDER / page).read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def _notation() -> list[tuple[str, list[str]]]:
    section = (FOLDER / "policies.md").read_text(encoding="utf-8").partition("## Notation")[2]
    rows = re.findall(r"^\| ([\w ]+) \| .* \| (`.*`) \|$", section.partition("\n## ")[0], re.MULTILINE)
    return [(title, re.findall(r"`([^`]+)`", examples)) for title, examples in rows]


def _patterns(title: str) -> set[str]:
    return {part["pattern"] for part in _texts(schema()) if part["title"] == title and "pattern" in part}


def _texts(part: Any) -> Iterator[dict[str, Any]]:
    """Yield every part of a schema that a notation is named for."""
    if isinstance(part, dict):
        if isinstance(part.get("title"), str) and part.get("type") == "string":
            yield part
        for each in part.values():
            yield from _texts(each)
    elif isinstance(part, list):
        for each in part:
            yield from _texts(each)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_its_exit_statuses_and_every_option_what_it_does(name: str) -> None:
    for full, command in leaves(name):
        assert (command.epilog or "").startswith("Exit status: 0 "), full
        assert [
            each.name for each in command.params if isinstance(each, click.Option) and not each.help
        ] == []


def test_each_kind_of_event_is_in_the_reference() -> None:
    page = (FOLDER / "api.md").read_text()
    assert [each.value for each in Kind if f"`{each.value}`" not in page] == []
