"""``/healthz``, ``/readyz`` and ``/metrics``: for those who run the gate."""

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from app.core.instant import format_instant
from app.server.context import context
from app.server.metrics import CONTENT_TYPE
from app.server.openapi import returns, returns_text

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Is the process up?", responses=returns("HealthBody", "the process is up"))
async def healthz() -> dict[str, str]:
    """Answer 200 for as long as the process runs."""
    return {"status": "up"}


@router.get(
    "/readyz",
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


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses=returns_text(CONTENT_TYPE, "the metrics"),
)
async def metrics(request: Request) -> Response:
    """Return counts, times and the state of the policies in the Prometheus text format."""
    # With a thousand policies it takes some ten milliseconds, which no claim should wait for.
    page = await asyncio.to_thread(context(request).metrics.page)
    return Response(page, headers={"Content-Type": CONTENT_TYPE})
