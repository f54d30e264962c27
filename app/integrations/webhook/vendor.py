"""The table entry of signed webhooks."""

from typing import Final

from app.integrations.vendor import Notifier, Vendor
from app.integrations.webhook.message import request

VENDOR: Final = Vendor("webhook", Notifier(needs_secret=True, request=request))
