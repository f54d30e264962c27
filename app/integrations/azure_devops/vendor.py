"""The table entry of Azure DevOps."""

from typing import Final

from app.integrations.azure_devops.message import Checks
from app.integrations.azure_devops.route import router
from app.integrations.azure_devops.section import AzureDevOps
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor(
    "azure-devops",
    section=AzureDevOps,
    router=router,
    responder=lambda section, _: Checks(section),
)
