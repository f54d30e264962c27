"""Compare two policy sets by content: their files by text, their policies by what they mean.

Comments, order and layout don't count, nor do the events of calendars by URL: those change by themselves.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple, Self

from app.core import calendar_url
from app.core.diff.policies import pair, policy_changes
from app.core.diff.result import PolicyChange
from app.core.policy import PolicySet
from app.policies.draft import read_draft
from app.policies.source import Snapshot
from app.yaml.problem import Problem

NO_POLICIES: Final = PolicySet.model_validate({"version": 1, "policies": []})
"""Stands for the set before the first one."""

_OF_POLICIES: Final = frozenset({"policies", "defaults"})


class FileChange(NamedTuple):
    """A file, or a calendar by URL, whose text differs."""

    name: str
    kind: Literal["added", "removed", "changed"]


class SetChange(NamedTuple):
    """The differences of two policy sets."""

    files: tuple[FileChange, ...]
    policies: tuple[PolicyChange, ...]
    keys: tuple[str, ...]
    """Top-level keys other than `policies` whose values differ."""

    @classmethod
    def of(cls, before: tuple[Snapshot, PolicySet] | None, after: tuple[Snapshot, PolicySet]) -> Self:
        """Compare two sets by their texts and `contents`; `before` is None for the first one."""
        old_texts, old = ({}, NO_POLICIES) if before is None else (_texts(before[0]), before[1])
        files = tuple(_changed_files(old_texts, _texts(after[0])))
        keys = () if before is None else tuple(_changed_keys(old, after[1]))
        old, new = _in_own_zones(old, after[1])
        return cls(files, policy_changes(old, new, pair(old, new)), keys)


def own_files(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot without the calendars by URL."""
    files = {name: text for name, text in snapshot.calendars.items() if not calendar_url.is_masked(name)}
    return Snapshot(snapshot.policies, files)


def contents(files: Snapshot) -> PolicySet | Problem:
    """Return the content of `own_files`, or the first problem of a set that this version does not accept."""
    draft = read_draft(files)
    return draft.errors[0] if draft.policy_set is None else draft.policy_set


def _in_own_zones(before: PolicySet, after: PolicySet) -> tuple[PolicySet, PolicySet]:
    """Return sets whose policies state their zones, if the zones of the sets differ."""
    if before.timezone == after.timezone or not before.policies:
        return before, after
    one, other = (
        each.model_copy(
            update={
                "policies": [
                    policy.model_copy(update={"timezone": policy.timezone or each.timezone})
                    for policy in each.policies
                ]
            }
        )
        for each in (before, after)
    )
    return one, other


def _changed_keys(before: PolicySet, after: PolicySet) -> Iterator[str]:
    for name in PolicySet.model_fields:
        if name not in _OF_POLICIES and getattr(before, name) != getattr(after, name):
            yield name


def _texts(snapshot: Snapshot) -> Mapping[str, str]:
    calendars = {
        calendar_url.label(name) if calendar_url.is_masked(name) else name: text
        for name, text in snapshot.calendars.items()
    }
    return {**calendars, **snapshot.recorded_policies}


def _changed_files(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[FileChange]:
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield FileChange(name, "removed")
        elif name not in old:
            yield FileChange(name, "added")
        elif old[name] != new[name]:
            yield FileChange(name, "changed")
