"""The projection to Argo CD: the sync windows of an AppProject.

Windows are recognised by their description, which begins with the owner. All of them deny: Argo CD lets no
other window beat an active one that denies. A window applies where any of its lists matches, so
`andOperator` joins them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from app.core.decision import Rule
from app.core.engine import Engine
from app.core.errors import MalformedValueError
from app.policies.exporters.argocd import TARGET, sync_windows
from app.policies.projections.projection import (
    Projected,
    ProjectionOptions,
    ProjectionScope,
    ProjectionTarget,
    Window,
    is_marked,
    mark,
    merged,
)
from app.policies.projections.scope import planned_scope

LISTS: Final = ("applications", "namespaces", "clusters")
"""The lists that a window may have."""


def project(engine: Engine, options: ProjectionOptions) -> Projected:
    """Return the sync windows of a project.

    Raises:
        UnknownNameError: the policies list no such environment or service.
    """
    return merged(_scope(engine, options, scope) for scope in options.scopes)


def _scope(engine: Engine, options: ProjectionOptions, scope: ProjectionScope) -> Projected:
    found = planned_scope(engine, options, scope, TARGET)
    selected = _selected(scope)
    windows: list[Window] = []
    for planned in found.planned:
        described = _described(planned.rule, options)
        windows += [
            {
                "kind": "deny",
                "schedule": window.schedule,
                "duration": window.duration,
                "timeZone": window.zone,
                **selected,
                **described,
            }
            for window in sync_windows(planned)
        ]
    return Projected(windows, found.remarks, found.until)


def _selected(scope: ProjectionScope) -> Window:
    selected: dict[str, Any] = {name: list(scope.names[name]) for name in LISTS if scope.names.get(name)}
    if len(selected) > 1:
        selected["andOperator"] = True
    return selected or {"applications": ["*"]}


def _described(rule: Rule, options: ProjectionOptions) -> Window:
    described = {"description": mark(options.owner, rule)}
    finishes = options.overrun and rule.running == "finish"
    return {**described, "syncOverrun": True} if finishes else described


def body(projected: Projected) -> Mapping[str, Any]:
    """Return a patch of an AppProject that has no other windows."""
    return {"spec": {"syncWindows": list(projected.windows)}}


def windows_of(resource: Any) -> list[Any]:
    """Return the sync windows of an AppProject as the API returned it.

    Raises:
        MalformedValueError: it is no AppProject.
    """
    spec = resource.get("spec") if isinstance(resource, Mapping) else None
    windows = spec.get("syncWindows") or [] if isinstance(spec, Mapping) else None
    if not isinstance(windows, list):
        raise MalformedValueError("there is no AppProject in it: an object with `spec`")
    return windows


def is_ours(window: Any, owner: str) -> bool:
    """Return whether a window was written by an owner."""
    return isinstance(window, Mapping) and is_marked(window.get("description"), owner)


def live(resource: Any, owner: str) -> Sequence[Window]:
    """Return the windows of an owner in an AppProject, without the keys that Argo CD leaves out."""
    return [_without_defaults(each.items()) for each in windows_of(resource) if is_ours(each, owner)]


def _without_defaults(items: Iterable[tuple[str, Any]]) -> Window:
    return {key: value for key, value in items if value not in (False, None, [], "")}


ARGOCD: Final = ProjectionTarget("Argo CD", project, body, live)
