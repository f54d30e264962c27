"""``/static``: the stylesheets, scripts, letters and icon of the pages."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.gate.errors import UnknownRecordError
from app.web.pages import asset, asset_version, assets

router = APIRouter(include_in_schema=False)


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """Serve an asset; cache it immutably when the URL carries its content hash.

    Another hash is that of another release, while replicas are replaced one by one: a browser that cached
    this asset under it would show the new page in the old style for a year.
    """
    media_type = assets().get(name)
    if media_type is None:
        raise UnknownRecordError("there is no such file")
    is_current = request.query_params.get("v") == asset_version(name)
    caching = "public, max-age=31536000, immutable" if is_current else "no-cache"
    headers = {"Cache-Control": caching, "Content-Security-Policy": "default-src 'none'"}
    return Response(asset(name), media_type=media_type, headers=headers)
