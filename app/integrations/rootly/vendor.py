"""Rootly's table entry."""

from typing import Final

from app.integrations.rootly.route import router
from app.integrations.rootly.section import Rootly
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor("rootly", section=Rootly, router=router)
