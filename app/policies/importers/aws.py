"""AWS: change calendars of Systems Manager, and deployment windows of CodePipeline.

A change calendar is an iCalendar text, by itself or in the answer of `aws ssm get-document`. A pipeline is
the answer of `aws codepipeline get-pipeline`: conditions before a stage allow deploys in a window.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from app.core.counted import counted
from app.core.errors import MalformedValueError
from app.core.policy import Effect
from app.core.wallclock import Zone, zone, zone_names
from app.policies.importers.aws_cron import Window, read_window
from app.policies.importers.calendars import OPENS, CalendarText, add_calendar, calendar_type
from app.policies.importers.documents import (
    json_document,
    mappings,
    origin_of,
    origin_of_problem,
    yaml_documents,
)
from app.policies.importers.fixed_zones import zone_ahead_of_utc
from app.policies.importers.imported import (
    Imported,
    ImportedPolicy,
    ImportOptions,
    Origin,
    Remark,
    SourceText,
)
from app.policies.importers.wall_windows import WIDER_IN_REPEATED_HOUR, is_repeated
from app.yaml.document import Document
from app.yaml.problem import Path, quoted

_CALENDAR: Final = "BEGIN:VCALENDAR"
_TYPES: Final = ("DEFAULT_OPEN", OPENS)
_CONDITIONS: Final = ("beforeEntry", "onSuccess", "onFailure")
_OFFSET: Final = re.compile(r"UTC([+-])(\d\d):(\d\d)", re.ASCII)
_ABBREVIATIONS: Final = {"PST": "America/Los_Angeles", "JST": "Asia/Tokyo"}
"""Abbreviations that stand for one zone only, as Java reads them."""


def read(sources: Sequence[SourceText], options: ImportOptions) -> Imported:
    """Return the change calendars and the deployment windows of files."""
    imported = Imported()
    for source in sources:
        if source.text.lstrip("\ufeff \r\n\t").upper().startswith(_CALENDAR):
            origin = Origin(source.name, 1, 1, "the calendar")
            _calendar(CalendarText(origin, PurePath(source.name).name, source.text), imported, options)
        else:
            for document in _documents(source):
                _read_document(document, imported, options)
    return imported


def _documents(source: SourceText) -> Iterator[Document]:
    if source.text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        yield json_document(source)
    else:
        yield from yaml_documents(source)


def _read_document(document: Document, imported: Imported, options: ImportOptions) -> None:
    imported.refused += [Remark(origin_of_problem(each), each.message) for each in document.problems]
    [data, *_] = [*mappings([document.data]), {}]
    path: Path = ("pipeline",) if isinstance(data.get("pipeline"), dict) else ()
    pipeline = data["pipeline"] if path else data
    if _is_calendar(data):
        name = str(data.get("Name") or "change-calendar").rpartition("/")[2]
        origin = origin_of(document, ("Content",), name)
        _calendar(CalendarText(origin, name, data["Content"], has_lines=False), imported, options)
    elif isinstance(pipeline.get("stages"), list):
        _Pipeline(document, path, pipeline, imported, options).read()
    elif not document.problems:
        imported.refuse(origin_of(document, (), "the file"), "neither a change calendar nor a pipeline")


def _is_calendar(data: Mapping[str, Any]) -> bool:
    content = data.get("Content")
    return isinstance(content, str) and content.lstrip().upper().startswith(_CALENDAR)


def _calendar(source: CalendarText, imported: Imported, options: ImportOptions) -> None:
    try:
        written = calendar_type(source.text)
    except MalformedValueError:
        written = _TYPES[0]  # the importer of calendars says why it can't be read
    if written in _TYPES:
        add_calendar(source, imported, options)
        return
    imported.found += 1
    sentence = "no change calendar: its X-CALENDAR-TYPE is neither DEFAULT_OPEN nor DEFAULT_CLOSED"
    imported.refuse(source.origin, f"{sentence}; import other calendars as ics")


class _Pipeline:
    """Read a pipeline."""

    def __init__(
        self,
        document: Document,
        path: Path,
        pipeline: Mapping[str, Any],
        imported: Imported,
        options: ImportOptions,
    ) -> None:
        self._document = document
        self._path = path
        self._stages = pipeline["stages"]
        self._name = str(pipeline.get("name") or "pipeline")
        self._imported = imported
        self._options = options

    def read(self) -> None:
        """Add a policy for each deployment window before a stage."""
        for number, stage in enumerate(self._stages):
            for kind in _CONDITIONS if isinstance(stage, dict) else ():
                written = stage.get(kind)
                conditions = written.get("conditions") if isinstance(written, dict) else None
                for index, condition in enumerate(mappings(conditions)):
                    path = (*self._path, "stages", number, kind, "conditions", index)
                    self._condition(stage, path, condition)

    def _condition(self, stage: Mapping[str, Any], path: Path, condition: Mapping[str, Any]) -> None:
        for index, rule in enumerate(mappings(condition.get("rules"))):
            self._imported.found += 1
            label = f"{self._name}/{stage.get('name')}/{rule.get('name', index)}"
            origin = origin_of(self._document, (*path, "rules", index), label)
            try:
                self._rule(stage, str(path[-3]), rule, origin)
            except MalformedValueError as error:
                self._imported.refuse(origin, str(error))
                continue
            if condition.get("result") == "ROLLBACK":
                sentence = "AWS rolls back outside of the window; freezegate refuses the deploy"
                self._imported.differ(origin, sentence)

    def _rule(self, stage: Mapping[str, Any], kind: str, rule: Mapping[str, Any], origin: Origin) -> None:
        configuration = _configuration(rule, kind)
        window = read_window(str(configuration.get("Cron", "")))
        where = self._zone(configuration.get("TimeZone"), origin)
        self._say(window, origin)
        when, except_when = window.windows()
        repeats = is_repeated(where.name, [bound for each in window.ranges for bound in each])
        self._imported.policies.append(
            ImportedPolicy(
                name=origin.window,
                title=f"Deploys of {self._name} to {stage.get('name')} only in their window",
                reason=f"The rule {quoted(str(rule.get('name')))} of the pipeline {self._name} says so.",
                origins=[origin],
                timezone=where.name,
                effect=Effect.ALLOW_ONLY,
                when=when,
                except_when=except_when,
                is_open=lambda instant: window.contains(where.local(instant)),
                applies_to=[self._selector(stage)],
                wider=WIDER_IN_REPEATED_HOUR if repeats else None,
            )
        )

    def _say(self, window: Window, origin: Origin) -> None:
        if not window.whole_hours:
            minutes = sum(end - start for start, end in window.ranges) // 60
            self._imported.differ(
                origin,
                f"allows {counted(minutes, 'minute')} of a day, as it is written; write * for the minutes "
                "if whole hours are meant",
            )

    def _selector(self, stage: Mapping[str, Any]) -> dict[str, list[str]]:
        selector: dict[str, list[str]] = {}
        for field, written in (("services", self._name), ("environments", str(stage.get("name")))):
            meant, name = self._options.mapped.get(written, (field, written.lower()))
            selector.setdefault(meant, []).append(name)
        return selector

    def _zone(self, written: Any, origin: Origin) -> Zone:
        name = str(written or "UTC")
        if name in zone_names():
            return zone(name)
        if match := _OFFSET.fullmatch(name):
            minutes = int(match[2]) * 60 + int(match[3])
            return zone(zone_ahead_of_utc(minutes if match[1] == "+" else -minutes))
        if name in _ABBREVIATIONS:
            self._imported.differ(origin, f"{name} is read as {_ABBREVIATIONS[name]}")
            return zone(_ABBREVIATIONS[name])
        raise MalformedValueError(
            f"TimeZone {quoted(name)} is no name such as Europe/Berlin, or stands for several zones"
        )


def _configuration(rule: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return the configuration of a rule that allows a stage to begin in a window.

    Raises:
        MalformedValueError: it is another rule.
    """
    type_id, configuration = rule.get("ruleTypeId"), rule.get("configuration")
    provider = type_id.get("provider") if isinstance(type_id, dict) else None
    if provider != "DeploymentWindow":
        raise MalformedValueError(f"a rule of {provider} is no window")
    if kind != "beforeEntry":
        raise MalformedValueError(
            f"{kind} is checked after the stage; move it to beforeEntry of the next one"
        )
    if not isinstance(configuration, dict):
        raise MalformedValueError("it has no configuration")
    return configuration
