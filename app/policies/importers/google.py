"""Deploy policies of Google Cloud Deploy, as gcloud exports or describes them, in YAML or JSON.

Each rule becomes a policy: delivery pipelines are services, targets are environments. A rule restricts
actions on rollouts. Freezegate is asked before a rollout, its phases, and a rollback; the report names other
actions.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from app.core.decision_text import one_line
from app.core.errors import MalformedValueError
from app.core.instant import DAY, HOUR, MINUTE
from app.core.notation import parse_date_bound, parse_end_of_day, parse_zone_name
from app.core.wallclock import Zone, local_day, weekday, zone
from app.policies.importers.documents import (
    json_document,
    mappings,
    origin_of,
    origin_of_problem,
    yaml_documents,
)
from app.policies.importers.imported import Imported, ImportedPolicy, ImportOptions, Origin, SourceText
from app.policies.importers.spans import ALWAYS, Entry, on_days, once
from app.yaml.document import Document
from app.yaml.problem import Path, quoted

_WEEKDAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_ACTIONS: Final = (
    "ADVANCE",
    "APPROVE",
    "CANCEL",
    "CREATE",
    "IGNORE_JOB",
    "RETRY_JOB",
    "ROLLBACK",
    "TERMINATE_JOBRUN",
)
_GATED: Final = frozenset({"CREATE", "ROLLBACK"})
"""The actions before which freezegate is asked."""

_ADVANCE: Final = "ADVANCE"
"""The next phase of a rollout: a claim that continues an earlier one."""

_INVOKERS: Final = {"USER", "DEPLOY_AUTOMATION"}
_SELECTED: Final = {"deliveryPipeline": "services", "target": "environments"}
"""The parts of a selector, each with the field of ours that it becomes."""

_Selector = dict[str, list[str]]

_LONGEST: Final = 400
"""Characters of a description that become the title."""


def read(sources: Sequence[SourceText], options: ImportOptions) -> Imported:
    """Read the deploy policies of files; other resources in them are left alone."""
    imported = Imported()
    for source in sources:
        for document in _documents(source):
            for problem in document.problems:
                imported.refuse(origin_of_problem(problem), problem.message)
            for path, policy in _policies(document.data):
                _Reader(document, path, imported, options).read(policy)
    return imported


def _documents(source: SourceText) -> Iterator[Document]:
    if source.text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        yield json_document(source)
    else:
        yield from yaml_documents(source)


def _policies(data: Any, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield each deploy policy of a document: itself, or those of a list."""
    if isinstance(data, list):
        for number, each in enumerate(data):
            yield from _policies(each, (*path, number))
    elif isinstance(data, dict):
        if isinstance(data.get("deployPolicies"), list):
            yield from _policies(data["deployPolicies"], (*path, "deployPolicies"))
        elif "rules" in data and data.get("kind", "DeployPolicy") == "DeployPolicy":
            yield path, data


class _Span(NamedTuple):
    """A window of a rule on its wall clock."""

    days: frozenset[int]
    """The weekdays on which it opens; empty if it opens once."""
    start: int
    end: int
    """Local times; seconds of the day if it recurs."""

    def is_open(self, instant: int, where: Zone) -> bool:
        """Return whether it is open, at its widest where a bound occurs twice."""
        if not self.days:
            return where.earliest(self.start) <= instant < where.latest(self.end)
        today = where.local(instant) // DAY
        return any(
            where.earliest(day * DAY + self.start) <= instant < where.latest(day * DAY + self.end)
            for day in (today - 1, today, today + 1)
            if weekday(day) in self.days
        )

    def entries(self) -> list[Entry]:
        """Return its windows."""
        if not self.days:
            return [once(self.start, self.end)]
        if len(self.days) == len(_WEEKDAYS) and self.end - self.start == DAY:
            return [ALWAYS]
        return on_days(self.days, self.start, self.end - self.start)


class _Reader:
    """Read one deploy policy."""

    def __init__(self, document: Document, path: Path, imported: Imported, options: ImportOptions) -> None:
        self._document = document
        self._path = path
        self._imported = imported
        self._options = options

    def read(self, policy: Mapping[str, Any]) -> None:
        """Add a policy for each rule."""
        name, rules = _name(policy), policy["rules"]
        if not isinstance(rules, list):
            self._imported.refuse(origin_of(self._document, (*self._path, "rules"), name), "expected a list")
            return
        for number, rule in enumerate(rules):
            path = (*self._path, "rules", number)
            origin = origin_of(self._document, path, one_line(f"{name}/{_rule_id(rule, number)}"))
            if policy.get("suspended") not in (None, False):
                self._imported.found += 1
                self._imported.differ(origin, "not imported: its policy is suspended and restricts nothing")
                continue
            try:
                self._rule(policy, rule, (*path, "rolloutRestriction"), origin)
            except MalformedValueError as error:
                self._imported.found += 1
                self._imported.refuse(origin, str(error))

    def _rule(self, policy: Mapping[str, Any], rule: Any, path: Path, origin: Origin) -> None:
        restriction = _restriction(rule)
        _check_invokers(restriction)
        changes, exempt = _changes(_texts(restriction, "actions"))
        selectors = self._selectors(policy, changes)
        written = restriction.get("timeWindows")
        if not isinstance(written, dict):
            raise MalformedValueError("it has no timeWindows")
        where = zone(parse_zone_name(str(written.get("timeZone", ""))))
        spans = list(self._spans(written, (*path, "timeWindows"), origin.window))
        if not spans:
            return
        if sentence := _not_gated(_texts(restriction, "actions")):
            self._imported.differ(origin, sentence)
        self._imported.policies.append(
            ImportedPolicy(
                name=origin.window,
                title=_title(policy, restriction),
                reason=f"The deploy policy {_name(policy)} of Google Cloud Deploy restricts rollouts now.",
                origins=[origin],
                timezone=where.name,
                when=[entry for span in spans for entry in span.entries()],
                is_open=lambda instant: any(span.is_open(instant, where) for span in spans),
                applies_to=selectors,
                exempt=exempt,
                keys={"running": "stop"} if _stops_running(_texts(restriction, "actions")) else {},
            )
        )

    def _selectors(self, policy: Mapping[str, Any], changes: list[str]) -> list[_Selector]:
        written = policy.get("selectors")
        if not isinstance(written, list) or not written:
            raise MalformedValueError("the policy has no selectors")
        found = [self._selector(each) for each in written]
        # An empty one selects everything, whatever the others say.
        fields: list[_Selector] = [] if {} in found else found
        if changes:
            return [{**each, "changes": changes} for each in fields or [{}]]
        return fields

    def _selector(self, selector: Any) -> _Selector:
        if not isinstance(selector, dict) or not selector or not set(selector) <= set(_SELECTED):
            raise MalformedValueError("a selector has a deliveryPipeline, a target, or both")
        found: _Selector = {}
        for key, field in _SELECTED.items():
            for name, value in self._meant(key, field, selector.get(key)):
                found.setdefault(name, []).append(value)
        return found

    def _meant(self, key: str, field: str, attribute: Any) -> Iterator[tuple[str, str]]:
        """Yield field and value for an attribute of a selector."""
        if attribute is None:
            return
        name, labels = _condition(key, attribute)
        for label, value in labels.items():
            written = f"{label}={value}"
            if written not in self._options.mapped:
                raise MalformedValueError(
                    f"freezegate doesn't know the labels of a {key}; say what {quoted(written)} stands "
                    f"for, with --map {written}={field.removesuffix('s')}:NAME"
                )
            yield self._options.mapped[written]
        if name != "*":
            yield field, name

    def _spans(self, written: Mapping[str, Any], path: Path, label: str) -> Iterator[_Span]:
        for key, read_window in (("oneTimeWindows", _one_time), ("weeklyWindows", _weekly)):
            for number, window in enumerate(mappings(written.get(key))):
                self._imported.found += 1
                try:
                    yield _lasting(read_window(window))
                except (MalformedValueError, TypeError, ValueError) as error:
                    origin = origin_of(self._document, (*path, key, number), f"{label}: {key}[{number}]")
                    self._imported.refuse(origin, str(error))


def _restriction(rule: Any) -> dict[str, Any]:
    if not isinstance(rule, dict) or set(rule) != {"rolloutRestriction"}:
        raise MalformedValueError("a rule of this kind is unknown; it has one rolloutRestriction")
    if not isinstance(rule["rolloutRestriction"], dict):
        raise MalformedValueError("its rolloutRestriction is empty")
    return rule["rolloutRestriction"]


def _name(policy: Mapping[str, Any]) -> str:
    metadata = policy.get("metadata")
    written = metadata.get("name") if isinstance(metadata, dict) else policy.get("name")
    return str(written or "deploy-policy").rpartition("/")[2]


def _rule_id(rule: Any, number: int) -> Any:
    restriction = rule.get("rolloutRestriction") if isinstance(rule, dict) else None
    return restriction.get("id", number) if isinstance(restriction, dict) else number


def _title(policy: Mapping[str, Any], restriction: Mapping[str, Any]) -> str:
    described = one_line(str(policy.get("description") or "")).strip()[:_LONGEST]
    title = described or f"No rollouts: {_name(policy)}"
    return title if len(policy["rules"]) == 1 else f"{title} ({restriction.get('id')})"


def _check_invokers(restriction: Mapping[str, Any]) -> None:
    invokers = set(_texts(restriction, "invokers")) or _INVOKERS
    if invokers != _INVOKERS:
        raise MalformedValueError(
            f"it restricts {' and '.join(sorted(invokers))} only; freezegate makes no difference "
            "between people and automation"
        )


def _changes(actions: Sequence[str]) -> tuple[list[str], list[_Selector]]:
    """Return the kinds of change that a rule is about, all if empty, and its exemptions."""
    if unknown := [each for each in actions if each not in _ACTIONS]:
        raise MalformedValueError(f"the action {quoted(unknown[0])} is unknown")
    gated = _GATED & set(actions or _GATED)
    if not gated:
        raise MalformedValueError(
            f"it restricts {', '.join(actions)} only; freezegate is asked before a rollout or rollback starts"
        )
    if "CREATE" not in gated:
        return ["rollback"], []
    return [], [] if "ROLLBACK" in gated else [{"changes": ["rollback"]}]


def _stops_running(actions: Sequence[str]) -> bool:
    """Return whether a rule keeps a running rollout from its next phase."""
    return not actions or _ADVANCE in actions


def _not_gated(actions: Sequence[str]) -> str | None:
    """Return a sentence on the actions that stay unrestricted; None if there are none."""
    others = ", ".join(each for each in actions if each not in (*_GATED, _ADVANCE))
    if actions and not others:
        return None
    return (
        f"it restricts {others or 'all other actions'} as well; freezegate is asked before a rollout, its "
        "phases, or a rollback"
    )


def _condition(key: str, attribute: Any) -> tuple[str, dict[str, Any]]:
    """Return the name or the label that an attribute of a selector must have."""
    if not isinstance(attribute, dict):
        raise MalformedValueError(f"{key} is no mapping")
    name, labels = attribute.get("id"), attribute.get("labels") or {}
    if not isinstance(labels, dict) or not (labels or name):
        raise MalformedValueError(f"{key} has neither an id nor labels")
    if len(labels) + (name not in (None, "*")) > 1:
        raise MalformedValueError(f"{key} has more than one condition, all of which must match")
    return str(name or "*"), labels


def _texts(written: Mapping[str, Any], key: str) -> list[str]:
    """Return the words of a list; none if it is missing."""
    found = written.get(key) or []
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise MalformedValueError(f"{key} is a list of words")
    return found


def _lasting(span: _Span) -> _Span:
    if span.end <= span.start:
        raise MalformedValueError("it doesn't end after it begins")
    return span


def _weekly(window: Mapping[str, Any]) -> _Span:
    _only(window, "daysOfWeek", "startTime", "endTime")
    days = _texts(window, "daysOfWeek") or _WEEKDAYS
    if unknown := [day for day in days if day not in _WEEKDAYS]:
        raise MalformedValueError(f"{quoted(unknown[0])} is no weekday")
    if ("startTime" in window) != ("endTime" in window):
        raise MalformedValueError("startTime and endTime go together")
    times = (_time(window["startTime"]), _time(window["endTime"])) if "startTime" in window else (0, DAY)
    return _Span(frozenset(_WEEKDAYS.index(day) for day in days), *times)


def _one_time(window: Mapping[str, Any]) -> _Span:
    if "start" in window:  # as `gcloud deploy deploy-policies export` writes it
        _only(window, "start", "end")
        return _Span(frozenset(), _moment(window["start"]), _moment(window.get("end")))
    _only(window, "startDate", "startTime", "endDate", "endTime")
    bounds = [
        _date(window.get(f"{edge}Date")) * DAY + _time(window.get(f"{edge}Time", {}))
        for edge in ("start", "end")
    ]
    return _Span(frozenset(), *bounds)


def _only(window: Mapping[str, Any], *keys: str) -> None:
    if unknown := [key for key in window if key not in keys]:
        raise MalformedValueError(f"the key {quoted(str(unknown[0]))} is unknown")


def _moment(text: Any) -> int:
    """Return the local time of ``2026-12-20 17:00``; it may be 24:00 of a day."""
    day, _, time = str(text).replace("T", " ").partition(" ")
    return parse_date_bound(day).day * DAY + (parse_end_of_day(time) if time else 0)


def _date(written: Any) -> int:
    if not isinstance(written, dict):
        raise MalformedValueError("it has no date")
    return local_day(date(*(written.get(part, 0) for part in ("year", "month", "day"))))


def _time(written: Any) -> int:
    """Return the seconds of a time of day: ``17:00``, or its parts, of which zero is left out."""
    if isinstance(written, str):
        return parse_end_of_day(written)
    if not isinstance(written, dict) or written.get("nanos"):
        raise MalformedValueError("a time of day has hours, minutes and seconds")
    hours, minutes, seconds = (written.get(part, 0) for part in ("hours", "minutes", "seconds"))
    total = int(hours) * HOUR + int(minutes) * MINUTE + int(seconds)
    if not 0 <= total <= DAY:
        raise MalformedValueError("a time of day is between 00:00 and 24:00")
    return total
