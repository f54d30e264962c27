"""The table entry of incident.io."""

from functools import partial
from typing import Final

from app.integrations.incident_io.route import router
from app.integrations.incident_io.section import IncidentIo
from app.integrations.incidents import warn_of_unknown_names
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor(
    "incident-io", section=IncidentIo, router=router, work=partial(warn_of_unknown_names, "incident-io")
)
