"""The windows of a policy, each with its path in the file and its effect on deploys."""

from collections.abc import Iterator
from typing import NamedTuple

from app.core.policy import Effect, Policy
from app.core.windows import WindowEntry
from app.yaml.problem import Path


class PlacedWindow(NamedTuple):
    """A window and its place in a policy."""

    entry: WindowEntry
    beside: tuple[WindowEntry, ...]
    """All windows of the same list, this one included."""
    path: Path
    """The path within the policy: ``("when", 0, "weekly")``."""
    freezes: bool
    """Whether deploys are refused while it is open."""


def placed_windows(policy: Policy) -> Iterator[PlacedWindow]:
    """Yield the windows of a policy, those of `when` first."""
    opens = policy.effect is Effect.ALLOW_ONLY
    for key, entries, freezes in (
        ("when", policy.when, not opens),
        ("except_when", policy.except_when, opens),
    ):
        for index, entry in enumerate(entries):
            yield PlacedWindow(entry, tuple(entries), (key, index, entry.kind), freezes)
