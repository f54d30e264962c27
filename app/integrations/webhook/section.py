"""The section of systems of your own that report incidents of the integrations file."""

from typing import ClassVar

from app.integrations.incidents import IncidentSection
from app.integrations.section import WithSecret
from app.integrations.signatures import SHORTEST_SECRET


class Webhook(WithSecret, IncidentSection):
    """The section of systems of your own."""

    shortest_secret: ClassVar[int] = SHORTEST_SECRET
