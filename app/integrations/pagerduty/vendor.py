"""PagerDuty's table entry."""

from typing import Final

from app.integrations.pagerduty.route import router
from app.integrations.pagerduty.section import PagerDuty
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor("pagerduty", section=PagerDuty, router=router)
