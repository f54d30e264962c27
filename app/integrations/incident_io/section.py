"""The section of incident.io of the integrations file."""

from app.integrations.incidents import IncidentSection
from app.integrations.section import WithSecret


class IncidentIo(WithSecret, IncidentSection):
    """The section of incident.io."""
