"""The scope of a caller: the services that their actions reach."""

from collections.abc import Callable, Collection
from typing import NamedTuple

from app.core.policy import Selector, glob_pattern

TagsOf = Callable[[str], Collection[str]]
"""The tags of a service in the catalogue; none for a service outside it."""


class Scope(NamedTuple):
    """The services that match one of the patterns, or carry one of the tags.

    It covers a selection only if that can be proven for every service, also for one that appears tomorrow.
    """

    services: tuple[str, ...]
    """Names or patterns, as in policies."""
    tags: tuple[str, ...]
    """Tags of the catalogue, or patterns of them."""

    def covers(self, service: str, tags_of: TagsOf) -> bool:
        """Return whether a service, or each service that a pattern matches, lies within."""
        # A star of ours absorbs a star of theirs like any other letter, so this also compares patterns.
        if glob_pattern(self.services).fullmatch(service) is not None:
            return True
        # Services that match a pattern may carry any tags.
        return "*" not in service and any(map(self.covers_tag, tags_of(service)))

    def covers_selector(self, selector: Selector, tags_of: TagsOf) -> bool:
        """Return whether each service that a selector matches lies within; environments don't matter."""
        # A service must match both fields of a selector, so one of them within is enough.
        by_name = selector.services is not None and all(
            self.covers(each, tags_of) for each in selector.services
        )
        return by_name or (selector.tags is not None and all(map(self.covers_tag, selector.tags)))

    def covers_tag(self, tag: str) -> bool:
        """Return whether each service with a tag, or with one that a pattern matches, lies within."""
        return glob_pattern(self.tags).fullmatch(tag) is not None

    def in_words(self) -> str:
        """Return the scope as a noun phrase: ``the services team-a/* and those tagged team-a``."""
        parts = [f"the services {_listed(self.services)}"] if self.services else []
        if self.tags:
            parts.append(f"{'those' if parts else 'the services'} tagged {_listed(self.tags)}")
        return " and ".join(parts) or "no services"


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
