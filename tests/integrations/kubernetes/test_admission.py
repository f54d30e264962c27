"""The validating webhook of Kubernetes."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.instant import format_instant, parse_instant
from app.gate.keys import KeyRequest
from app.identity.caller import Role
from app.integrations.integrations import IntegrationsFileError, read_integrations_file
from app.integrations.kubernetes.message import allow, deny
from app.integrations.kubernetes.route import LARGEST_REVIEW
from app.main import create_app
from app.settings import Settings
from tests.api.conftest import POLICIES, bearer, key_for
from tests.api.fakes import FakeClock
from tests.integrations.kubernetes.reviews import UID, changed, review, workload

ROUTE = "/integrations/kubernetes/admission"
FROZEN = parse_instant("2026-11-27T13:05:00Z")
LUNCH = parse_instant("2026-11-25T11:30:00Z")
OPEN = parse_instant("2026-11-25T13:05:00Z")
SECTION = """\
kubernetes:
  environments:
    shop: production
    shop-*: staging
    lost: nowhere
"""
BEFORE = workload()
AFTER = changed(BEFORE, "checkout:2")


@pytest.fixture(scope="module")
def module_clock() -> FakeClock:
    return FakeClock(FROZEN)


@pytest.fixture(scope="module")
def module_gate(tmp_path_factory: pytest.TempPathFactory, module_clock: FakeClock) -> Iterator[TestClient]:
    """A gate that the tests leave as it was: a review changes nothing."""
    yield from gate_with(tmp_path_factory.mktemp("gate"), module_clock, SECTION)


@pytest.fixture
def clock(module_clock: FakeClock) -> FakeClock:
    module_clock.at = FROZEN
    return module_clock


@pytest.fixture
def gate(module_gate: TestClient, clock: FakeClock) -> TestClient:
    assert clock.at == FROZEN
    return module_gate


def gate_with(folder: Path, clock: FakeClock, section: str, **more: Any) -> Iterator[TestClient]:
    (folder / "policies.yaml").write_text(POLICIES)
    (folder / "integrations.yaml").write_text(section)
    chosen = Settings(
        policies=folder / "policies.yaml",
        database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}"),
        integrations=folder / "integrations.yaml",
        **more,
    )
    with TestClient(create_app(chosen, clock=clock)) as client:
        yield client


def ask(gate: TestClient, body: Any) -> dict[str, Any]:
    """The response to a review, which is always a well-formed answer with status 200."""
    reply = gate.post(f"{ROUTE}?timeout=10s", json=body)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/json"
    told = reply.json()
    assert (told["apiVersion"], told["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert told["response"]["uid"] == UID
    response: dict[str, Any] = told["response"]
    return response


def test_a_frozen_rollout_is_denied_with_reason_contact_and_opening_time(gate: TestClient) -> None:
    told = ask(gate, review(AFTER, BEFORE))
    assert told["allowed"] is False
    assert told["status"] == {
        "code": 403,
        "message": "checkout may not be deployed to production: No deploys after Friday 14:00. "
        "Opens Mon 30 Nov 08:00 CET, in 2 d 17 h 55 min. Ask #release-managers.",
    }


def test_an_open_gate_lets_a_rollout_through(gate: TestClient, clock: FakeClock) -> None:
    clock.at = OPEN
    assert ask(gate, review(AFTER, BEFORE)) == {"uid": UID, "allowed": True}


def test_a_warning_goes_to_whoever_deploys(gate: TestClient, clock: FakeClock) -> None:
    clock.at = LUNCH
    told = ask(gate, review(AFTER, BEFORE))
    assert told == {"uid": UID, "allowed": True, "warnings": ["lunch: It is lunch time"]}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "Rollout"])
def test_every_kind_with_a_pod_template_is_a_deploy(gate: TestClient, kind: str) -> None:
    made = workload(kind)
    assert ask(gate, review(made))["allowed"] is False
    assert ask(gate, review(changed(made, "checkout:2"), made))["allowed"] is False
    assert ask(gate, review(changed(made, labels={"team": "shop"}), made))["allowed"] is True


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("scaled by HPA", review(changed(BEFORE), BEFORE, subresource="scale")),
        ("status", review(AFTER, BEFORE, subresource="status")),
        ("replicas", review({**BEFORE, "spec": BEFORE["spec"] | {"replicas": 9}}, BEFORE)),
        ("annotated", review(changed(BEFORE, annotations={"a": "b"}), BEFORE)),
        ("evicted", review(workload("Pod"), subresource="eviction")),
        ("a pod that comes back", review(workload("Pod"))),
        ("deleted", review(None, BEFORE)),
        ("a job of a CronJob", review(workload("Job", ownerReferences=[{"controller": True}]))),
        ("a ReplicaSet", review(workload("ReplicaSet", ownerReferences=[{"controller": True}]))),
    ],
)
def test_what_is_no_deploy_is_never_stopped(gate: TestClient, what: str, body: dict[str, Any]) -> None:
    assert ask(gate, body) == {"uid": UID, "allowed": True}, what


def test_an_object_of_another_kind_is_a_deploy_if_its_spec_changes(gate: TestClient) -> None:
    before = {"kind": "HelmRelease", "metadata": {"name": "checkout", "namespace": "shop"}, "spec": {"v": 1}}
    assert ask(gate, review(before, before))["allowed"] is True
    assert ask(gate, review({**before, "spec": {"v": 2}}, before))["allowed"] is False
    assert ask(gate, review({**before, "spec": {}}, {**before, "spec": {}}))["allowed"] is False


@pytest.mark.parametrize("kind", [None, [], {"kind": []}, {"kind": {}}])
def test_a_kind_that_cannot_be_read_is_a_deploy(gate: TestClient, kind: Any) -> None:
    assert ask(gate, review(AFTER, BEFORE, kind=kind))["allowed"] is False


def test_the_service_is_in_an_annotation_a_label_or_the_name(gate: TestClient) -> None:
    for metadata in (
        {"annotations": {"freezegate.dev/service": "docs-site"}},
        {"labels": {"app.kubernetes.io/name": "docs-site"}},
        {"name": "docs-site"},
        {"name": "", "generateName": "docs-site-"},
    ):
        assert ask(gate, review(workload(**metadata)))["allowed"] is True, metadata
    kept = workload(annotations={"freezegate.dev/service": "docs-site"})
    undone = changed(kept, "checkout:0", annotations={})
    assert ask(gate, review(undone, kept))["allowed"] is True, "rollout undo drops annotations"


def test_the_label_of_the_service_can_be_another(tmp_path: Path, clock: FakeClock) -> None:
    for client in gate_with(tmp_path, clock, "kubernetes: {service_label: app}\n"):
        assert ask(client, review(workload(labels={"app": "docs-site"})))["allowed"] is True
        assert ask(client, review(AFTER, BEFORE))["allowed"] is False, "without a table all is production"


def test_namespaces_are_environments(gate: TestClient) -> None:
    assert ask(gate, review(AFTER, BEFORE, namespace="shop-eu"))["allowed"] is True
    assert ask(gate, review(AFTER, BEFORE, namespace="shop"))["allowed"] is False
    for namespace, why in (("other", "no entry of kubernetes.environments"), ("lost", "unknown environment")):
        told = ask(gate, review(AFTER, BEFORE, namespace=namespace))
        assert told["allowed"] is False
        assert why in told["status"]["message"]
    told = ask(gate, review({**AFTER, "metadata": {"name": "x"}}, BEFORE, namespace=None))
    assert "no namespace" in told["status"]["message"]


def test_a_rollback_passes_once(gate: TestClient) -> None:
    marked = changed(AFTER, "checkout:1", annotations={"freezegate.dev/change": "rollback"})
    assert ask(gate, review(marked, AFTER))["allowed"] is True
    assert ask(gate, review(changed(marked, "checkout:3"), marked))["allowed"] is False, "it was there before"
    again = changed(marked, "checkout:3", annotations={"freezegate.dev/change": "rollback INC-4711"})
    assert ask(gate, review(again, marked))["allowed"] is True
    by_label = changed(AFTER, "checkout:1", labels={"freezegate.dev/change": "rollback"})
    assert ask(gate, review(by_label, AFTER))["allowed"] is True


def test_a_mark_with_an_instant_counts_until_then_even_if_undo_drops_it(
    gate: TestClient, clock: FakeClock
) -> None:
    until = f"rollback until {format_instant(FROZEN + 600)}"
    marked = changed(AFTER, annotations={"freezegate.dev/change": until})
    undone = changed(marked, "checkout:1", annotations={})
    assert ask(gate, review(undone, marked))["allowed"] is True
    assert ask(gate, review(changed(marked, "checkout:1"), AFTER))["allowed"] is True
    clock.at = FROZEN + 600
    assert ask(gate, review(undone, marked))["allowed"] is False
    assert ask(gate, review(changed(marked, "checkout:1"), AFTER))["allowed"] is False


@pytest.mark.parametrize(
    ("mark", "why"),
    [
        ("hurry", "unknown change"),
        ("", "begins with the kind of change"),
        ("Rollback!", "begins with the kind of change"),
        ("rollback until tomorrow", "what follows until is not an RFC 3339"),
        ("rollback until 2026-11-27T15:00:00Z", "more than an hour ahead"),
    ],
)
def test_a_mark_that_cannot_be_read_is_a_deny_that_says_so(gate: TestClient, mark: str, why: str) -> None:
    told = ask(gate, review(changed(AFTER, annotations={"freezegate.dev/change": mark}), BEFORE))
    assert told["allowed"] is False
    assert why in told["status"]["message"]
    assert "Rollback!" not in told["status"]["message"]


def test_a_dry_run_is_answered_the_same_and_leaves_no_trace(gate: TestClient) -> None:
    before = gate.get("/metrics").text
    dry = ask(gate, review(AFTER, BEFORE, dryRun=True))
    assert _decisions(gate.get("/metrics").text) == _decisions(before)
    assert ask(gate, review(AFTER, BEFORE)) == dry
    assert _decisions(gate.get("/metrics").text) != _decisions(before)


def _decisions(page: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith("freezegate_decisions_total")]


def test_a_review_is_no_claim(gate: TestClient) -> None:
    for _ in range(20):
        ask(gate, review(AFTER, BEFORE))
    assert gate.get("/decisions").json()["decisions"] == []


def test_an_ad_hoc_freeze_stops_a_rollout_and_says_whom_to_ask(tmp_path: Path) -> None:
    freeze = {"title": "Database on fire", "reason": "INC-1", "contact": "#sre", "ttl": "2h"}
    for client in gate_with(tmp_path, FakeClock(OPEN), SECTION):
        ops = bearer(key_for(client, KeyRequest("ada", Role.OPS)))
        assert client.post("/freezes", json=freeze, headers=ops).status_code == 201
        told = ask(client, review(AFTER, BEFORE))
        assert told["status"]["message"].count("#sre") == 1
        assert "Database on fire" in told["status"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        review(AFTER, BEFORE) | {"apiVersion": "admission.k8s.io/v1beta1"},
        review(AFTER, BEFORE) | {"kind": "ConversionReview"},
        review(AFTER, BEFORE, namespace="shop", object={"metadata": {"name": "Not A Name"}, "spec": {}}),
        review(workload(name="x" * 200)),
        review(AFTER, BEFORE, object=7, name=None),
    ],
)
def test_a_malformed_review_with_a_uid_is_a_deny_that_says_why(gate: TestClient, body: Any) -> None:
    told = ask(gate, body)
    assert told["allowed"] is False
    assert told["status"]["message"].startswith("freezegate can't tell whether this may be deployed: ")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 422),
        (b"[]", 422),
        (b"{", 422),
        (b"[" * 100_000, 422),
        (b'{"request": {}}', 422),
        (b'{"request": {"uid": 7}}', 422),
        (b'{"request": []}', 422),
        (b" " * (LARGEST_REVIEW + 1), 413),
    ],
)
def test_a_review_without_a_uid_is_refused(gate: TestClient, raw: bytes, status: int) -> None:
    reply = gate.post(ROUTE, content=raw, headers={"Content-Type": "application/json"})
    assert reply.status_code == status
    assert gate.post(ROUTE, content=raw, headers={"Content-Type": "text/plain"}).status_code == 415


def test_objects_larger_than_other_bodies_are_read(gate: TestClient) -> None:
    large = changed(AFTER, annotations={"kubectl.kubernetes.io/last-applied-configuration": "x" * 250_000})
    assert ask(gate, review(large, BEFORE))["allowed"] is False


def test_without_a_section_the_route_is_not_there(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    with TestClient(create_app(Settings(policies=tmp_path / "policies.yaml"), clock=clock)) as client:
        assert client.post(ROUTE, json=review(AFTER, BEFORE)).status_code == 404


def test_an_api_server_can_authenticate_by_an_api_key(tmp_path: Path, clock: FakeClock) -> None:
    for client in gate_with(tmp_path, clock, SECTION, anonymous_role="none"):
        assert client.post(ROUTE, json=review(AFTER, BEFORE)).status_code == 401
        key = bearer(key_for(client, KeyRequest("cluster-a", Role.VIEWER)))
        assert client.post(ROUTE, json=review(AFTER, BEFORE), headers=key).status_code == 200


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ("environments: {}", "names no namespace"),
        ("environments: {Shop: production}", "environments"),
        ("environments: {shop: Production}", "a name is 1 to 128"),
        ("service_label: 'a b'", "service_label"),
        ("token: secret", "token"),
    ],
)
def test_a_mistake_in_the_section_is_an_error_with_its_place(tmp_path: Path, section: str, why: str) -> None:
    file = tmp_path / "integrations.yaml"
    file.write_text(f"kubernetes: {{{section}}}\n")
    with pytest.raises(IntegrationsFileError, match="1:") as raised:
        read_integrations_file(file, {})
    assert why in str(raised.value)


def test_answers_stay_within_the_limits_of_kubernetes() -> None:
    told = json.loads(allow(UID, ["x" * 500] * 50))["response"]
    assert len(told["warnings"]) == 20
    assert {len(each) for each in told["warnings"]} == {120}
    assert sum(map(len, told["warnings"])) <= 4096
    assert len(json.loads(deny(UID, "x" * 5000))["response"]["status"]["message"]) == 2000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
PLACES = st.sampled_from(
    [
        *([*path] for path in ([], ["request"], ["apiVersion"])),
        *(
            ["request", key]
            for key in ("operation", "namespace", "object", "oldObject", "kind", "dryRun", "name")
        ),
        *(["request", part, "metadata"] for part in ("object", "oldObject")),
        *(["request", part, "spec"] for part in ("object", "oldObject")),
        *(
            ["request", "object", "metadata", key]
            for key in ("annotations", "labels", "name", "ownerReferences")
        ),
        ["request", "object", "metadata", "annotations", "freezegate.dev/change"],
        ["request", "object", "metadata", "annotations", "freezegate.dev/service"],
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(places=st.lists(st.tuples(PLACES, JSON), min_size=1, max_size=3))
def test_no_distorted_review_gives_a_5xx(gate: TestClient, places: list[tuple[list[str], Any]]) -> None:
    body: Any = {"review": copy.deepcopy(review(changed(AFTER, annotations={}), BEFORE))}
    for path, value in places:
        part = body
        for key in ["review", *path][:-1]:
            part = part.get(key) if isinstance(part, dict) else None
        if isinstance(part, dict):
            part[["review", *path][-1]] = value
    content = json.dumps(body["review"]).encode()
    reply = gate.post(ROUTE, content=content, headers={"Content-Type": "application/json"})
    assert reply.status_code in (200, 422), reply.text
    if reply.status_code == 200:
        assert reply.json()["response"]["uid"] == body["review"]["request"]["uid"]
