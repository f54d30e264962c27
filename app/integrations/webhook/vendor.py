"""The table entry of signed webhooks."""

from typing import Final

from app.integrations.vendor import Vendor
from app.integrations.webhook.message import request

VENDOR: Final = Vendor("webhook", needs_secret=True, request=request)
