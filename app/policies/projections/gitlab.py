"""The projection to GitLab: the freeze periods of a project.

A period has no name, so one of ours can't be told from one of a person by what it says: the loop remembers
the ids of those that it created. Equal freezes are one period.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.core.engine import Engine
from app.core.errors import MalformedValueError
from app.policies.exporters.gitlab import TARGET, Period, periods
from app.policies.projections.projection import (
    Projected,
    ProjectionOptions,
    ProjectionScope,
    ProjectionTarget,
    Window,
    merged,
)
from app.policies.projections.scope import planned_scope


def project(engine: Engine, options: ProjectionOptions) -> Projected:
    """Return the freeze periods of a project.

    Raises:
        UnknownNameError: the policies list no such environment or service.
    """
    return merged(_scope(engine, options, scope) for scope in options.scopes)


def _scope(engine: Engine, options: ProjectionOptions, scope: ProjectionScope) -> Projected:
    found = planned_scope(engine, options, scope, TARGET)
    windows = [period._asdict() for planned in found.planned for period in periods(planned)]
    return Projected(windows, found.remarks, found.until)


def body(projected: Projected) -> Sequence[Window]:
    """Return the periods, each as the API takes it."""
    return list(projected.windows)


def period_of(resource: Any) -> Window:
    """Return what a period of the API says, without its id.

    Raises:
        MalformedValueError: it is none.
    """
    if not isinstance(resource, Mapping) or not all(resource.get(name) for name in Period._fields[:2]):
        raise MalformedValueError("there are no freeze periods in it: a list of objects with `freeze_start`")
    return {name: resource.get(name) or "UTC" for name in Period._fields}


def live(resource: Any, _owner: str) -> Sequence[Window]:
    """Return all periods of a project; they name no owner."""
    return [period_of(each) for each in (resource if isinstance(resource, list) else [resource])]


GITLAB: Final = ProjectionTarget("GitLab", project, body, live)
