"""The table entry of Kubernetes."""

from collections.abc import Coroutine, Sequence
from typing import Final

from app.gate.projection_state import ProjectionPlace
from app.integrations.kubernetes import route
from app.integrations.kubernetes.config_maps import ConfigMap
from app.integrations.kubernetes.section import ConfigMapScope, Kubernetes, Project
from app.integrations.projector import work_on
from app.integrations.vendor import Surroundings, Vendor
from app.policies.projections.kubernetes import name_of
from app.policies.projections.projection import ProjectionScope


def places(section: Project) -> list[ProjectionPlace]:
    """Return the ConfigMaps of a section; of two with the same name, the last one."""
    scopes = {name_of(scope): scope for scope in map(_scope, section.config_maps)}
    return [ProjectionPlace("kubernetes", name, [scope], section.days) for name, scope in scopes.items()]


def _scope(entry: ConfigMapScope) -> ProjectionScope:
    names = {} if entry.name is None else {"config_maps": [entry.name]}
    return ProjectionScope(entry.environment, entry.service, names)


def _work(section: Kubernetes, surroundings: Surroundings) -> Sequence[Coroutine[None, None, None]]:
    part = section.project
    if part is None:
        return []
    return [work_on("kubernetes", [ConfigMap(part, place) for place in places(part)], surroundings)]


VENDOR: Final = Vendor("kubernetes", section=Kubernetes, router=route.router, work=_work)
