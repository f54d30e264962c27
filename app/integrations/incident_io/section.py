"""The section of incident.io of the integrations file."""

from typing import ClassVar

from app.integrations.incidents import IncidentSection
from app.integrations.section import WithSecret
from app.integrations.signatures import SHORTEST_SECRET


class IncidentIo(WithSecret, IncidentSection):
    """The section of incident.io."""

    shortest_secret: ClassVar[int] = SHORTEST_SECRET
