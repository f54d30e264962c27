"""The table entry of Argo CD."""

from collections.abc import Coroutine, Sequence
from typing import Final

from app.gate.projection_state import ProjectionPlace
from app.integrations.argocd.projects import AppProject
from app.integrations.argocd.section import ArgoCD, SyncWindowScope
from app.integrations.projection_section import grouped
from app.integrations.projector import work_on
from app.integrations.vendor import Surroundings, Vendor
from app.policies.projections.argocd import LISTS
from app.policies.projections.projection import ProjectionScope


def places(section: ArgoCD) -> list[ProjectionPlace]:
    """Return the AppProjects of a section, each with all of its scopes."""
    of_projects = grouped((each.project, each) for each in section.sync_windows)
    return [
        ProjectionPlace(
            "argocd",
            name,
            [_scope(each) for each in entries],
            section.days,
            section.owner,
            section.sync_overrun,
        )
        for name, entries in of_projects.items()
    ]


def _scope(entry: SyncWindowScope) -> ProjectionScope:
    return ProjectionScope(entry.environment, entry.service, {name: getattr(entry, name) for name in LISTS})


def _work(section: ArgoCD, surroundings: Surroundings) -> Sequence[Coroutine[None, None, None]]:
    return [work_on("argocd", [AppProject(section, place) for place in places(section)], surroundings)]


VENDOR: Final = Vendor("argocd", section=ArgoCD, work=_work)
