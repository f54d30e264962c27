"""The table entry of Buildkite."""

from typing import Final

from app.integrations.buildkite.message import BlockSteps
from app.integrations.buildkite.route import router
from app.integrations.buildkite.section import Buildkite
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor(
    "buildkite",
    section=Buildkite,
    router=router,
    responder=lambda section, _: BlockSteps(section),
)
