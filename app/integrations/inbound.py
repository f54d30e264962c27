"""Common parts of the routes that vendors call: their section, the bytes as signed, and refusals.

Such a route reads its section first, then the body, and parses nothing before the signature is checked.
"""

from typing import Final, TypeVar

from starlette.requests import Request

from app.gate.errors import UnknownRecordError
from app.integrations.section import Section
from app.server.authentication import failed
from app.server.context import context
from app.server.requests import limited_body

LARGEST_BODY: Final = 256 * 1024
"""Bytes of a webhook: the most that any of the vendors sends. A refused one would be lost."""

FAILURES: Final = (400, 401, 404, 408, 413, 422, 429, 503)
"""The statuses of problems that such a route may answer, for its declaration's `also`."""

AnySection = TypeVar("AnySection", bound=Section)


def section_of(request: Request, vendor: str, model: type[AnySection]) -> AnySection:
    """Return the section of a vendor in the integrations file.

    Raises:
        UnknownRecordError: there is none, so the route answers 404.
    """
    section = context(request).integrations.get(vendor)
    if not isinstance(section, model):
        raise UnknownRecordError(f"the integrations file has no section {vendor}")
    return section


async def raw_body(request: Request) -> bytes:
    """Return the body as it was signed.

    Raises:
        RefusedError: it is larger than `LARGEST_BODY`, incomplete, or late.
    """
    return await limited_body(request, LARGEST_BODY)


def refuse(request: Request, why: str) -> Exception:
    """Count a webhook without a valid signature like failed credentials; return the error to raise.

    It is a 401; after too many from one address it is a 429, which senders repeat later.
    """
    path: str = getattr(request.scope.get("route"), "path", "")
    context(request).metrics.webhook_refused(path.split("/")[2] if path.count("/") > 1 else "")
    return failed(request, context(request), why)


def bearer_token(request: Request) -> str:
    """Return the token of ``Authorization: Bearer``; empty if there is none, or more than one."""
    given = request.headers.getlist("authorization")
    return bearer(given[0]) if len(given) == 1 else ""


def bearer(authorization: str) -> str:
    """Return the token of an ``Authorization: Bearer`` header; empty if it has another form."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
