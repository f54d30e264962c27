"""Deployment freezes of Octopus Deploy, as its API returns them: JSON.

Octopus repeats a freeze at a fixed offset from UTC, the one of the user who saved it, so no clock change
moves it. The policies are in a zone of that offset. Projects are services, environments are environments;
files with projects and environments of the same API give the names for their ids.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from app.core.counted import counted
from app.core.decision_text import one_line
from app.core.errors import FreezegateError, MalformedValueError
from app.core.instant import MINUTE, parse_instant
from app.core.policy import NAME_PATTERN
from app.core.wallclock import zone
from app.policies.importers.documents import json_document, origin_of, origin_of_problem
from app.policies.importers.fixed_zones import zone_ahead_of_utc
from app.policies.importers.imported import Imported, ImportedPolicy, ImportOptions, Origin, SourceText
from app.policies.importers.octopus_recurrence import Schedule, read_recurrence
from app.yaml.document import Document
from app.yaml.problem import Path, quoted

_NAMED: Final = ("Projects-", "Environments-")
_LISTS: Final = ("DeploymentFreezes", "Items")
_LONGEST: Final = 400


def read(sources: Sequence[SourceText], options: ImportOptions) -> Imported:
    """Return the freezes of all files; the names of projects and environments come from any of them."""
    imported = Imported()
    documents = [json_document(source) for source in sources]
    for problem in chain.from_iterable(document.problems for document in documents):
        imported.refuse(origin_of_problem(problem), problem.message)
    found = list(chain.from_iterable(map(_placed, documents)))
    names = dict(_named(resource for _, _, resource in found))
    for place in found:
        if "Start" in place[2]:
            _Reader(*place, imported, options, names).read()
    return imported


def _placed(document: Document) -> Iterator[tuple[Document, Path, dict[str, Any]]]:
    return ((document, path, resource) for path, resource in _resources(document.data))


def _resources(data: Any, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield each resource of an answer: itself, or those of a page or list."""
    if isinstance(data, list):
        for number, each in enumerate(data):
            yield from _resources(each, (*path, number))
    elif isinstance(data, dict):
        lists = [key for key in _LISTS if isinstance(data.get(key), list)]
        for key in lists:
            yield from _resources(data[key], (*path, key))
        if not lists:
            yield path, data


def _named(resources: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield id and name of each project and environment: the slug, as it stands in the address of a page."""
    for resource in resources:
        written = resource.get("Id")
        if isinstance(written, str) and written.startswith(_NAMED):
            yield written, str(resource.get("Slug") or resource.get("Name"))


class _Reader:
    """Read one freeze."""

    def __init__(
        self,
        document: Document,
        path: Path,
        freeze: Mapping[str, Any],
        imported: Imported,
        options: ImportOptions,
        names: Mapping[str, str],
    ) -> None:
        self._document = document
        self._path = path
        self._freeze = freeze
        self._imported = imported
        self._options = options
        self._names = names
        self._title = one_line(str(freeze.get("Name") or "Deployment freeze")).strip()[:_LONGEST]

    def read(self) -> None:
        """Add its policy."""
        self._imported.found += 1
        origin = self._origin()
        try:
            schedule, zone_name = self._schedule()
            selectors = self._selectors()
            windows = schedule.windows(self._options.now)
        except FreezegateError as error:
            self._imported.refuse(origin, str(error))
            return
        if tenants := self._freeze.get("TenantProjectEnvironmentScope"):
            self._refuse_tenants(tenants)
        elif not selectors:
            self._imported.differ(origin, "not imported: no project is assigned, so it freezes nothing")
        if selectors:
            self._add(schedule, windows, zone_name, selectors, origin)

    def _add(
        self,
        schedule: Schedule,
        windows: tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]],
        zone_name: str,
        selectors: Sequence[Mapping[str, Sequence[str]]],
        origin: Origin,
    ) -> None:
        for sentence in schedule.remarks():
            self._imported.differ(origin, sentence)
        where = zone(zone_name)
        described = one_line(str(self._freeze.get("Description") or "")).strip()[:_LONGEST]
        self._imported.policies.append(
            ImportedPolicy(
                name=self._title,
                title=self._title,
                reason=described or f"Octopus Deploy has a deployment freeze {quoted(self._title)}.",
                origins=[origin],
                timezone=zone_name,
                when=windows[0],
                except_when=windows[1],
                is_open=lambda instant: schedule.is_open(where.local(instant)),
                applies_to=selectors,
            )
        )

    def _origin(self, *path: str | int) -> Origin:
        return origin_of(self._document, (*self._path, *path), self._title)

    def _schedule(self) -> tuple[Schedule, str]:
        """Return when it is open, and the zone of those local times."""
        start, end = (self._instant(key) for key in ("Start", "End"))
        if end <= start:
            raise MalformedValueError("it doesn't end after it begins")
        written = self._freeze.get("RecurringSchedule")
        if written is None:
            return self._once(start, end)
        if not isinstance(written, dict):
            raise MalformedValueError("its RecurringSchedule is no object")
        minutes = written.get("UserUtcOffsetInMinutes") or 0
        if type(minutes) is not int:
            raise MalformedValueError("UserUtcOffsetInMinutes is no number")
        zone_name = zone_ahead_of_utc(minutes)
        ends_on = written.get("EndOnDate")
        until = parse_instant(str(ends_on)) + minutes * MINUTE if ends_on else None
        recurrence = read_recurrence(written, until)
        return Schedule(start + minutes * MINUTE, end - start, recurrence), zone_name

    def _once(self, start: int, end: int) -> tuple[Schedule, str]:
        """Return when it is open, in the zone of the options unless a bound occurs twice there."""
        where = zone(self._options.timezone or "UTC")
        if any(len(where.all(where.local(instant))) > 1 for instant in (start, end)):
            where = zone("UTC")
        first, last = where.local(start), where.local(end)
        return Schedule(first, last - first, None), where.name

    def _instant(self, key: str) -> int:
        try:
            return parse_instant(str(self._freeze.get(key)))
        except MalformedValueError as error:
            raise MalformedValueError(f"{key}: {error}") from None

    def _selectors(self) -> list[dict[str, list[str]]]:
        """Return a selector for each list of environments, with the projects that have it."""
        scope = self._freeze.get("ProjectEnvironmentScope") or {}
        if not isinstance(scope, dict):
            raise MalformedValueError("its ProjectEnvironmentScope is no object")
        grouped: dict[tuple[tuple[str, str], ...], list[dict[str, list[str]]]] = {}
        for project, environments in scope.items():
            if not isinstance(environments, list) or not environments:
                raise MalformedValueError(f"{project} has no environments in its scope")
            key = tuple(self._meant(str(each), "environments") for each in environments)
            field, name = self._meant(project, "services")
            same = grouped.setdefault(key, [{}])[0]
            same.setdefault(field, []).append(name)
        return [_selector(key, projects) for key, [projects] in grouped.items()]

    def _meant(self, resource_id: str, field: str) -> tuple[str, str]:
        """Return the field of a selector and the value that an id stands for."""
        if resource_id in self._options.mapped:
            return self._options.mapped[resource_id]
        kind = field.removesuffix("s")
        if resource_id not in self._names:
            raise MalformedValueError(
                f"it is about {resource_id}, whose name isn't in these files; add the list of "
                f"{'projects' if kind == 'service' else field} of the API, or say the name with "
                f"--map {resource_id}={kind}:NAME"
            )
        found = self._names[resource_id]
        if re.fullmatch(NAME_PATTERN, found, re.ASCII) is None:
            raise MalformedValueError(
                f"it is about {resource_id}, and {quoted(found)} is no name here: those have only a-z, 0-9 "
                f"and . _ / -; say one with --map {resource_id}={kind}:NAME"
            )
        return field, found

    def _refuse_tenants(self, tenants: Any) -> None:
        count = len(tenants) if isinstance(tenants, list) else 1
        self._imported.refuse(
            self._origin("TenantProjectEnvironmentScope"),
            f"it freezes {counted(count, 'deployment')} to tenants; freezegate knows no tenants",
        )


def _selector(
    environments: tuple[tuple[str, str], ...], projects: Mapping[str, list[str]]
) -> dict[str, list[str]]:
    selector = {field: list(names) for field, names in projects.items()}
    for field, name in environments:
        selector.setdefault(field, []).append(name)
    return selector
