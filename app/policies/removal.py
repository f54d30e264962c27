"""Removals: policies and tests that a change of the files removed, and events that a calendar has lost.

An interrupted copy looks like a change that removes policies. It is put in force, because most removals are
intended, and reported for a day or until it is undone.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, Self

from app.core.calendar_loss import loss
from app.core.counted import counted, noun_for
from app.core.instant import DAY, format_instant
from app.core.notification import one_line
from app.core.policy import PolicySet
from app.core.wallclock import Wall
from app.core.windows.icalendar import ICalendar
from app.policies.calendars.unloaded import subscribed, without_fetched
from app.policies.source import Snapshot
from app.yaml.compose import read_document

REPORTED_FOR: Final = DAY
"""Seconds for which a removal is reported."""

MOST_KEPT: Final = 1_000
"""Removals kept; a set of many thousand policies may be emptied by mistake."""


MOST_NAMED: Final = 20
"""Removals that a sentence names; the rest are counted."""


class Contents(NamedTuple):
    """The names of a set's policies and tests; tests without a name go by their question."""

    policies: tuple[str, ...]
    tests: tuple[str, ...]

    @classmethod
    def of(cls, policy_set: PolicySet) -> Self:
        """Return the contents of a set."""
        return cls(
            tuple(policy.id for policy in policy_set.policies),
            tuple(_test_name(test.name, test.service, test.at) for test in policy_set.tests),
        )

    @classmethod
    def of_texts(cls, snapshot: Snapshot) -> Self:
        """Return the contents of a set that an earlier version accepted, even if this one would not."""
        files = [read_document(name, text).data for name, text in snapshot.policies.items()]
        tests = [test for test in _entries(files, "tests") if isinstance(test.get("service"), str)]
        return cls(
            tuple(
                policy["id"] for policy in _entries(files, "policies") if isinstance(policy.get("id"), str)
            ),
            tuple(_test_name(test.get("name"), test["service"], str(test.get("at"))) for test in tests),
        )

    def under(self, names: Mapping[str, str]) -> Self:
        """Return the contents with the policies that were renamed under their new ids."""
        return self._replace(policies=tuple(names.get(each, each) for each in self.policies))


class Removal(NamedTuple):
    """A policy or test that a change removed, or most of the coming events of a calendar by URL."""

    kind: Literal["policy", "test", "calendar"]
    name: str
    """Of the policy or test; of a calendar with what it has lost."""
    at: int
    """When the set without it was loaded, in seconds since the Unix epoch."""


def lost_events(before: PolicySet, after: PolicySet, now: int) -> tuple[Removal, ...]:
    """Return the calendars by URL that have lost half of their coming events or more.

    Only windows that are otherwise the same are compared: a changed window is a change of the files.
    """
    wall = Wall.of(after.home, wide=True)
    losses = {
        new.name: loss(old.coming(now, wall), new.coming(now, wall)) for old, new in _changed(before, after)
    }
    return tuple(
        Removal("calendar", f"{name}: {each.words}", now) for name, each in losses.items() if each.is_large
    )


def _changed(before: PolicySet, after: PolicySet) -> Iterator[tuple[ICalendar, ICalendar]]:
    known = {_identity(window): window for window in _by_url(before)}
    for window in _by_url(after):
        old = known.get(_identity(window))
        if old is not None and old != window:
            yield old, window


def _by_url(policy_set: PolicySet) -> Iterator[ICalendar]:
    return (window for policy in policy_set.policies for window in subscribed(policy))


def renamed(before: PolicySet, after: PolicySet) -> dict[str, str]:
    """Return the new id of each policy that has another one and vetoes the same.

    The events of calendars by URL don't count: they change by themselves.
    """
    old, new = _without_ids_of(before, after), _without_ids_of(after, before)
    if not (old.policies and new.policies):
        return {}
    # Only a change of ids needs it, and commands that load policies to show their hours start without it.
    from app.core.diff.policies import alike, pair

    old, new = without_fetched(old), without_fetched(new)
    same = alike(old, new, pair(old, new))
    return {old.policies[one].id: new.policies[other].id for other, one in same.items()}


def _without_ids_of(policy_set: PolicySet, other: PolicySet) -> PolicySet:
    ids = {policy.id for policy in other.policies}
    return policy_set.model_copy(
        update={"policies": [each for each in policy_set.policies if each.id not in ids]}
    )


def removals(
    before: Contents, after: Contents, known: Iterable[Removal], now: int, lost: Iterable[Removal] = ()
) -> tuple[Removal, ...]:
    """Return the removals of a change, and the earlier ones that are still missing.

    A test is changed more often than removed, and has no id. So tests count as removed only if there are
    fewer of them than before.

    Args:
        before: the contents of the set that was in force, `under` the ids that its policies have now.
        after: the contents of the set that takes its place.
        known: removals up to now.
        now: when the change is loaded.
        lost: see `lost_events`.
    """
    removed = [*lost]
    removed += [Removal("policy", name, now) for name in set(before.policies) - set(after.policies)]
    if len(after.tests) < len(before.tests):
        removed += [Removal("test", name, now) for name in Counter(before.tests) - Counter(after.tests)]
    there = {("policy", name) for name in after.policies} | {("test", name) for name in after.tests}
    earliest: dict[tuple[str, str], Removal] = {}
    for each in (*current(known, now), *removed):
        if (each.kind, each.name) not in there:
            earliest.setdefault((each.kind, each.name), each)
    return tuple(sorted(earliest.values())[:MOST_KEPT])


def current(known: Iterable[Removal], now: int) -> tuple[Removal, ...]:
    """Return the removals that are not a day old yet."""
    return tuple(each for each in known if now < each.at + REPORTED_FOR)


def in_words(known: Sequence[Removal]) -> list[str]:
    """Return a sentence for each change that took something away: what, when, and what to do."""
    by_change: dict[int, list[Removal]] = {}
    for each in known:
        if each.kind != "calendar":
            by_change.setdefault(each.at, []).append(each)
    of_files = [
        f"{_what(gone)} from the policy files at {format_instant(at)}: {_names(gone)}. "
        "If that was not meant, an interrupted copy may be the cause; put the files back."
        for at, gone in sorted(by_change.items())
    ]
    of_calendars = [
        f"A calendar has lost coming events at {format_instant(each.at)}, as two fetches found: "
        f"{one_line(each.name)}. If that was not meant, put them back."
        for each in known
        if each.kind == "calendar"
    ]
    return [*of_files, *of_calendars]


def _identity(window: ICalendar) -> tuple[str | None, str | None, str]:
    return window.url, window.summary, window.free


def _what(gone: Sequence[Removal]) -> str:
    counts = Counter(each.kind for each in gone)
    several = {"policy": "policies", "test": "tests"}
    parts = [counted(count, kind, several[kind]) for kind, count in sorted(counts.items())]
    return f"{' and '.join(parts)} {noun_for(len(gone), 'was', 'were')} removed"


def _names(gone: Sequence[Removal]) -> str:
    shown = ", ".join(one_line(each.name) for each in gone[:MOST_NAMED])
    return f"{shown} and {len(gone) - MOST_NAMED} more" if len(gone) > MOST_NAMED else shown


def _test_name(name: object, service: str, at: str) -> str:
    return name if isinstance(name, str) else f"{service} at {at}"


def _entries(files: Sequence[Any], key: str) -> Iterator[dict[str, Any]]:
    for data in files:
        found = data.get(key) if isinstance(data, dict) else None
        yield from (each for each in (found if isinstance(found, list) else ()) if isinstance(each, dict))
