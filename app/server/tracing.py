"""Traces: a span for each request, sent by OTLP if an endpoint is set, with the framework's own support.

A span carries the route template and the outcome. It carries nothing that a caller wrote in a path, query
or header: a query may hold a token by mistake. Metrics and logs are not exported here. The library is an
extra, `freezegate[otel]`, imported only if tracing is on.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import __version__
from app.server.log import event
from app.server.middleware import ROUTE

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.sdk.trace.sampling import Sampler

FLUSH_DEADLINE: Final = 3.0
"""Seconds that stopping waits for the last spans to be sent."""

_NOT_INSTALLED: Final = (
    "an OpenTelemetry endpoint is set, but no traces are sent: OpenTelemetry is not installed; "
    "install freezegate[otel] (pip install 'freezegate[otel]'), or requirements/otel.txt in a checkout"
)

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_UNTRACED: Final = frozenset({"/healthz", "/readyz", "/metrics", "/events"})
"""Routes that machines poll every few seconds, and the stream, whose span would last for hours."""

_WRITTEN_BY_CALLERS: Final = frozenset(
    {"url.path", "url.query", "server.address", "server.port", "http.request.method_original"}
)


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Return whether the standard variables turn tracing on."""
    return (
        any(environ.get(name) for name in _ENDPOINTS)
        and environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
        and environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() != "none"
    )


class Tracing:
    """The tracing of the application; does nothing if tracing is off."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Turn tracing on if `environ` asks for it and the library is there; connect in `sending`."""
        self._provider: TracerProvider | None = None
        self._missing: str | None = None
        if is_wanted(environ):
            try:
                self._provider = _provider(environ)
            except ModuleNotFoundError as error:
                self._missing = error.name

    @property
    def is_on(self) -> bool:
        """Whether requests get spans."""
        return self._provider is not None

    @property
    def config(self) -> TelemetryConfig:
        """The framework's configuration: spans of requests only, or nothing if tracing is off."""
        return {
            "tracing": self._provider is not None,
            "tracer_provider": self._provider,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
            "exclude": _is_untraced,
        }

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Export spans for the length of the context; log a warning if the library is missing."""
        if self._missing is not None:
            event(logging.WARNING, _NOT_INSTALLED, missing=self._missing)
        if self._provider is None:
            yield
            return
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._provider.add_span_processor(BatchSpanProcessor(_exporter_class()()))
        try:
            yield
        finally:
            # In a separate thread: the library waits half a minute for a collector that hangs.
            stopping = threading.Thread(target=self._provider.shutdown, daemon=True)
            stopping.start()
            await asyncio.to_thread(stopping.join, FLUSH_DEADLINE)

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return an application that names spans by their route also where the response cache answers."""
        if self._provider is None:
            return app
        from opentelemetry import trace

        async def named(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_named(message: Message) -> None:
                route = scope.get("state", {}).get(ROUTE)
                if route is not None and message["type"] == "http.response.start":
                    span = trace.get_current_span()
                    span.update_name(f"{scope['method']} {route}")
                    span.set_attribute("http.route", route)
                await send(message)

            await app(scope, receive, send_named)

        return named


def _is_untraced(scope: MutableMapping[str, Any]) -> bool:
    return scope.get("path") in _UNTRACED


def _provider(environ: Mapping[str, str]) -> "TracerProvider":
    """Return a provider without an exporter.

    Raises:
        ModuleNotFoundError: `freezegate[otel]` is not installed.
    """
    _exporter_class()
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    attributes = {"service.version": __version__} | ({} if named else {"service.name": "freezegate"})
    provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    # Wraps the sampler that the standard variables choose.
    provider.sampler = _sparing(provider.sampler)
    return provider


def _exporter_class() -> "type[SpanExporter]":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter


def _sparing(chosen: "Sampler") -> "Sampler":
    """Return a sampler that decides like `chosen`, and removes caller-written attributes from spans."""
    from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult

    class Sparing(Sampler):
        def should_sample(
            self,
            parent_context: Any,
            trace_id: int,
            name: str,
            kind: Any = None,
            attributes: Any = None,
            links: Any = None,
            trace_state: Any = None,
        ) -> SamplingResult:
            ours = {key: value for key, value in (attributes or {}).items() if key not in _WRITTEN_BY_CALLERS}
            return chosen.should_sample(parent_context, trace_id, name, kind, ours, links, trace_state)

        def get_description(self) -> str:
            return chosen.get_description()

    return Sparing()
