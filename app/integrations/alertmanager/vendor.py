"""Alertmanager's table entry."""

from typing import Final

from app.integrations.alertmanager.route import router
from app.integrations.alertmanager.section import Alertmanager
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor("alertmanager", section=Alertmanager, router=router)
