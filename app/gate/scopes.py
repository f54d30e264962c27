"""Refuse what lies outside a caller's scope: a team freezes and overrides only its own services."""

from collections.abc import Iterable

from app.core.policy import PolicySet, Selector
from app.gate.errors import ForbiddenError
from app.gate.in_force import Policies
from app.identity.caller import Caller
from app.identity.scope import Scope


def check_services(caller: Caller, services: Iterable[str], known: PolicySet) -> None:
    """Check that services, or patterns of them, lie within a caller's scope.

    Raises:
        ForbiddenError: one doesn't, or it can't be proven; the sentence says whose scope it is.
    """
    scope = caller.scope
    outside = [] if scope is None else [each for each in services if not scope.covers(each, known.tags_of)]
    if scope is not None and outside:
        raise ForbiddenError(f"{_whose(caller.name, scope)}; outside of it: {', '.join(outside)}")


def check_selector(caller: Caller, selector: Selector, known: PolicySet) -> None:
    """Check that each service that a freeze may stop lies within a caller's scope.

    Raises:
        ForbiddenError: one may lie outside; the sentence says whose scope it is, and what to name.
    """
    scope = caller.scope
    if scope is None or scope.covers_selector(selector, known.tags_of):
        return
    services = [each for each in selector.services or () if not scope.covers(each, known.tags_of)]
    tags = [f"the tag {each}" for each in selector.tags or () if not scope.covers_tag(each)]
    outside = ", ".join((*services, *tags)) or "all services, for none is named"
    raise ForbiddenError(f"{_whose(caller.name, scope)}; outside of it: {outside}")


class ScopeCheck:
    """The checks above against the policies in force, which only callers with a scope need."""

    def __init__(self, policies: Policies) -> None:
        """Find the tags of services in `policies`."""
        self._policies = policies

    def services(self, caller: Caller, services: Iterable[str]) -> None:
        """See `check_services`."""
        if caller.scope is not None:
            check_services(caller, services, self._policies.in_force.policy_set)

    def selector(self, caller: Caller, selector: Selector) -> None:
        """See `check_selector`."""
        if caller.scope is not None:
            check_selector(caller, selector, self._policies.in_force.policy_set)


def _whose(name: str, scope: Scope) -> str:
    return f"{name} may act only on {scope.in_words()}"
