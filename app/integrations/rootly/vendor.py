"""Rootly's table entry."""

from functools import partial
from typing import Final

from app.integrations.incidents import warn_of_unknown_names
from app.integrations.rootly.route import router
from app.integrations.rootly.section import Rootly
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor("rootly", section=Rootly, router=router, work=partial(warn_of_unknown_names, "rootly"))
