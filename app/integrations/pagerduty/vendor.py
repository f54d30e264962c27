"""PagerDuty's table entry."""

from functools import partial
from typing import Final

from app.integrations.incidents import warn_of_unknown_names
from app.integrations.pagerduty.route import router
from app.integrations.pagerduty.section import PagerDuty
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor(
    "pagerduty", section=PagerDuty, router=router, work=partial(warn_of_unknown_names, "pagerduty")
)
