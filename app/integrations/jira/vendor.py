"""Jira's table entry."""

from typing import Final

from app.integrations.jira.route import router
from app.integrations.jira.section import Jira
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor("jira", section=Jira, router=router)
