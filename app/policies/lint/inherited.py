"""Remarks on the values that a file gives its policies: unused ones, and zones that don't reach services."""

from collections.abc import Iterator, Sequence

from app.core.policy import SERVICE_ZONE, PolicySet
from app.policies.check import entries
from app.yaml.document import Document
from app.yaml.problem import Path, quoted

Remark = tuple[Document, Path, str]


def inherited_remarks(documents: Sequence[Document], policy_set: PolicySet) -> Iterator[Remark]:
    """Yield remarks on the `defaults` and the `timezone` of each file."""
    by_service = any(policy.timezone == SERVICE_ZONE for policy in policy_set.policies)
    for document in documents:
        yield from _on_defaults(document)
        name = document.data.get("timezone", policy_set.timezone)
        if name != policy_set.timezone:
            if not _uses_zone(document):
                yield document, ("timezone",), "no policy and no test of this file uses it"
            if by_service:
                yield from _on_service_zones(document, policy_set, name)


def selector_path(document: Document, policy: Path, key: str, index: int) -> Path:
    """Return the path of a policy's selector: its own, of the defaults of its file, or its id without any.

    A policy of a team's file may have only the selector that `owners` gives it. A single selector may be
    written without a list.
    """
    defaults = document.data.get("defaults", {})
    if key in (own := document.data[policy[0]][policy[1]]):
        where, written = (*policy, key), own[key]
    elif key in defaults:
        where, written = ("defaults", key), defaults[key]
    else:
        return (*policy, "id")
    return (*where, index) if isinstance(written, list) else where


def _on_defaults(document: Document) -> Iterator[Remark]:
    policies = entries(document, "policies")
    for key in document.data.get("defaults", ()):
        if all(key in policy for policy in policies):
            why = "each policy of this file has its own" if policies else "this file has no policies"
            yield document, ("defaults", key), f"nothing uses it: {why}"


def _uses_zone(document: Document) -> bool:
    without = (each for each in entries(document, "policies") if "timezone" not in each)
    return bool(entries(document, "tests")) or next(without, None) is not None


def _on_service_zones(document: Document, policy_set: PolicySet, name: str) -> Iterator[Remark]:
    """Remark on policies by the service's zone in a file whose zone services without one don't get."""
    whose = _without_zone(policy_set)
    by_service = (
        index
        for index, policy in enumerate(entries(document, "policies"))
        if policy.get("timezone") == SERVICE_ZONE
    )
    for index in by_service if whose else ():
        sentence = (
            f"{whose} read in the zone of the set, {quoted(policy_set.timezone)}, not in that of this file, "
            f"{quoted(name)}; give services a timezone, or name the zone here"
        )
        yield document, ("policies", index, "timezone"), sentence


def _without_zone(policy_set: PolicySet) -> str:
    """Return the beginning of the sentence on services without a zone; empty if there are none."""
    unzoned = [name for name, each in (policy_set.services or {}).items() if each.timezone is None]
    if unzoned:
        return f"the service {quoted(unzoned[0])} has no timezone and is"
    return "" if policy_set.refuses_unknown else "services outside the catalogue are"
