"""``/healthz``, ``/readyz`` and ``/metrics``: probes and metrics for operators."""

import asyncio
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from app.core.instant import format_instant
from app.server.context import context
from app.server.metrics import CONTENT_TYPE
from app.server.openapi import returns, returns_text
from app.server.routes import Routes

router = Routes(tags=["operation"])


@router.operation(
    "GET",
    "/healthz",
    role=None,
    summary="Is the process up?",
    responses=returns("HealthBody", "the process is up"),
)
async def healthz() -> Response:
    """Answer 200 while the process runs."""
    return JSONResponse({"status": "up"})


@router.operation(
    "GET",
    "/readyz",
    role=None,
    summary="Can the gate decide and record?",
    responses=returns("ReadinessBody", "it can") | returns("ReadinessBody", "it can't; see `checks`", 503),
)
async def readyz(request: Request) -> Response:
    """Answer 200 while policies are in force and the store can be reached.

    A newer policy file that was refused is listed, but does not make the gate unready.
    """
    here = context(request)
    failure = here.policies.last_error
    reachable = await here.gate.ping()
    checks = {
        "policies": {
            "ok": True,
            "revision": here.policies.in_force.revision,
            "stale_since": failure and format_instant(failure.at),
            "problems": [str(problem) for problem in failure.problems] if failure else [],
        },
        "store": {"ok": reachable},
    }
    status = HTTPStatus.OK if reachable else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({"ready": reachable, "checks": checks}, status_code=status.value)


@router.operation(
    "GET",
    "/metrics",
    role=None,
    summary="Prometheus metrics",
    response_class=Response,
    responses=returns_text(CONTENT_TYPE, "the metrics"),
)
async def metrics(request: Request) -> Response:
    """Return counts, times and the state of the policies in the Prometheus text format."""
    # In a thread: a thousand policies take some ten milliseconds, which would delay claims.
    page = await asyncio.to_thread(context(request).metrics.page)
    return Response(page, headers={"Content-Type": CONTENT_TYPE})
