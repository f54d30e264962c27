"""``/healthz``, ``/readyz`` and ``/metrics``: for those who run the gate."""

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from app.core.instant import format_instant
from app.server.context import context
from app.server.metrics import CONTENT_TYPE

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Is the process up?")
async def healthz() -> dict[str, str]:
    """200 while the process answers at all."""
    return {"status": "up"}


@router.get(
    "/readyz",
    summary="Can the gate decide and record?",
    responses={503: {"description": "it can't: `checks` says what is missing"}},
)
async def readyz(request: Request) -> Response:
    """200 while policies are in force and the store can be reached; a stale file is told, not failed."""
    here = context(request)
    failure = here.policies.last_error
    reachable = await here.store.ping()
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


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Counts, times and the state of the policies, in the Prometheus text format."""
    # With a thousand policies it takes some ten milliseconds, which no claim should wait for.
    page = await asyncio.to_thread(context(request).metrics.page)
    return Response(page, headers={"Content-Type": CONTENT_TYPE})
