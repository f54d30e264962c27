"""The table entry of signed webhooks: notifications that we send, and incidents that we receive."""

from functools import partial
from typing import Final

from app.integrations.incidents import warn_of_unknown_names
from app.integrations.vendor import Notifier, Vendor
from app.integrations.webhook.message import request
from app.integrations.webhook.route import router
from app.integrations.webhook.section import Webhook

VENDOR: Final = Vendor(
    "webhook",
    Notifier(needs_secret=True, request=request),
    section=Webhook,
    router=router,
    work=partial(warn_of_unknown_names, "webhook"),
)
