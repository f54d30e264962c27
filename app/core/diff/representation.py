"""The JSON representation of a difference, shared by the API and the CLI."""

from typing import Any

from app.core.diff.result import Diff, Difference, Hours, NameChanges, ServiceGroup, SetNames, UnlistedNames
from app.core.diff.words import in_words
from app.core.instant import format_instant
from app.core.wallclock import Zone


def to_json(
    found: Diff, zone: Zone, old_revision: str | None = None, new_revision: str | None = None
) -> dict[str, Any]:
    """Return the JSON representation of a difference.

    Args:
        found: the difference.
        zone: the zone of local times in its `in_words`; the new set's.
        old_revision: the revision of the old policies, where it is known.
        new_revision: that of the new ones.
    """
    return {
        "from": format_instant(found.period[0]),
        "to": format_instant(found.period[1]),
        "timezone": zone.name,
        "old_revision": old_revision,
        "new_revision": new_revision,
        "differs": not found.is_empty,
        "opens": found.opens,
        "closes": found.closes,
        "policies": [each._asdict() | {"fields": list(each.fields)} for each in found.policies],
        "names": _names(found.names),
        "differences": [_difference(each, found) for each in found.differences],
        "complete": found.is_complete,
        "limits": list(found.limits),
        "in_words": in_words(found, zone),
    }


def _names(names: NameChanges) -> dict[str, Any]:
    return {
        "added": _set_names(names.added),
        "removed": _set_names(names.removed),
        "changed_services": list(names.changed_services),
        "settings": [each._asdict() for each in names.settings],
    }


def _set_names(names: SetNames) -> dict[str, Any]:
    return {field: list(values) for field, values in names._asdict().items()}


def _difference(each: Difference, found: Diff) -> dict[str, Any]:
    return {
        "environments": list(each.environments),
        "changes": list(each.changes),
        "services": _services(each.services, found),
        "hours": list(map(_hours, each.hours)),
    }


def _services(group: ServiceGroup, found: Diff) -> dict[str, Any]:
    """Return the services; `except` has the unlisted ones that don't belong to the others."""
    apart = [each for each in found.singled_out if each not in group.patterns] if group.others else []
    return {
        "names": list(group.names),
        "patterns": list(map(_unlisted, group.patterns)),
        "others": group.others,
        "except": list(map(_unlisted, apart)),
    }


def _unlisted(each: UnlistedNames) -> dict[str, Any]:
    return {"globs": list(each.globs), "sample": each.sample}


def _hours(hours: Hours) -> dict[str, Any]:
    return {
        "from": format_instant(hours.start),
        "to": format_instant(hours.end),
        "opens": hours.opens,
        "before": list(hours.before),
        "after": list(hours.after),
        "refused": hours.refused,
    }
