"""Jira's section of the integrations file."""

from app.integrations.incidents import IncidentSection
from app.integrations.section import WithSecret


class Jira(WithSecret, IncidentSection):
    """The section of Jira."""
