"""How pages are rendered, and what a browser is told about them.

Nothing is loaded from anywhere else, no script or style stands in a page, and no text becomes markup:
templates escape everything, and the policy below forbids what would get past that.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import cache, partial
from importlib import resources
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from app import __version__
from app.core.errors import FreezegateError
from app.core.explain import local_time, scope_in_words, undirected, zone_label
from app.core.instant import format_instant, parse_instant
from app.core.notation import format_duration, waiting_time
from app.core.wallclock import Zone
from app.server.problems import problem_for
from app.server.root_path import root_of
from app.web.viewer import present_viewer

_SOURCES: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types freezegate",
)
CONTENT_POLICY: Final = "; ".join(_SOURCES)

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

ASSETS: Final = {
    "dashboard.css": "text/css; charset=utf-8",
    "dashboard.js": "text/javascript; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@cache
def asset(name: str) -> bytes:
    """A file that pages load; its name is one of `ASSETS`."""
    return resources.files("app.web").joinpath("static", name).read_bytes()


@cache
def asset_version(name: str) -> str:
    """The content of a file that pages load, in a few letters."""
    return hashlib.sha256(asset(name)).hexdigest()[:12]


def _asset_url(root: str, name: str) -> str:
    """Return where it is loaded from: another place for another content, so that browsers may keep it."""
    return f"{root}/static/{name}?v={asset_version(name)}"


@cache
def _templates(root: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("app.web"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(asset=partial(_asset_url, root), root=root, version=__version__)
    environment.filters.update(
        instant=parse_instant,
        utc=format_instant,
        local=local_time,
        waiting=waiting_time,
        scope=scope_in_words,
        duration=format_duration,
        clock=wall_clock,
        said=said,
        listed=listed,
        undirected=undirected,
        zone_label=zone_label,
    )
    return environment


def wall_clock(instant: int, where: Zone) -> str:
    """What a clock on the wall shows: ``Fri 27 Nov 14:05``, as the script writes it that lets it tick."""
    moment = datetime.fromtimestamp(instant, where.info)
    return f"{moment:%a} {moment.day} {moment:%b %H:%M}"


def listed(text: str) -> list[str]:
    """What stands between the commas of a field."""
    return [each.strip() for each in text.split(",") if each.strip()]


def said(text: str) -> Markup:
    """A text that somebody wrote: what direction it is read in is its own, and not that of our words."""
    return Markup("<bdi>%s</bdi>") % undirected(text)


def rendered(template: str, root: str, **values: Any) -> bytes:
    """Render a page whose links begin with `root`, see `root_of`."""
    return _templates(root).get_template(template).render(**values).encode("utf-8", "replace")


def page(body: bytes, status: int = 200) -> Response:
    """A page as it goes out."""
    return Response(body, status_code=status, headers=_HEADERS, media_type="text/html")


def refusal(error: FreezegateError, template: str, root: str, **values: Any) -> Response:
    """A page that tells of an error, with the status and the headers that the API would answer it with."""
    refused = problem_for(error)
    told = page(rendered(template, root, status=refused.status_code, **values), refused.status_code)
    for name in ("retry-after", "www-authenticate"):
        if name in refused.headers:
            told.headers[name] = refused.headers[name]
    return told


def redirect(request: Request, place: str) -> Response:
    """Go and see, after a form was sent: so that loading the page again does not send it again."""
    return Response(status_code=303, headers={**_HEADERS, "Location": root_of(request) + place})


class PageRoute(APIRoute):
    """A route whose errors are pages, too."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """As the framework's, with our errors rendered."""
        handle = super().get_route_handler()

        async def handle_or_tell(request: Request) -> Response:
            try:
                return await handle(request)
            except FreezegateError as error:
                viewer = await present_viewer(request)
                return refusal(error, "error.html", viewer.root, viewer=viewer, why=str(error))

        return handle_or_tell
