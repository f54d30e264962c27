"""Which policies may apply to a request, found without asking every one of them."""

from collections.abc import Iterable, Sequence

from app.core.policy import Policy, Selector

_Key = tuple[str, str]


class Candidates:
    """The policies of a set by what a request must have for them to apply."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        """Index them; they are known by their places in the file."""
        self._index: dict[_Key | None, list[int]] = {}
        for number, policy in enumerate(policies):
            for key in _keys(policy):
                self._index.setdefault(key, []).append(number)

    def of(self, service: str, tags: Iterable[str]) -> list[int]:
        """Those that may apply to a service with these tags, in the order of the file; the others do not."""
        keys: list[_Key | None] = [None, ("service", service), *(("tag", tag) for tag in tags)]
        return sorted({number for key in keys for number in self._index.get(key, ())})


def _keys(policy: Policy) -> set[_Key | None]:
    """What a request must have, one of them at least, for the policy to apply; None if nothing."""
    selectors = policy.applies_to
    if not selectors:
        return {None}
    return {key for selector in selectors for key in _selector_keys(selector)}


def _selector_keys(selector: Selector) -> set[_Key | None]:
    for kind, names in (("service", selector.services), ("tag", selector.tags)):
        if names is not None and not any("*" in name for name in names):
            return {(kind, name) for name in names}
    return {None}
