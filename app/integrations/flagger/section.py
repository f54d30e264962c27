"""The section of Flagger in the integrations file."""

from typing import ClassVar

from pydantic import Field

from app.integrations.deploy_rule import MOST_RULES, DeployRule, Glob
from app.integrations.section import WithSecret


class CanaryRule(DeployRule):
    """The meaning of some canaries."""

    names: ClassVar[tuple[str, ...]] = ("namespace", "canary")

    namespace: Glob | None = Field(
        None, description="the namespaces of the canaries, with `*`; all if left out", examples=["prod-*"]
    )
    canary: Glob | None = Field(
        None, description="the names of the canaries, with `*`; all if left out", examples=["checkout"]
    )


class Flagger(WithSecret):
    """The canaries, and the token that their webhooks carry as `metadata.token`."""

    deployments: list[CanaryRule] = Field(
        default=[],
        max_length=MOST_RULES,
        description="what canaries are; the first entry that matches counts, and others never advance",
    )
