"""PagerDuty's section of the integrations file."""

from app.integrations.incidents import IncidentSection
from app.integrations.section import WithSecret


class PagerDuty(WithSecret, IncidentSection):
    """The section of PagerDuty."""
