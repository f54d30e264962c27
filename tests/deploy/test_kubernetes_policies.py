"""The policies for clusters without the webhook, evaluated with real CEL and Rego over a projection."""

import random
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from app.core.decision import Question
from app.core.engine import Engine
from app.core.instant import DAY, HOUR, parse_instant
from app.policies.load import load
from app.policies.projections.kubernetes import project
from app.policies.projections.projection import ProjectionOptions, ProjectionScope
from app.policies.source import Snapshot
from tests.deploy.admission import ADMITTED, FAILED, Gatekeeper, Kyverno, documents, selected, vap_refusal
from tests.integrations.kubernetes.reviews import changed, review, workload
from tests.live.gate import ROOT

POLICIES: Final = (ROOT / "policies.yaml").read_text().replace("#release-managers", "#releases")
NAME: Final = ("freezegate", "freezegate-production")
NOW: Final = parse_instant("2026-11-30T06:00:00Z")
FROZEN: Final = parse_instant("2026-12-04T13:00:00Z")
OPEN: Final = parse_instant("2026-12-03T13:00:00Z")
BEFORE: Final = workload()
ROLLOUT: Final = review(changed(BEFORE, "checkout:2"), BEFORE)["request"]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load(Snapshot.of(POLICIES)).engine


def config_map(engine: Engine, now: int = NOW, days: int = 90) -> dict[str, Any]:
    (window,) = project(engine, ProjectionOptions(now, days, [ProjectionScope()])).windows
    return {"metadata": {"name": window["name"]}, "data": dict(window["data"])}


def marked(before: str | None, after: str | None) -> dict[str, Any]:
    """A rollout from an object with one mark to an object with another."""
    old = workload(annotations={"freezegate.dev/change": before} if before else {})
    new = changed(old, "checkout:2", annotations={"freezegate.dev/change": after} if after else {})
    request: dict[str, Any] = review(new, old)["request"]
    return request


DEPLOYS: Final = {
    "rollout": ROLLOUT,
    "creation": review(workload())["request"],
    "job": review(workload("Job"))["request"],
    "cronjob": review(changed(workload("CronJob"), "checkout:2"), workload("CronJob"))["request"],
    "stateful set": review(changed(workload("StatefulSet"), "x:2"), workload("StatefulSet"))["request"],
    "daemon set": review(changed(workload("DaemonSet"), "x:2"), workload("DaemonSet"))["request"],
    "argo rollout": review(changed(workload("Rollout"), "x:2"), workload("Rollout"))["request"],
    "dry run": ROLLOUT | {"dryRun": True},
    "old mark": marked("rollback", "rollback"),
}
PASSES: Final = {
    "scale by HPA": review(changed(BEFORE), BEFORE, subresource="scale")["request"],
    "status": review(changed(BEFORE, "x:2"), BEFORE, subresource="status")["request"],
    "replicas": review({**BEFORE, "spec": BEFORE["spec"] | {"replicas": 9}}, BEFORE)["request"],
    "annotation": review(changed(BEFORE, annotations={"a": "b"}), BEFORE)["request"],
    "eviction": review(workload("Pod"), subresource="eviction")["request"],
    "pod": review(workload("Pod"))["request"],
    "run of a cronjob": review(workload("Job", ownerReferences=[{"controller": True}]))["request"],
    "schedule of a cronjob": review(workload("CronJob"), workload("CronJob"))["request"],
    "deletion": review(None, BEFORE)["request"],
    "rollback": marked(None, "rollback"),
    "another rollback": marked("rollback", "rollback INC-4711"),
}


def refusals(data: Mapping[str, Any], at: int, request: Mapping[str, Any]) -> dict[str, str | None]:
    """What each engine says."""
    maps = {NAME: data}
    return {
        "kyverno": Kyverno(maps, lambda: at).refusal(request),
        "gatekeeper": Gatekeeper(maps, lambda: at).refusal(request),
        "vap": vap_refusal(request, data),
    }


@pytest.mark.parametrize("what", DEPLOYS)
def test_a_deploy_is_denied_in_a_freeze_and_admitted_outside(engine: Engine, what: str) -> None:
    told = refusals(config_map(engine, FROZEN), FROZEN, DEPLOYS[what])
    assert set(told.values()) == {
        "production is frozen: No deploys after Friday 14:00. Opens Mon 7 Dec 08:00 CET. Ask #releases."
    }
    assert set(refusals(config_map(engine, OPEN), OPEN, DEPLOYS[what]).values()) == {ADMITTED}


@pytest.mark.parametrize("what", PASSES)
def test_what_is_no_deploy_passes_and_so_does_a_rollback(engine: Engine, what: str) -> None:
    assert set(refusals(config_map(engine, FROZEN), FROZEN, PASSES[what]).values()) == {ADMITTED}


def test_a_rollback_is_denied_where_policies_exempt_none(engine: Engine) -> None:
    year_end = parse_instant("2027-01-02T11:00:00Z")
    told = refusals(config_map(engine, year_end), year_end, marked(None, "rollback"))
    assert set(told.values()) == {
        "production is frozen: Year-end freeze. Opens Mon 4 Jan 00:00 CET. Ask #finance-it."
    }


def read(data: Mapping[str, str], change: str, now: int) -> bool:
    """Whether a deploy is admitted, by a reading of the ConfigMap that shares no code with the policies."""
    if data["format"] != "1" or now >= int(data["valid_until_seconds"]) or f"horizon.{change}" not in data:
        return False
    spans = [line.split()[:2] for line in data[f"horizon.{change}"].splitlines()]
    return not any(int(start) <= now < int(end) for start, end in spans)


@pytest.mark.parametrize("change", ["normal", "hotfix", "rollback"])
def test_a_gate_that_is_dead_for_three_days_leaves_no_wrong_answer(engine: Engine, change: str) -> None:
    """Over 10,000 instants, half of them within two seconds of a flip."""
    wrong = [
        at
        for died, instants in _outages(engine, change, outages=20, instants=500)
        for data in [config_map(engine, died)["data"]]
        for at in instants
        if read(data, change, at) != engine.decide(Question("api", "production", change), at).allowed
    ]
    assert not wrong


@pytest.mark.parametrize(("outages", "instants"), [(4, 40), pytest.param(20, 250, marks=pytest.mark.long)])
@pytest.mark.parametrize("change", ["normal", "rollback"])
def test_nor_do_kyverno_and_gatekeeper_give_one(
    engine: Engine, change: str, outages: int, instants: int
) -> None:
    request = marked(None, change) if change == "rollback" else ROLLOUT
    for died, sampled in _outages(engine, change, outages, instants):
        clock = _Clock(died)
        maps = {NAME: config_map(engine, died)}
        kyverno, gatekeeper = Kyverno(maps, clock), Gatekeeper(maps, clock)
        for at in sampled:
            clock.at = at
            expected = engine.decide(Question("api", "production", change), at).allowed
            assert (kyverno.refusal(request) is ADMITTED) == expected, at
            assert (gatekeeper.refusal(request) is ADMITTED) == expected, at


@pytest.mark.parametrize("what", ["too old", "missing", "another format", "unknown change"])
def test_on_doubt_a_deploy_is_denied(engine: Engine, what: str) -> None:
    found, at = config_map(engine), OPEN
    request = marked(None, "hurry") if what == "unknown change" else ROLLOUT
    if what == "too old":
        found = config_map(engine, OPEN - DAY, days=1)
        assert read(found["data"], "normal", OPEN - 15 * HOUR)
        told = refusals(found, at, request)
        assert "older than it says" in str(told["kyverno"])
        assert "older than it says" in str(told["gatekeeper"])
        assert told["vap"] is ADMITTED, "it has no clock: this is the hole that its page tells of"
        return
    if what == "missing":
        assert Kyverno({}, lambda: at).refusal(request) == FAILED
        assert "missing" in str(Gatekeeper({}, lambda: at).refusal(request))
        assert "names no ConfigMap" in str(vap_refusal(request, None))
        return
    if what == "another format":
        found["data"]["format"] = "2"
    told = refusals(found, at, request)
    assert None not in told.values()
    assert "ConfigMap" in str(told["gatekeeper"])


@pytest.mark.parametrize("name", ["validatingadmissionpolicy", "kyverno", "gatekeeper"])
def test_the_gate_and_the_system_are_left_alone(name: str) -> None:
    found = documents(f"policies/{name}.yaml")
    match = {
        "validatingadmissionpolicy": lambda: found["ValidatingAdmissionPolicyBinding"]["spec"][
            "matchResources"
        ],
        "kyverno": lambda: found["ValidatingPolicy"]["spec"]["matchConstraints"],
        "gatekeeper": lambda: found["Freezegate"]["spec"]["match"],
    }[name]()
    label = {"freezegate.dev/environment": "production"}
    selector = match["namespaceSelector"]
    assert selected(selector, label | {"kubernetes.io/metadata.name": "shop"})
    assert not selected(selector, {"kubernetes.io/metadata.name": "shop"})
    for namespace in ("freezegate", "kube-system"):
        assert not selected(selector, label | {"kubernetes.io/metadata.name": namespace})


class _Clock:
    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


def _outages(engine: Engine, change: str, outages: int, instants: int) -> Iterator[tuple[int, list[int]]]:
    """Instants at which the gate died, and for each some of the 72 hours after it."""
    dice = random.Random(f"{change} {outages}")
    scope = engine.environment("production", change)
    for _ in range(outages):
        died = NOW + dice.randrange(80 * DAY)
        flips = [each.start for each in scope.segments(died, died + 3 * DAY)]
        near = [dice.choice(flips) + dice.randint(-2, 2) for _ in range(instants // 2)]
        anywhere = [died + dice.randrange(3 * DAY) for _ in range(instants - len(near))]
        yield died, [max(died, at) for at in (*near, *anywhere)]
