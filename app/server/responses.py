"""Headers that several answers of the API share, and the JSON answers that no cache may keep."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import JSONResponse

NO_STORE: Final = {"Cache-Control": "no-store"}

PICTURE_HEADERS: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
"""Stops a picture that is opened by itself from loading or running anything."""


def json_response(body: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> JSONResponse:
    """Return a JSON answer that is not to be stored."""
    return JSONResponse(body, status_code=status.value, headers=NO_STORE)


def last_id(found: list[Any], limit: int) -> str | None:
    """Return the cursor of the next page: the id of the last record, or None if the page is not full."""
    return str(found[-1].id) if len(found) == limit else None
