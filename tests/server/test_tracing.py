"""Traces: what goes out, to a collector that really listens; and that nothing does where they are off."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.gate.keys import KeyRequest
from app.identity.caller import Role
from app.main import create_app
from app.server.tracing import is_wanted
from app.settings import Settings
from tests.api.conftest import POLICIES, bearer, key_for
from tests.live.gate import ROOT, clean_environment

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector:
    """Takes what is sent to it."""

    def __init__(self) -> None:
        bodies: list[bytes] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.bodies = bodies
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for body in self.bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever, daemon=True)
    thread.start()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()
    thread.join()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    return Settings(
        policies=tmp_path / "policies.yaml", database_url=SecretStr(f"sqlite:///{tmp_path / 'gate.db'}")
    )


def attributes(span: Span) -> dict[str, str | int]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_a_claim_is_a_span_with_its_route_and_no_secret_is_sent(
    collector: Collector, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    with TestClient(create_app(settings)) as gate:
        key = key_for(gate, KeyRequest("somebody", Role.OPS))
        wanted = {"services": ["api"], "environments": ["production"], "reason": "urgent", "ttl": "1h"}
        granted = gate.post("/overrides", json=wanted, headers=bearer(key))
        token = granted.json()["token"]
        headers = {**bearer(key), "X-Override-Token": token, "traceparent": TRACEPARENT}
        gate.post("/can-deploy", json={"service": "api", "ref": "a-ref"}, headers=headers)
        gate.get("/can-deploy", params={"service": "api", "token": token})
        gate.get(f"/overrides/{token}", headers=bearer(key))
        gate.get(f"/{token}", headers={"Host": token.replace("_", "-")})
        for path in ("/healthz", "/readyz", "/metrics"):
            gate.get(path)
    spans = {span.name: span for span in collector.spans}
    assert set(spans) == {
        "POST /overrides",
        "POST /can-deploy",
        "GET /can-deploy",
        "GET /overrides/{override_id}",
        "GET",
    }
    claim = spans["POST /can-deploy"]
    assert attributes(claim)["http.route"] == "/can-deploy"
    assert attributes(claim)["http.response.status_code"] in (200, 423)
    assert claim.trace_id.hex() == TRACEPARENT.split("-")[1]
    sent = b"".join(collector.bodies)
    for secret in (key, token, token.replace("_", "-"), token[4:], "a-ref"):
        assert secret.encode() not in sent


def test_answers_from_memory_are_spans_of_their_route(
    collector: Collector, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
    with TestClient(create_app(settings)) as gate:
        for _ in range(20):
            gate.get("/can-deploy", params={"service": "api"})
    assert [span.name for span in collector.spans] == ["GET /can-deploy"] * 20
    assert {attributes(span)["http.route"] for span in collector.spans} == {"/can-deploy"}


def test_the_service_is_called_freezegate_unless_it_is_called_otherwise(
    collector: Collector, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    for name in ("freezegate", "gate-of-ours"):
        collector.bodies.clear()
        if name != "freezegate":
            monkeypatch.setenv("OTEL_SERVICE_NAME", name)
        with TestClient(create_app(settings)) as gate:
            gate.get("/status")
        (body,) = collector.bodies
        (sent,) = ExportTraceServiceRequest.FromString(body).resource_spans
        assert name in {each.value.string_value for each in sent.resource.attributes}


def test_a_collector_that_is_away_holds_up_neither_answers_nor_the_stop(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setattr("app.server.tracing.FLUSH_DEADLINE", 0.2)
    before = set(threading.enumerate())
    with TestClient(create_app(settings)) as gate:
        assert gate.get("/can-deploy", params={"service": "api"}).status_code in (200, 423)
    # What the library still tries must not go on beside other tests: its random pauses upset Hypothesis.
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


def test_off_there_is_no_library_no_thread_and_no_span(settings: Settings) -> None:
    code = f"""
import json, sys, threading
from starlette.testclient import TestClient
from app.main import create_app
from app.settings import Settings
settings = Settings(policies={str(settings.policies)!r}, database_url={settings.database!r})
with TestClient(create_app(settings)) as gate:
    gate.post("/can-deploy", json={{"service": "api"}})
    names = [thread.name for thread in threading.enumerate()]
print(json.dumps([sorted(sys.modules), names]))
"""
    environment = {name: value for name, value in clean_environment().items() if not name.startswith("OTEL_")}
    command = [sys.executable, "-c", code]
    ran = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    modules, threads = json.loads(ran.stdout)
    assert not [name for name in modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]
    assert not [name for name in threads if "Span" in name or "otel" in name.lower()]


@pytest.mark.parametrize("missing", ["opentelemetry.sdk", "opentelemetry.exporter"])
def test_an_endpoint_without_the_extra_is_a_warning_that_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    for name in [name for name in sys.modules if name == missing or name.startswith(f"{missing}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)  # Python's way to say: not installed
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with TestClient(create_app(settings)) as gate:
        assert gate.get("/can-deploy", params={"service": "api"}).status_code in (200, 423)
    (warning,) = [record for record in caplog.records if "OpenTelemetry" in record.message]
    assert "pip install 'freezegate[otel]'" in warning.message
    assert warning.levelname == "WARNING"


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://collector:4318/v1/metrics"}, False),
    ],
)
def test_the_standard_variables_turn_it_on(environ: dict[str, str], *, wanted: bool) -> None:
    assert is_wanted(environ) is wanted
