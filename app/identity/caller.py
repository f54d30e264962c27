"""Callers and roles."""

import unicodedata
from enum import StrEnum
from typing import Final, NamedTuple

from app.core.policy import glob_pattern


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
    """The services, or patterns, that a caller of role ci is restricted to; None for all."""
    key_id: str | None = None
    """The id of the API key that was presented or that opened the session."""
    session_id: str | None = None
    """The id of the session, for a person in a browser."""
    person: str | None = None
    """The person behind the credentials, see `person_id`; None if they name none."""

    def may(self, role: Role) -> bool:
        """Return whether the caller has `role`."""
        return self.role is not None and self.role.covers(role)

    def may_claim(self, service: str) -> bool:
        """Return whether the caller may claim deploys of a service."""
        return self.services is None or glob_pattern(self.services).fullmatch(service) is not None


ANONYMOUS: Final = Caller("", None)
"""A caller without credentials, before the settings assign a role."""


def person_id(written: str) -> str:
    """Normalise a name for comparing persons: case, spacing and width of letters don't count."""
    # Normalised again: folding may decompose letters.
    folded = unicodedata.normalize("NFKC", written).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())
