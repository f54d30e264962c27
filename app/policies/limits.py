"""Limits on the size of a policy set and on the work of its windows.

A running gate answers questions while it loads a set, and keeps the present weeks of every policy in
memory. So both are bounded, far above what any organisation writes by hand.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from app.core.policy import PolicySet
from app.policies.check import entries
from app.yaml.compose import MOST_ENTRIES
from app.yaml.document import Document
from app.yaml.problem import Path, Problem

MOST_OPENINGS: Final = 30_000
"""Openings a day of all windows of a set. The engine keeps 97 days of them at a time."""


def too_large(documents: Sequence[Document]) -> Iterator[Problem]:
    """Report lists that are too long over all files; this comes before every other check."""
    for key in ("policies", "tests"):
        count = 0
        for document in documents:
            count += len(entries(document, key))
            if count > MOST_ENTRIES:
                yield document.problem_of_key(
                    (key,), f"a set may have {MOST_ENTRIES:,} {key} in all its files"
                )
                break


def too_much_work(policy_set: PolicySet, places: Sequence[tuple[Document, Path]]) -> Iterator[Problem]:
    """Report the policy at which the windows of a set exceed `MOST_OPENINGS`."""
    openings = 0
    for (document, path), policy in zip(places, policy_set.policies, strict=True):
        in_a_day = sum(entry.window.per_day() for entry in (*policy.when, *policy.except_when))
        openings += in_a_day * len(policy_set.zones_of(policy))
        if openings > MOST_OPENINGS:
            sentence = (
                f"with this policy the windows of the set open {openings:,} times a day; "
                f"{MOST_OPENINGS:,} is the limit. Write times such as */5 as one window of the whole period"
            )
            yield document.problem((*path, "when"), sentence)
            return
