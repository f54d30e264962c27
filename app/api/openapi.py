"""``/openapi.json``: the API, for machines."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.server.openapi import rendered_document

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The OpenAPI document of every other route."""
    return Response(await rendered_document(request), media_type="application/json")
