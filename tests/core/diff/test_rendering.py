"""The forms of a difference."""

import json

import pytest

from app.core.diff import Difference, rendering, to_json
from app.core.diff.rendering import JSON, MARKDOWN, SVG, Compared, render
from app.core.instant import DAY, HOUR
from tests.core.diff.test_markdown import HOME, group, hours, made

TIMES = tuple(hours(day * DAY, HOUR) for day in range(25))
FOUND = made(
    Difference(("env-0",), ("normal",), group("a"), TIMES),
    Difference(("env-1",), ("normal",), group("b"), TIMES[:1]),
)


def test_json_that_is_written_in_pieces_is_the_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    for together in (1, 7, 25, 1_000):
        monkeypatch.setattr(rendering, "_TOGETHER", together)
        for found in (FOUND, made()):
            text = render(Compared(found, HOME, "sha256:0", "sha256:1"), JSON)
            assert json.loads(text) == to_json(found, HOME, "sha256:0", "sha256:1")


def test_each_form_has_its_own_text() -> None:
    compared = Compared(FOUND, HOME, "", "")
    assert render(compared, MARKDOWN).startswith("### Opens ")
    assert render(compared, SVG).startswith("<svg ")
