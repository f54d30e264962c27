"""``/openapi.json``: the description of the API for machines."""

from fastapi import Request
from fastapi.responses import Response

from app.server.openapi import rendered_document
from app.server.routes import Routes

router = Routes(include_in_schema=False)


@router.operation("GET", "/openapi.json", role=None, responses={})
async def openapi(request: Request) -> Response:
    """Return the OpenAPI document of every other route."""
    return Response(await rendered_document(request), media_type="application/json")
