"""``/static``: the style, the script and the icon of the pages."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.gate.errors import UnknownRecordError
from app.web.pages import ASSETS, asset, asset_version

router = APIRouter(include_in_schema=False)


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """One of them; for ever, where it is asked for by the content that it has.

    Asked for by another content, it comes from a page of another release, while replicas are replaced one
    by one: a browser that kept it would show the new page in the old style for a year.
    """
    if name not in ASSETS:
        raise UnknownRecordError("there is no such file")
    is_wanted = request.query_params.get("v") == asset_version(name)
    kept = "public, max-age=31536000, immutable" if is_wanted else "no-cache"
    headers = {"Cache-Control": kept, "Content-Security-Policy": "default-src 'none'"}
    return Response(asset(name), media_type=ASSETS[name], headers=headers)
