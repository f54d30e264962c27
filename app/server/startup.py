"""Start the gate: prepare the store for the first request, and report a failed start in one sentence."""

import logging
import sys
from typing import Final

from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import FreezegateError
from app.gate import keys
from app.server.context import Context
from app.server.log import event
from app.server.periodic import begin
from app.settings import SettingsError

_FAILED: Final = "lifespan.startup.failed"


def prepare(context: Context, admin_key: SecretStr | None) -> None:
    """Put a first key and the policies in force into the store, and load what is remembered of it.

    Args:
        context: the gate that starts.
        admin_key: the first key, if the settings give one.
    """
    given = None if admin_key is None else admin_key.get_secret_value()
    show = _show_first_key if sys.stderr.isatty() else None
    if not context.gate.ensure_key(given, show):
        event(
            logging.WARNING,
            "no API key exists, and there is no terminal to show a first one on; make one with: "
            "freezegate keys create --name NAME --role admin",
        )
    begin(context)
    context.cache.load()
    _warn_of_approvers(context)


def _show_first_key(key: str) -> None:
    """Print the first key to the terminal, once; it goes into no log."""
    sys.stderr.write(
        f"  admin key  {key}\n"
        "             Shown only now: keep it, and export it as FREEZEGATE_API_KEY.\n"
        "             `freezegate keys create` makes keys for others.\n"
    )


def _warn_of_approvers(context: Context) -> None:
    """Warn of keys that can't approve, or not as intended, if the policies require approvals."""
    now = context.cache.steady.now()
    policy_set = context.policies.in_force.policy_set
    forms = () if context.people is None else context.people.person_forms
    found = keys.doubtful_approvers(context.cache.known_keys, policy_set, now, forms)
    if found.without_person:
        event(
            logging.WARNING,
            "the policies ask for approvals, and these keys belong to no person: they can neither approve "
            "nor grant what needs approval; make new ones with freezegate keys create --person",
            keys=found.without_person,
        )
    by_tokens = context.providers is not None and context.providers.grants_ops
    if found.by_name and (forms or by_tokens):
        event(
            logging.WARNING,
            "the policies ask for approvals, and operators may sign in or use identity tokens: the owners of "
            "these keys are other people there, unless --person is the person there (issuer#claim=id)",
            keys=found.by_name,
            persons=[f"{form}ID" for form in forms],
        )


class StartupErrors:
    """Middleware that replaces the traceback of a start that failed for a known reason by its sentence.

    The server logs the message and exits. A traceback hides the one line that matters, and may repeat more
    of the environment than a log should hold.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, but replace the message of a failed start."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_sentence(message: Message) -> None:
            # The framework sends this while it handles the error.
            error = sys.exc_info()[1]
            if message["type"] == _FAILED and isinstance(error, FreezegateError | SettingsError):
                message = {"type": _FAILED, "message": f"freezegate can't start: {error}"}
            await send(message)

        await self._app(scope, receive, send_sentence)
