"""The table entry of HCP Terraform and Terraform Enterprise."""

from typing import Final

from app.integrations.hcp_terraform.message import RunTasks
from app.integrations.hcp_terraform.route import router
from app.integrations.hcp_terraform.section import HcpTerraform
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor(
    "hcp-terraform",
    section=HcpTerraform,
    router=router,
    responder=lambda section, _: RunTasks(section),
)
