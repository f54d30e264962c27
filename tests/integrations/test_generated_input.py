"""Payloads that are signed and odd, at every route that a vendor calls: no input is an error of the gate."""

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import anyio.from_thread
import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient
from starlette.types import Message

from app.core.instant import parse_instant
from app.gate.keys import KeyRequest
from app.identity.caller import Role
from app.integrations.vendors import vendors
from tests.api.conftest import bearer, key_for
from tests.api.fakes import FakeClock
from tests.integrations.azure_devops.fake import Check
from tests.integrations.buildkite import fake as buildkite
from tests.integrations.flagger.fake import Canary
from tests.integrations.gates import gate_with
from tests.integrations.github import fake as github
from tests.integrations.gitlab import fake as gitlab
from tests.integrations.hcp_terraform import fake as terraform
from tests.integrations.kubernetes.reviews import changed, review, workload
from tests.integrations.reporters import PAYLOADS, SIGNED, SOURCES, Event, secret_of
from tests.integrations.sections import SECTIONS
from tests.integrations.test_forged_pipelines import SECTIONS as PIPELINES

NOW: Final = parse_instant("2026-11-25T13:05:00Z")
"""A Wednesday: what is accepted is allowed, so that Flagger's route claims."""

TRIED: Final = 3
"""Odd values that are tried in a place; all of them take a minute, and were tried once."""

ALWAYS: Final = b"1e999"
"""Tried in each place: Python reads it as a float that is no number of anything."""

ODD: Final = (
    *(b"null", b"true", b"0", b"-1", b"1.5", b"1" + b"0" * 30, b"9" * 5_000, b"1e999", b"NaN", b"-Infinity"),
    *(b'""', b'" "', rb'"\u0000"', rb'"a\u0000b"', rb'"\ud800"', rb'"\udfff x\ud800"', b'"\xff"'),
    *(rb'"\u202e\r\n\t"', b'"%s"' % (b"x" * 3_000), '"\u0130\ufdfa\U0010ffff"'.encode(), b'"**/{x}[*"'),
    *(
        b'"9999-12-31T23:59:59+23:59"',
        b'"2026-11-25T13:05:00.5-99:99"',
        b'"https://[::1"',
        b'"http://x:99999/"',
    ),
    *(b"[]", b"{}", b'["a"]', rb'[[],{},null,1,true,"\ud800"]', b'{"id":["a"],"name":{"x":1},"value":1e999}'),
    *(rb'{"\ud800":"\ud800","\u0000":"\u0000","":null}', b"[" * 900 + b"]" * 900, b"[" * 50_000),
)
"""Values as they are written in JSON, or are no JSON."""

SECTIONS_HERE: Final = {
    **PIPELINES,
    **{name: SECTIONS[name] for name in SOURCES},
    "github": SECTIONS["github"]
    | {"merges": {"branches": [{"repository": "acme/*", "branch": "main", "environment": "main"}]}},
    "kubernetes": {"environments": {"shop": "production"}},
}

Sign = Callable[[bytes], Mapping[str, str]]


class Asked(NamedTuple):
    """A payload that a route accepts, and how it is signed."""

    path: str
    payload: Mapping[str, Any]
    sign: Sign


def _reports() -> Iterator[Asked]:
    for source in SOURCES:
        event = Event(source, "OPS-1", True, NOW)
        payload = PAYLOADS[source](event)
        yield Asked(f"/integrations/{source}", payload, _signing(source, event))
        yield Asked(f"/integrations/{source}/simulate", payload, lambda _: {})


def _signing(source: str, event: Event) -> Sign:
    return lambda body: SIGNED[source](secret_of(source), body, event)


def _github() -> Iterator[Asked]:
    url = str(SECTIONS["github"]["api"])
    place = {
        "repository": {
            "id": 1,
            "full_name": "acme/checkout",
            "html_url": "https://github.example/acme/checkout",
        },
        "installation": {"id": 1},
        "sender": {"login": "mona"},
    }
    hook = f"{url}/repos/acme/checkout/actions/runs/1/deployment_protection_rule"
    suite = {"head_sha": "0", "head_branch": "main", "pull_requests": [{"number": 1}]}
    payloads: dict[str, dict[str, Any]] = {
        "deployment_protection_rule": {
            "action": "requested",
            "environment": "production",
            "sha": "0",
            "deployment_callback_url": hook,
            "deployment": {"id": 1},
        },
        "pull_request": {"action": "edited", "changes": {"base": {}}, "pull_request": {"number": 1}},
        "merge_group": {
            "action": "checks_requested",
            "merge_group": {"base_ref": "refs/heads/main", "head_sha": "0"},
        },
        "check_run": {
            "action": "rerequested",
            "check_run": {"external_id": "1", "head_sha": "0", "check_suite": suite},
        },
        "check_suite": {"action": "rerequested", "check_suite": suite},
        "installation": {"action": "created"},
    }
    for event, payload in payloads.items():
        yield Asked("/integrations/github", payload | place, _github_signing(event))


def _github_signing(event: str) -> Sign:
    return lambda body: {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": "d-1",
        "X-Hub-Signature-256": github.signature(body),
    }


def asked(task: terraform.Task) -> Iterator[Asked]:
    """Yield a payload for each kind of event of each route."""
    yield from _reports()
    yield from _github()
    about = {"service": "checkout", "ref": "1", "actor": "Ada", "run_url": "https://x.example"}
    check = Check(1, f"http://{task.host}", NOW, about)
    yield Asked("/integrations/azure-devops", check.body, lambda _: check.headers())
    yield Asked(
        "/integrations/buildkite", buildkite.Build(1).event(), lambda body: buildkite.signed(body, NOW)[1]
    )
    yield Asked("/integrations/flagger", Canary("checkout").payload(), lambda _: {})
    job = gitlab.Job(7, "https://gitlab.example")
    token = {"X-Gitlab-Token": gitlab.SIGNING_TOKEN}
    yield Asked("/integrations/gitlab", job.job_event(), lambda _: token)
    yield Asked("/integrations/gitlab", job.pipeline_event(), lambda _: token)
    for stage in ("pre_apply", "post_plan"):  # held, and answered at once
        payload = task.payload() | {"stage": stage}
        yield Asked("/integrations/hcp-terraform", payload, lambda body: terraform.signed(body)[1])
    json_type = {"Content-Type": "application/json"}
    before = workload(labels={"app": "x"}, ownerReferences=[{"controller": False}])
    after = changed(before, "checkout:2", annotations={"freezegate.dev/change": "rollback"})
    path = "/integrations/kubernetes/admission"
    yield Asked(path, review(after, before), lambda _: json_type)
    yield Asked(path, review(workload("Job")), lambda _: json_type)


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each value of a payload, that of the whole first."""
    yield path
    inside: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for name, each in inside:
        yield from places(each, (*path, name))


def bodies(payload: Mapping[str, Any], dice: random.Random) -> Iterator[bytes]:
    """Yield a payload, and with odd values in each place, or nothing there."""
    yield from (json.dumps(payload).encode(), b"", b"\xff\xfe", b"\x00")
    for path in places(payload):
        for odd in (ALWAYS, *dice.sample(ODD, TRIED)):
            yield _with(payload, path, odd)
        if path:
            yield _without(payload, path)


def _with(payload: Mapping[str, Any], path: tuple[str | int, ...], odd: bytes) -> bytes:
    if not path:
        return odd
    copied = json.loads(json.dumps(payload))
    _parent(copied, path)[path[-1]] = "<here>"
    return json.dumps(copied).encode().replace(b'"<here>"', odd)


def _without(payload: Mapping[str, Any], path: tuple[str | int, ...]) -> bytes:
    copied = json.loads(json.dumps(payload))
    del _parent(copied, path)[path[-1]]
    return json.dumps(copied).encode()


def _parent(copied: Any, path: tuple[str | int, ...]) -> Any:
    for name in path[:-1]:
        copied = copied[name]
    return copied


@pytest.fixture(scope="module")
def platform() -> Iterator[terraform.FakeTerraform]:
    made = terraform.FakeTerraform()
    yield made
    made.close()


@pytest.fixture
def gate(tmp_path: Path, platform: terraform.FakeTerraform) -> Iterator[TestClient]:
    hosts = {"hosts": [platform.host]}
    sections: dict[str, Any] = {
        name: section | hosts if "hosts" in section else section for name, section in SECTIONS_HERE.items()
    }
    with gate_with(tmp_path, FakeClock(NOW), sections) as client:
        yield client


async def _post(app: Any, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> int:
    """Return the status of the answer, without the client of the tests, which takes most of the time."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-length", str(len(body)).encode()), *headers],
        "client": ("192.0.2.1", 1),
        "server": ("gate", 80),
        "state": {},
    }
    statuses = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    return int(statuses[0])


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


ODD_HEADERS: Final = (
    b"",
    b" ",
    b"\xff\xfe",
    b"\xc2\xb2",
    b"1" * 5_000,
    b"t=1,v1=,v1=\xff",
    b"v1,\xff",
    b"Bearer \xff",
)


def _with_odd_headers(
    headers: list[tuple[bytes, bytes]], dice: random.Random
) -> Iterator[list[tuple[bytes, bytes]]]:
    for number, (name, value) in enumerate(headers):
        rest = headers[:number] + headers[number + 1 :]
        yield rest
        yield [*headers, (name, value)]
        for odd in dice.sample(ODD_HEADERS, TRIED):
            yield [*rest, (name, odd)]


def _requests(one: Asked, key: str, dice: random.Random) -> Iterator[tuple[list[tuple[bytes, bytes]], bytes]]:
    own = bearer(key) if one.path.endswith("/simulate") else {}
    for body in bodies(one.payload, dice):
        yield _encoded({**own, **one.sign(body)}), body
    whole = json.dumps(one.payload).encode()
    for headers in _with_odd_headers(_encoded({**own, **one.sign(whole)}), dice):
        yield headers, whole


def test_no_input_is_an_error_of_the_gate(gate: TestClient, platform: terraform.FakeTerraform) -> None:
    dice = random.Random(13)
    key = key_for(gate, KeyRequest("ops person", Role.OPS))
    here = gate.app.state.context  # type: ignore[attr-defined]

    async def deliver() -> tuple[list[Any], dict[str, set[int]]]:
        errors: list[Any] = []
        statuses: dict[str, set[int]] = {}
        for one in asked(platform.task()):
            for headers, body in _requests(one, key, dice):
                here.failures._counts.clear()  # else it would be refused for their number
                status = await _post(gate.app, one.path, headers, body)
                statuses.setdefault(one.path, set()).add(status)
                if status >= 500:
                    errors.append((one.path, status, headers, body[:2_000]))
        return errors, statuses

    portal: anyio.from_thread.BlockingPortal = gate.portal  # type: ignore[assignment]
    errors, statuses = portal.call(deliver)
    assert errors[:3] == []
    for path, found in statuses.items():
        assert found & {200, 423}, path
        assert 429 not in found, path


def test_every_route_of_a_vendor_is_tried() -> None:
    routers = [vendor.router for vendor in vendors().values() if vendor.router is not None]
    assert {each.path for router in routers for each in router.routes if isinstance(each, APIRoute)} == {
        each.path for each in asked(terraform.Task(1, "localhost:9"))
    }
