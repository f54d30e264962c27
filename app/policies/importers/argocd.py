"""Sync windows of Argo CD: AppProject manifests, in several documents, in lists, or as kubectl prints them.

An active `deny` window stops syncs. Where `allow` windows match an application, one of them must be active.
Argo CD compares the wall clock of the window's zone with the schedule: a window that begins at 22:00 and
lasts 8h ends at 06:00, also when clocks change in between.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.core.errors import MalformedValueError
from app.core.policy import Effect
from app.core.wallclock import zone, zone_names
from app.policies.importers.allow_windows import AllowWindow, openings
from app.policies.importers.documents import origin_of, resources, sound_documents, with_known_keys
from app.policies.importers.globs import service_glob
from app.policies.importers.imported import Imported, ImportedPolicy, ImportOptions, Origin, SourceText
from app.policies.importers.recurring import Firings, Lasting, lasting_windows
from app.policies.importers.robfig_cron import read_duration, read_schedule
from app.policies.importers.selection import Selection, join, select
from app.policies.importers.wall_windows import wider_reason
from app.yaml.document import Document
from app.yaml.problem import Path, did_you_mean, quoted

_KEYS: Final = (
    "kind",
    "schedule",
    "duration",
    "applications",
    "namespaces",
    "clusters",
    "manualSync",
    "timeZone",
    "andOperator",
    "description",
    "syncOverrun",
)
_FLAGS: Final = ("manualSync", "andOperator", "syncOverrun")
_MANUAL: Final = (
    "manualSync lets everyone sync by hand; here a deploy needs an override token then, with a reason"
)


@dataclass(frozen=True)
class _SyncWindow:
    """A valid sync window."""

    origin: Origin
    project: str
    description: str
    schedule: str
    firings: Firings
    length: int
    zone: str
    selections: Sequence[Selection]
    overrun: bool
    lasting: Lasting

    def is_active(self, instant: int) -> bool:
        """Return whether it fired less than its duration ago on the wall clock, as Argo CD compares."""
        local = zone(self.zone).local(instant)
        last = self.firings.last_on_wall(local)
        return last is not None and local - last < self.length


def read(sources: Sequence[SourceText], options: ImportOptions) -> Imported:
    """Return the sync windows of all projects as policies."""
    imported = Imported()
    projects: list[_Project] = []
    for document in sound_documents(sources, imported):
        projects += _projects(document)
    single = len({project.name for project in projects}) <= 1
    for project in projects:
        _Reader(project, imported, options, single=single).read()
    return imported


@dataclass(frozen=True)
class _Project:
    name: str
    windows: Any
    document: Document
    path: Path


def _projects(document: Document) -> Iterator[_Project]:
    """Yield the projects of a document: itself, or the items of a list."""
    for path, item in resources(document.data):
        spec = item.get("spec")
        if (
            isinstance(spec, dict)
            and item.get("kind", "AppProject") == "AppProject"
            and "syncWindows" in spec
        ):
            metadata = item.get("metadata")
            name = metadata.get("name") if isinstance(metadata, dict) else None
            yield _Project(
                str(name or "default"), spec["syncWindows"], document, (*path, "spec", "syncWindows")
            )


class _Reader:
    """The sync windows of one project."""

    def __init__(
        self, project: _Project, imported: Imported, options: ImportOptions, *, single: bool
    ) -> None:
        self._project = project
        self._imported = imported
        self._options = options
        self._single = single

    def read(self) -> None:
        """Add the policies of the project."""
        allowing: list[AllowWindow] = []
        windows = self._project.windows if isinstance(self._project.windows, list) else []
        for index, entry in enumerate(windows):
            self._imported.found += 1
            origin = origin_of(
                self._project.document,
                (*self._project.path, index),
                f"{self._project.name} syncWindows[{index}]",
            )
            try:
                window = self._window(origin, entry)
            except MalformedValueError as error:
                self._imported.refuse(origin, str(error))
                continue
            if entry.get("manualSync", False):
                self._imported.differ(origin, _MANUAL)
            if entry["kind"] == "deny":
                self._imported.policies.append(_freeze(window))
            else:
                allowing.append(
                    AllowWindow(
                        origin,
                        window.zone,
                        window.selections,
                        window.lasting.windows,
                        window.is_active,
                        window,
                    )
                )
        self._add_openings(allowing)

    def _add_openings(self, allowing: Sequence[AllowWindow]) -> None:
        """Add the policies that allow deploys in any of the project's windows only."""
        environments = list(dict.fromkeys([*self._options.environments, *self._mapped_environments()]))
        try:
            groups = openings(allowing, environments)
        except MalformedValueError as error:
            for window in allowing:
                self._imported.refuse(window.origin, str(error))
            return
        for group in groups:
            self._imported.policies.append(
                _opening(self._project.name, group.windows, group.selection, group.exempt)
            )

    def _mapped_environments(self) -> list[str]:
        return [name for field, name in self._options.mapped.values() if field == "environments"]

    def _window(self, origin: Origin, entry: Any) -> _SyncWindow:
        """Read a window.

        Raises:
            MalformedValueError: Argo CD would refuse it, or it can't be expressed.
        """
        _check_keys(entry)
        firings, length = read_schedule(_text(entry, "schedule")), read_duration(_text(entry, "duration"))
        return _SyncWindow(
            origin=origin,
            project=self._project.name,
            description=_text(entry, "description") if "description" in entry else "",
            schedule=f"{entry['schedule']} for {entry['duration']}",
            firings=firings,
            length=length,
            zone=_zone(entry, self._options),
            selections=self._selections(entry),
            overrun=entry.get("syncOverrun", False),
            lasting=lasting_windows(firings, length, freezes=entry["kind"] == "deny"),
        )

    def _selections(self, entry: Mapping[str, Any]) -> list[Selection]:
        """Return what the window applies to: any of these; all of its lists must match with `andOperator`."""
        lists = [
            select(field, values, self._options.mapped, _application if field == "applications" else None)
            for field in ("applications", "namespaces", "clusters")
            if (values := _texts(entry, field))
        ]
        if not lists:
            raise MalformedValueError("it applies to nothing: it has no applications, namespaces or clusters")
        found = [join(lists)] if entry.get("andOperator", False) else lists
        return [self._within_project(each) for each in found]

    def _within_project(self, selection: Selection) -> Selection:
        """Return a selection of the project's own applications."""
        name = f"projects/{self._project.name}"
        mapped = self._options.mapped.get(name)
        if mapped is not None:
            field, value = mapped
            return join([selection, Selection(**{field: (value,)})])
        if self._single or (selection.services and not any("*" in each for each in selection.services)):
            return selection
        raise MalformedValueError(
            f"it applies to applications of the project {quoted(self._project.name)} only; say which "
            f"services these are with --map '{name}=service:NAME', or import one project at a time"
        )


def _check_keys(entry: Any) -> None:
    entry = with_known_keys(entry, _KEYS)
    if entry.get("kind") not in ("allow", "deny"):
        raise MalformedValueError("kind is neither allow nor deny")
    for key in _FLAGS:
        if not isinstance(entry.get(key, False), bool):
            raise MalformedValueError(f"{key} is neither true nor false")


def _text(entry: Mapping[str, Any], key: str) -> str:
    if not isinstance(entry.get(key), str):
        raise MalformedValueError(f"{key} is not a text")
    return str(entry[key])


def _texts(entry: Mapping[str, Any], key: str) -> list[str]:
    values = entry.get(key, [])
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise MalformedValueError(f"{key} is not a list of texts")
    return values


def _zone(entry: Mapping[str, Any], options: ImportOptions) -> str:
    name = entry.get("timeZone") or options.timezone or "UTC"
    if not isinstance(name, str) or name not in zone_names():
        raise MalformedValueError(
            f"timeZone {quoted(str(name))} is not an IANA time zone{did_you_mean(str(name), zone_names())}; "
            "Argo CD takes it for UTC without a word"
        )
    return name


def _application(text: str) -> str:
    return service_glob(text)


def _freeze(window: _SyncWindow) -> ImportedPolicy:
    described = window.description
    return ImportedPolicy(
        name=described or f"{window.project} deny {window.schedule}",
        title=described or f"No syncs of the project {window.project} ({window.schedule})",
        reason=f"Sync window of the Argo CD project {quoted(window.project)}: deny {window.schedule}",
        origins=[window.origin],
        when=window.lasting.windows,
        is_open=window.is_active,
        timezone=window.zone,
        applies_to=_selectors(window.selections),
        keys=_running(overrun=window.overrun),
        wider=wider_reason(
            window.zone, window.lasting.bounds, in_leap_years=window.lasting.longer_in_leap_years
        ),
    )


def _opening(
    project: str, windows: Sequence[AllowWindow], selection: Selection, exempt: Sequence[str]
) -> ImportedPolicy:
    origins: list[_SyncWindow] = [window.source for window in windows]
    described = ", ".join(dict.fromkeys(each.description for each in origins if each.description))
    return ImportedPolicy(
        name=described or f"{project} allow",
        title=described or f"Syncs of the project {project} in its windows only",
        reason=f"Sync windows of the Argo CD project {quoted(project)}: "
        + "; ".join(f"allow {each.schedule}" for each in origins),
        origins=[window.origin for window in windows],
        when=[each for window in windows for each in window.windows],
        is_open=lambda instant: any(each.is_active(instant) for each in origins),
        timezone=windows[0].zone,
        effect=Effect.ALLOW_ONLY,
        applies_to=_selectors([selection]),
        exempt=[{"services": list(exempt)}] if exempt else [],
        keys=_running(overrun=all(each.overrun for each in origins)),
        wider=wider_reason(
            windows[0].zone,
            [bound for each in origins for bound in each.lasting.bounds],
            in_leap_years=any(each.lasting.longer_in_leap_years for each in origins),
        ),
    )


def _selectors(selections: Sequence[Selection]) -> list[dict[str, Sequence[str]]]:
    """Return selectors; none if one of them is everything."""
    if any(each.is_everything for each in selections):
        return []
    return [each.to_selector() for each in selections]


def _running(*, overrun: bool) -> dict[str, str]:
    """Return whether a running sync may go on: `syncOverrun`, of all windows that allow it."""
    return {"running": "finish" if overrun else "stop"}
