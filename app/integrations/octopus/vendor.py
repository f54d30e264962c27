"""The table entry of Octopus Deploy."""

from collections.abc import Coroutine, Sequence
from typing import Final

from app.gate.projection_state import ProjectionPlace
from app.integrations.octopus.freezes import DeploymentFreezes
from app.integrations.octopus.section import Octopus
from app.integrations.projector import work_on
from app.integrations.vendor import Surroundings, Vendor
from app.policies.projections.projection import ProjectionScope


def place_of(section: Octopus) -> ProjectionPlace:
    """Return the server of a section: projects with the same freezes share them."""
    scopes = [
        ProjectionScope(
            each.environment, each.service, {"projects": each.projects, "environments": each.environments}
        )
        for each in section.deployment_freezes
    ]
    return ProjectionPlace("octopus", "server", scopes, section.days, section.owner)


def _work(section: Octopus, surroundings: Surroundings) -> Sequence[Coroutine[None, None, None]]:
    return [work_on("octopus", [DeploymentFreezes(section, place_of(section))], surroundings)]


VENDOR: Final = Vendor("octopus", section=Octopus, work=_work)
