"""Alertmanager's table entry."""

from functools import partial
from typing import Final

from app.integrations.alertmanager.route import router
from app.integrations.alertmanager.section import Alertmanager
from app.integrations.incidents import warn_of_unknown_names
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor(
    "alertmanager", section=Alertmanager, router=router, work=partial(warn_of_unknown_names, "alertmanager")
)
