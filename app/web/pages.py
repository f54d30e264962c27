"""Render pages and their headers.

Pages load nothing from other hosts and have no inline scripts or styles. Templates escape all text, and the
content security policy below blocks anything that would get past that.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import cache, partial
from importlib import resources
from pathlib import Path, PurePath
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from app import __version__
from app.core.counted import counted
from app.core.errors import FreezegateError
from app.core.explain import local_time, scope_in_words, undirected, zone_label
from app.core.instant import format_instant, parse_instant
from app.core.notation import format_duration, waiting_roughly, waiting_time
from app.core.reason import own_reason
from app.core.rule_style import HATCHING_PATHS
from app.core.wallclock import Zone
from app.server.problems import problem_for
from app.server.root_path import root_of
from app.web.bytecode import TemplateBytecode
from app.web.front import named
from app.web.timeline_text import day_columns, rectangles
from app.web.viewer import optional_viewer

_SOURCES: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
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

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_FOLDER: Final = resources.files("app.web").joinpath("static")
_COMPILED: Final = Path(__file__).parent / "templates" / "__pycache__"
_URL: Final = re.compile(rb'url\("([a-z0-9.-]+)"\)')


@cache
def assets() -> Mapping[str, str]:
    """Return the media type of each file that pages load, by name; those of other kinds are not served."""
    known = ((each.name, _TYPES.get(PurePath(each.name).suffix)) for each in _FOLDER.iterdir())
    return {name: media_type for name, media_type in known if media_type is not None}


@cache
def asset(name: str) -> bytes:
    """Return the content of an asset; its name is one of `assets`.

    Files that a stylesheet names get their versions, as in pages, so that browsers may cache them.
    """
    content = _FOLDER.joinpath(name).read_bytes()
    if not name.endswith(".css"):
        return content
    return _URL.sub(lambda found: b'url("%b")' % _versioned(found[1].decode()).encode(), content)


@cache
def asset_version(name: str) -> str:
    """Return a short hash of an asset's content."""
    return hashlib.sha256(asset(name)).hexdigest()[:12]


def _asset_url(root: str, name: str) -> str:
    """Return the URL of an asset; it changes with the content, so that browsers may cache it."""
    return f"{root}/static/{_versioned(name)}"


def _versioned(name: str) -> str:
    return f"{name}?v={asset_version(name)}"


@cache
def _templates(root: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("app.web"),
        bytecode_cache=TemplateBytecode(_COMPILED),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        asset=partial(_asset_url, root), root=root, version=__version__, hatching_paths=HATCHING_PATHS
    )
    environment.filters.update(
        instant=parse_instant,
        utc=format_instant,
        local=local_time,
        waiting=waiting_time,
        waiting_roughly=waiting_roughly,
        scope=scope_in_words,
        duration=format_duration,
        clock=wall_clock,
        counted=counted,
        day_columns=day_columns,
        rectangles=rectangles,
        user_text=user_text,
        split_list=split_list,
        undirected=undirected,
        zone_label=zone_label,
        named=named,
        own_reason=own_reason,
    )
    return environment


def wall_clock(instant: int, where: Zone) -> str:
    """Format the clock of the wall display, as the script does: ``Fri 27 Nov 14:05``."""
    moment = datetime.fromtimestamp(instant, where.info)
    return f"{moment:%a} {moment.day} {moment:%b %H:%M}"


def split_list(text: str) -> list[str]:
    """Split a comma-separated field."""
    return [each.strip() for each in text.split(",") if each.strip()]


def user_text(text: str) -> Markup:
    """Wrap the text of a user in `<bdi>`, so that its direction does not affect the text around it."""
    return Markup("<bdi>%s</bdi>") % undirected(text)


def prepare_pages(root: str) -> None:
    """Compile all templates, or read those that are kept compiled; takes up to a second."""
    for name in _templates(root).list_templates(["html"]):
        _templates(root).get_template(name)


def render(template: str, root: str, **values: Any) -> bytes:
    """Render a page whose links begin with `root`, see `root_of`."""
    return _templates(root).get_template(template).render(**values).encode("utf-8", "replace")


def html_response(body: bytes, status: int = 200) -> Response:
    """Return a page with its headers."""
    return Response(body, status_code=status, headers=_HEADERS, media_type="text/html")


def error_response(error: FreezegateError, template: str, root: str, **values: Any) -> Response:
    """Return a page about an error, with the status and headers of the API's problem document."""
    problem = problem_for(error)
    body = render(template, root, status=problem.status_code, **values)
    response = html_response(body, problem.status_code)
    for name in ("retry-after", "www-authenticate"):
        if name in problem.headers:
            response.headers[name] = problem.headers[name]
    return response


def redirect(request: Request, place: str) -> Response:
    """Redirect after a form (303), so that a reload does not send it again."""
    return Response(status_code=303, headers={**_HEADERS, "Location": root_of(request) + place})


def redirect_away(url: str) -> Response:
    """Redirect to a page of another site, such as an issuer."""
    return Response(status_code=303, headers={**_HEADERS, "Location": url})


class PageRoute(APIRoute):
    """A route whose errors are rendered as pages."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """Return the framework's handler, with our errors rendered as pages."""
        handle = super().get_route_handler()

        async def handle_or_render(request: Request) -> Response:
            try:
                return await handle(request)
            except FreezegateError as error:
                viewer = await optional_viewer(request)
                return error_response(error, "error.html", viewer.root, viewer=viewer, why=str(error))

        return handle_or_render
