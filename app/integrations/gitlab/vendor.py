"""The table entry of GitLab."""

from typing import Final

from app.integrations.gitlab.message import ManualJobs
from app.integrations.gitlab.route import router
from app.integrations.gitlab.section import GitLab
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor(
    "gitlab",
    section=GitLab,
    router=router,
    responder=lambda section, _: ManualJobs(section),
)
