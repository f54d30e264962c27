"""``freezegate serve``: start the server."""

import contextlib
import errno
import importlib
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from app.cli import ALLOWED, UNDECIDED, exits, fail
from app.clock import SystemClock
from app.core.errors import FreezegateError
from app.policies.source import Source
from app.settings import Settings, SettingsError, read_settings
from app.yaml.problem import PolicyFileError, Problem

if TYPE_CHECKING:
    import uvicorn

_BACKLOG: Final = 2048
"""Connections that the system queues until they are accepted."""


@click.command(
    "serve",
    epilog=exits(
        "stopped on request",
        undecided="it did not start: the policies, the settings, the database or the address",
    ),
)
@click.option("--host", metavar="HOST", help="Address to listen on; default: FREEZEGATE_HOST, or 127.0.0.1.")
@click.option(
    "--port", metavar="PORT", type=int, help="Port to listen on; default: FREEZEGATE_PORT, or 1400."
)
@click.option(
    "--policies",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Policy file, or a folder of them; default: FREEZEGATE_POLICIES, or policies.yaml.",
)
@click.option(
    "--database-url",
    metavar="URL",
    help="Database of the record; default: FREEZEGATE_DATABASE_URL, or a SQLite file beside the policies.",
)
def command(*, host: str | None, port: int | None, policies: Path | None, database_url: str | None) -> int:
    """Start the server, and run it until it is stopped."""
    # By name: `main` puts everything together and stands above the command line.
    main = importlib.import_module("app.main")
    try:
        settings = read_settings(
            os.environ, host=host, port=port, policies=policies, database_url=database_url
        )
        resources = main.open_resources(settings, SystemClock())
    except PolicyFileError as error:
        if not settings.policies.exists():
            fail(f"{settings.policies}: there is no such file; name your policies with --policies")
            return UNDECIDED
        for problem in error.problems:
            fail(_shown(settings, problem))
        return UNDECIDED
    except (SettingsError, FreezegateError) as error:
        fail(str(error))
        return UNDECIDED
    for problem in resources.policies.in_force.warnings:
        fail(_shown(settings, problem))
    return _serve(settings, partial(main.create_app, settings, resources=resources))


def _shown(settings: Settings, problem: Problem) -> str:
    return str(Source(settings.policies).shown(problem))


def _serve(settings: Settings, create_app: Callable[[], Any]) -> int:
    import uvicorn

    from app.server.interpreter import tune
    from app.server.log import configure

    try:
        listener = _listen(settings)
    except OSError as error:
        hint = "; choose another with --port or FREEZEGATE_PORT" if error.errno == errno.EADDRINUSE else ""
        why = (error.strerror or str(error)).lower()
        fail(f"can't listen on {settings.host}:{settings.port}: {why}{hint}")
        return UNDECIDED
    configure(settings.log_level, readable=sys.stdout.isatty())
    application = create_app()
    tune()
    config = _config(settings, application)
    port = listener.getsockname()[1]
    here = address(_reachable(settings.host), port) + (settings.root_path or "")
    click.echo(f"freezegate listens on {address(settings.host, port)}", err=True)
    click.echo(f"  dashboard  {here}/", err=True)
    click.echo(f"  try        curl -i '{here}/can-deploy?service=api'", err=True)
    server = uvicorn.Server(config)
    with contextlib.suppress(KeyboardInterrupt):  # raised again by uvicorn when it has shut down
        server.run(sockets=[listener])
    return ALLOWED if server.started else UNDECIDED


def _config(settings: Settings, application: Any) -> "uvicorn.Config":
    import uvicorn

    from app.server.capacity import capacity_of, raise_file_limit
    from app.server.protocol import KEEP_ALIVE, protocol

    return uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=KEEP_ALIVE,
        proxy_headers=settings.proxies is not None,
        forwarded_allow_ips=settings.proxies,
        http=protocol(capacity_of(raise_file_limit()), ",".join(settings.proxies or ())),
        loop="auto",  # uvloop, where the platform has it
        ws="none",
        lifespan="on",  # "auto" would go on after a start that failed
    )


def address(host: str, port: int) -> str:
    """Return the URL of a host and port; an IPv6 address is put in brackets (RFC 3986)."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _reachable(host: str) -> str:
    """Return the address to use on this machine; the loopback one for a server that listens on all."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is read here, not bound


def _listen(settings: Settings) -> socket.socket:
    """Bind before the banner is printed, so that it is true and shows the port chosen for port 0."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)  # the curl in the banner then waits for the start instead of being refused
    except OSError:
        listener.close()
        raise
    return listener
