"""A start that fails for a reason we know ends with a sentence, not a traceback."""

import sys
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import FreezegateError
from app.settings import SettingsError

_FAILED: Final = "lifespan.startup.failed"


class StartupErrors:
    """Give the server the sentence of a foreseen error, in place of the framework's traceback.

    The server logs what it gets and exits. Tracebacks of wrong settings hide the one line that matters,
    and may repeat more of the environment than a log should hold.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Start and serve `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through but the message of a start that failed."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def tell(message: Message) -> None:
            # The framework sends this while it handles the error.
            error = sys.exc_info()[1]
            if message["type"] == _FAILED and isinstance(error, FreezegateError | SettingsError):
                message = {"type": _FAILED, "message": f"freezegate can't start: {error}"}
            await send(message)

        await self._app(scope, receive, tell)
