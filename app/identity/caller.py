"""Callers and roles."""

import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from app.identity.scope import Scope, TagsOf


class Role(StrEnum):
    """The roles; each includes those before it."""

    VIEWER = "viewer"
    CI = "ci"
    OPS = "ops"
    ADMIN = "admin"

    def covers(self, other: "Role") -> bool:
        """Return whether this role includes the other."""
        return _ORDER[self] >= _ORDER[other]


_ORDER: Final = {role: place for place, role in enumerate(Role)}


class Caller(NamedTuple):
    """The caller of a request."""

    name: str
    """The name of a person or machine; empty for an anonymous caller."""
    role: Role | None
    """None: no access to anything that needs a role."""
    services: tuple[str, ...] | None = None
    """The services, or patterns, that the caller's actions are restricted to; see `scope`."""
    key_id: str | None = None
    """The id of the API key that was presented or that opened the session."""
    session_id: str | None = None
    """The id of the session, for a person in a browser."""
    person: str | None = None
    """The person behind the credentials, see `person_id`; None if they name none."""
    tags: tuple[str, ...] | None = None
    """The tags of the services that the caller's actions are restricted to; see `scope`."""

    @property
    def scope(self) -> Scope | None:
        """The services that the caller's actions reach; None for all."""
        if self.services is None and self.tags is None:
            return None
        return Scope(self.services or (), self.tags or ())

    def may(self, role: Role) -> bool:
        """Return whether the caller has `role`."""
        return self.role is not None and self.role.covers(role)

    def may_operate(self, services: Iterable[str], tags_of: TagsOf) -> bool:
        """Return whether each of some services, or patterns, lies within the caller's scope."""
        scope = self.scope
        return scope is None or all(scope.covers(each, tags_of) for each in services)


ANONYMOUS: Final = Caller("", None)
"""A caller without credentials, before the settings assign a role."""


def person_id(written: str) -> str:
    """Normalise a name for comparing persons: case, spacing and width of letters don't count."""
    # Normalised again: folding may decompose letters.
    folded = unicodedata.normalize("NFKC", written).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())
