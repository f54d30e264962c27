"""The systems that ask again and again, set up as their pages say.

Each is a small reading of the rules in its own documentation, applied to real answers of the gate and to what else
may answer at its address. Only an allow of that very deploy may let it go on, and a denial may not end those
that are said to wait.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx
import pytest
import yaml

from tests.clients.conftest import reply
from tests.clients.test_pages import FROZEN, OPEN, the_one
from tests.live.gate import Gate, running

GO, WAIT, STOP = "go", "wait", "stop"


class Answer(NamedTuple):
    status: int
    body: str

    @property
    def parsed(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return {}


class Poller(NamedTuple):
    url: str
    reads: Callable[[Answer], str]
    on_deny: str


class _Names(dict[str, Any]):
    """A mapping whose members are attributes, as in expr-lang; what is missing is None."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)


def names(value: Any) -> Any:
    return _Names({key: names(each) for key, each in value.items()}) if isinstance(value, dict) else value


def holds(expression: str, **variables: Any) -> bool:
    """Evaluate an expression of comparisons joined by `&&`, with at most one `… ? … : …`."""
    text = " ".join(expression.split())
    choice = re.fullmatch(r"(.*) \? (.*) : (.*)", text)
    if choice:
        text = f"({choice[2]}) if ({choice[1]}) else ({choice[3]})"
    for theirs, ours in (("&&", " and "), ("true", "True"), ("nil", "None")):
        text = text.replace(theirs, ours)
    tree = ast.parse(text, mode="eval")
    allowed = (
        ast.Expression, ast.BoolOp, ast.And, ast.Compare, ast.Eq, ast.NotEq, ast.IfExp, ast.Attribute, ast.Name,
        ast.Load, ast.Constant,
    )  # fmt: skip
    assert all(isinstance(node, allowed) for node in ast.walk(tree)), text
    return bool(eval(compile(tree, "page", "eval"), {}, variables))  # noqa: S307 - comparisons only, see above


def kargo() -> Poller:
    (step,) = yaml.safe_load(the_one("docs/how-to/ci/kargo.md", "yaml", "uses: http"))["steps"]
    config = step["config"]
    assert config["method"] == "GET"
    assert "failureExpression" not in config
    assert step["retry"]["errorThreshold"] > 100, "by default, the first request without an answer fails it"

    def reads(answer: Answer) -> str:
        response = names({"status": answer.status, "body": answer.parsed})
        return GO if holds(config["successExpression"], response=response) else WAIT

    return Poller(config["url"], reads, WAIT)


def gitops_promoter() -> Poller:
    spec = yaml.safe_load(the_one("docs/how-to/ci/gitops-promoter.md", "yaml", "WebRequestCommitStatus"))["spec"]
    assert spec["httpRequest"]["method"] == "GET"
    assert spec["reportOn"] == "active"
    expression = spec["success"]["when"]["expression"]
    assert holds(expression, Response=None, Phase="success")
    assert not holds(expression, Response=None, Phase="")

    def reads(answer: Answer) -> str:
        response = names({"StatusCode": answer.status, "Body": answer.parsed})
        return GO if holds(expression, Response=response, Phase="success") else WAIT

    return Poller(spec["httpRequest"]["urlTemplate"], reads, WAIT)


def spinnaker() -> Poller:
    stage = json.loads(the_one("docs/how-to/ci/spinnaker.md", "json", "webhook"))
    assert (stage["method"], stage["statusUrlResolution"]) == ("GET", "getMethod")
    path = stage["statusJsonPath"].removeprefix("$.")
    successes = stage["successStatuses"].split(",")

    def reads(answer: Answer) -> str:
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status >= 500:
            return WAIT
        if not 200 <= answer.status < 300:
            return STOP
        return GO if answer.parsed.get(path) in successes else WAIT

    return Poller(stage["url"], reads, WAIT)


def argo_rollouts() -> Poller:
    template = yaml.safe_load(the_one("docs/how-to/ci/argo-rollouts.md", "yaml", "AnalysisTemplate"))
    (metric,) = template["spec"]["metrics"]
    condition = metric["successCondition"].replace("{{args.service}}", "checkout")

    def reads(answer: Answer) -> str:
        if not 200 <= answer.status < 300:
            return STOP
        return GO if holds(condition, result=names(answer.parsed)) else STOP

    return Poller(metric["provider"]["web"]["url"].replace("{{args.service}}", "checkout"), reads, STOP)


POLLERS = {each.__name__: each() for each in (kargo, gitops_promoter, spinnaker, argo_rollouts)}
EVERY = pytest.mark.parametrize("name", POLLERS)


@pytest.fixture(scope="module")
def gates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Gate]]:
    folder = tmp_path_factory.mktemp("gates")
    (folder / "open.yaml").write_text(OPEN)
    (folder / "frozen.yaml").write_text(FROZEN)
    with (
        running(folder / "open.yaml", folder / "open.db") as opened,
        running(folder / "frozen.yaml", folder / "frozen.db") as frozen,
    ):
        yield {"open": opened, "frozen": frozen}


def ask(poller: Poller, gate: Gate) -> Answer:
    path = re.sub(r"^https?://[^/]+", "", poller.url)
    answer = httpx.get(gate.url + path, timeout=20, trust_env=False)
    return Answer(answer.status_code, answer.text)


@EVERY
def test_an_open_gate_lets_it_go_on_and_a_frozen_one_does_not(name: str, gates: dict[str, Gate]) -> None:
    poller = POLLERS[name]
    assert poller.reads(ask(poller, gates["open"])) == GO
    assert poller.reads(ask(poller, gates["frozen"])) == poller.on_deny


@EVERY
@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, ""),
        Answer(200, "<html>Sign in</html>"),
        Answer(302, ""),
        Answer(401, '{"status": 401}'),
        Answer(429, '{"status": 429}'),
        Answer(500, ""),
        Answer(503, reply(service="checkout")),
        Answer(423, reply(service="checkout", allowed=False, outcome="deny")),
        Answer(200, reply(service="checkout", allowed=False, outcome="deny")),
    ],
    ids=lambda answer: f"{answer.status} {answer.body[:12]}",
)
def test_whatever_else_answers_does_not_let_it_go_on(name: str, answer: Answer) -> None:
    assert POLLERS[name].reads(answer) != GO


@pytest.mark.parametrize("name", [name for name in POLLERS if name != "spinnaker"])
@pytest.mark.parametrize("other", [{"service": "search"}, {"environment": "staging"}, {"change": "rollback"}])
def test_an_allow_of_another_deploy_does_not_count(name: str, other: dict[str, str]) -> None:
    answer = Answer(200, reply(**{"service": "checkout", **other}))
    assert POLLERS[name].reads(Answer(200, reply(service="checkout"))) == GO
    assert POLLERS[name].reads(answer) != GO


@EVERY
def test_asking_a_hundred_times_counts_no_deploy(name: str, gates: dict[str, Gate]) -> None:
    for _ in range(100):
        ask(POLLERS[name], gates["frozen"])
    insights = httpx.get(f"{gates['frozen'].url}/decisions", timeout=20, trust_env=False)
    assert insights.json()["decisions"] == []
