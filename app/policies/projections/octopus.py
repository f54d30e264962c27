"""The projection to Octopus Deploy: deployment freezes, one for each stretch of each rule.

Octopus repeats a freeze at a fixed offset from UTC, so it would miss an hour after a change of the clocks.
All freezes are therefore explicit. They are recognised by their names. Only an Enterprise licence takes a
freeze of several projects, so each scope has its own.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from app.core.engine import Engine
from app.core.errors import MalformedValueError
from app.core.instant import format_instant
from app.policies.exporters.plan import Target
from app.policies.projections.projection import (
    Projected,
    ProjectionOptions,
    ProjectionTarget,
    Window,
    is_marked,
    mark,
    merged,
)
from app.policies.projections.scope import planned_scope

_TARGET: Final = Target("Octopus", endless=False, recurs=False, grain=1)

_SCOPE: Final = "ProjectEnvironmentScope"

Key = tuple[str, str, str, tuple[str, ...]]
"""Name, start, end and projects of a freeze."""


def project(engine: Engine, options: ProjectionOptions) -> Projected:
    """Return the freezes of projects.

    Raises:
        UnknownNameError: the policies list no such environment or service.
    """
    environments: dict[Key, set[str]] = {}
    parts: list[Projected] = []
    for scope in options.scopes:
        found = planned_scope(engine, options, scope, _TARGET, _since(options.now))
        parts.append(Projected((), found.remarks, found.until))
        projects = tuple(sorted(set(scope.names.get("projects", ()))))
        for planned in found.planned:
            for start, end in planned.once:
                # The date is in the name, because a person sees a list of names.
                name = f"{mark(options.owner, planned.rule)} {format_instant(start)[:10]}"
                key = name, format_instant(start), format_instant(end), projects
                environments.setdefault(key, set()).update(scope.names.get("environments", ()))
    return merged(parts)._replace(windows=[_freeze(key, found) for key, found in environments.items()])


def _since(now: int) -> int:
    """Return the start of last year: a long freeze is cut there, and so stays the same from day to day."""
    return int(datetime(datetime.fromtimestamp(now, UTC).year - 1, 1, 1, tzinfo=UTC).timestamp())


def _freeze(key: Key, environments: set[str]) -> Window:
    name, start, end, projects = key
    return {
        "Name": name,
        "Start": start,
        "End": end,
        _SCOPE: {project: sorted(environments) for project in projects},
    }


def body(projected: Projected) -> Sequence[Window]:
    """Return the freezes, each as the API takes it."""
    return list(projected.windows)


def freezes_of(resource: Any) -> list[Any]:
    """Return the freezes of an answer of the API.

    Raises:
        MalformedValueError: there are none in it.
    """
    found = resource.get("DeploymentFreezes") if isinstance(resource, Mapping) else resource
    if not isinstance(found, list):
        raise MalformedValueError("there are no deployment freezes in it: an object with `DeploymentFreezes`")
    return found


def is_ours(freeze: Any, owner: str) -> bool:
    """Return whether a freeze was created by an owner."""
    return isinstance(freeze, Mapping) and is_marked(freeze.get("Name"), owner)


def freeze_of(freeze: Mapping[str, Any]) -> Window:
    """Return what a freeze of the API says, without its id.

    One that recurs or is about tenants keeps that, so that it differs from all that are projected.
    """
    said = {
        key: value
        for key, value in freeze.items()
        if key in ("Name", "RecurringSchedule", _TENANTS) and value
    }
    scope = freeze.get(_SCOPE)
    projects = scope if isinstance(scope, Mapping) else {}
    return {
        **said,
        "Start": _instant(freeze.get("Start")),
        "End": _instant(freeze.get("End")),
        _SCOPE: {key: sorted(map(str, values)) for key, values in sorted(projects.items())},
    }


_TENANTS: Final = "TenantProjectEnvironmentScope"


def _instant(text: Any) -> str:
    """Return an instant in the form of ours; Octopus writes it with milliseconds and the user's offset."""
    try:
        return format_instant(int(datetime.fromisoformat(text).timestamp()))
    except (TypeError, ValueError, OverflowError):
        return str(text)


def live(resource: Any, owner: str) -> Sequence[Window]:
    """Return the freezes of an owner."""
    return [freeze_of(each) for each in freezes_of(resource) if is_ours(each, owner)]


OCTOPUS: Final = ProjectionTarget("Octopus", project, body, live)
