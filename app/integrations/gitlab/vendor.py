"""The table entry of GitLab."""

from collections.abc import Coroutine, Sequence
from typing import Final

from app.gate.projection_state import ProjectionPlace
from app.integrations.gitlab.freeze_periods import FreezePeriods
from app.integrations.gitlab.message import ManualJobs
from app.integrations.gitlab.route import router
from app.integrations.gitlab.section import GitLab, ProjectedPeriods, ProjectScope
from app.integrations.projection_section import grouped
from app.integrations.projector import work_on
from app.integrations.vendor import Surroundings, Vendor
from app.policies.projections.projection import ProjectionScope


def places(section: ProjectedPeriods) -> list[ProjectionPlace]:
    """Return the projects of a section, each with all of its scopes."""
    of_projects = grouped((each.project, each) for each in section.projects)
    return [
        ProjectionPlace("gitlab", name, [_scope(each) for each in entries], section.days)
        for name, entries in of_projects.items()
    ]


def _scope(entry: ProjectScope) -> ProjectionScope:
    return ProjectionScope(entry.environment, entry.service)


def _work(section: GitLab, surroundings: Surroundings) -> Sequence[Coroutine[None, None, None]]:
    part = section.freeze_periods
    if part is None:
        return []
    projections = surroundings.gate.projections
    found = [FreezePeriods(section.url, part, place, projections) for place in places(part)]
    return [work_on("gitlab", found, surroundings)]


VENDOR: Final = Vendor(
    "gitlab",
    section=GitLab,
    router=router,
    responder=lambda section, _: ManualJobs(section),
    work=_work,
)
