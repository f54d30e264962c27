"""``/static``: the style, the script and the icon of the pages."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.gate.errors import UnknownRecordError
from app.web.pages import ASSETS, asset

router = APIRouter(include_in_schema=False)


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """One of them; for ever, where it is asked for by its content."""
    if name not in ASSETS:
        raise UnknownRecordError("there is no such file")
    kept = "public, max-age=31536000, immutable" if "v" in request.query_params else "no-cache"
    headers = {"Cache-Control": kept, "Content-Security-Policy": "default-src 'none'"}
    return Response(asset(name), media_type=ASSETS[name], headers=headers)
