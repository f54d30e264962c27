"""Slack's table entry. An incoming webhook takes no signature: its URL is the secret."""

from typing import Final

from app.integrations.slack.message import request
from app.integrations.vendor import Notifier, Vendor

VENDOR: Final = Vendor("slack", Notifier(needs_secret=False, request=request))
