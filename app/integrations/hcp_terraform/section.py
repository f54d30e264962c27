"""The section of HCP Terraform and Terraform Enterprise in the integrations file."""

from typing import ClassVar

from pydantic import Field

from app.integrations.callback_url import Host
from app.integrations.deploy_rule import MOST_RULES, DeployRule, Glob
from app.integrations.section import WithSecret


class WorkspaceRule(DeployRule):
    """The meaning of runs in some workspaces."""

    names: ClassVar[tuple[str, ...]] = ("organization", "workspace")

    organization: Glob | None = Field(
        None, description="the organizations, with `*`; all if left out", examples=["acme"]
    )
    workspace: Glob | None = Field(
        None, description="the workspaces, with `*`; all if left out", examples=["checkout-*"]
    )


class HcpTerraform(WithSecret):
    """The workspaces, and the HMAC key of the run task."""

    hosts: list[Host] = Field(
        default=["app.terraform.io"],
        min_length=1,
        max_length=20,
        description="the hosts that results are sent to; yours, if you run Terraform Enterprise",
        examples=[["tfe.example.com"]],
    )
    deployments: list[WorkspaceRule] = Field(
        default=[],
        max_length=MOST_RULES,
        description="what runs are; the first entry that matches counts, and others fail the run task",
    )
