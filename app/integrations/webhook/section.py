"""The section of systems of your own that report incidents of the integrations file."""

from app.integrations.incidents import IncidentSection
from app.integrations.section import WithSecret


class Webhook(WithSecret, IncidentSection):
    """The section of systems of your own."""
