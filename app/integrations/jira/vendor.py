"""Jira's table entry."""

from functools import partial
from typing import Final

from app.integrations.incidents import warn_of_unknown_names
from app.integrations.jira.route import router
from app.integrations.jira.section import Jira
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor("jira", section=Jira, router=router, work=partial(warn_of_unknown_names, "jira"))
