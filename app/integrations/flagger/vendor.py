"""The table entry of Flagger."""

from typing import Final

from app.integrations.flagger.route import router
from app.integrations.flagger.section import Flagger
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor("flagger", section=Flagger, router=router)
