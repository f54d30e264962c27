"""Answers kept for a second: how many, and for how long."""

from pathlib import Path
from typing import Any

import pytest

from app.gate.in_force import Policies
from app.policies.source import Source
from app.server import response_cache
from app.server.metrics import Metrics
from app.server.response_cache import DecisionResponse, ResponseCache
from tests.api.fakes import FakeClock

NOW = 1_795_784_700
ANSWER = DecisionResponse(200, [], b"{}", "allow", "")


@pytest.fixture
def policies(tmp_path: Path) -> Policies:
    file = tmp_path / "policies.yaml"
    file.write_text("version: 1\npolicies: []\n")
    loaded = Policies()
    loaded.load(Source(file), NOW)
    return loaded


def kept(answers: ResponseCache, query: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> bool:
    scope: dict[str, Any] = {
        "path": "/can-deploy",
        "method": "GET",
        "headers": headers,
        "query_string": query,
    }
    return answers._find(scope) is not None


def test_no_more_answers_are_kept_than_the_bound_and_those_kept_stay(policies: Policies) -> None:
    clock = FakeClock(NOW)
    answers = ResponseCache("/can-deploy", clock, policies, Metrics(policies, clock))
    for number in range(response_cache.MOST_KEPT + 1):
        answers.keep(b"service=s%d" % number, (NOW, policies.in_force), ANSWER)
    assert kept(answers, b"service=s0")
    assert kept(answers, b"service=s%d" % (response_cache.MOST_KEPT - 1))
    assert not kept(answers, b"service=s%d" % response_cache.MOST_KEPT)


def test_an_answer_counts_for_its_second_and_for_callers_without_credentials(policies: Policies) -> None:
    clock = FakeClock(NOW)
    answers = ResponseCache("/can-deploy", clock, policies, Metrics(policies, clock))
    answers.keep(b"service=api", (NOW, policies.in_force), ANSWER)
    assert kept(answers, b"service=api")
    for header in (b"authorization", b"x-override-token"):
        assert not kept(answers, b"service=api", ((header, b"x"),))
    clock.at += 1
    assert not kept(answers, b"service=api")
    answers.keep(b"service=web", (NOW + 1, policies.in_force), ANSWER)
    assert kept(answers, b"service=web")
    assert not kept(answers, b"service=api"), "those of the second before are forgotten"
