"""Who asks, and what they may do."""

import unicodedata
from enum import StrEnum
from typing import Final, NamedTuple

from app.core.policy import glob_pattern


class Role(StrEnum):
    """What somebody may do; each role may do what those before it may."""

    VIEWER = "viewer"
    CI = "ci"
    OPS = "ops"
    ADMIN = "admin"

    def covers(self, other: "Role") -> bool:
        """Whether whoever has this role may do what needs the other."""
        return _ORDER[self] >= _ORDER[other]


_ORDER: Final = {role: place for place, role in enumerate(Role)}


class Caller(NamedTuple):
    """Who sent a request."""

    name: str
    """Of a person or machine; empty for an anonymous caller."""
    role: Role | None
    """None: may do nothing that needs a role."""
    services: tuple[str, ...] | None = None
    """The services, or patterns of them, that a caller of role ci is restricted to."""
    key_id: str | None = None
    """Of the API key that was presented, or that the session was opened with."""
    session_id: str | None = None
    """Of the session, where the caller is a person in a browser."""
    person: str | None = None
    """The person behind the credentials, see `person_id`; None where they don't tell."""

    def may(self, role: Role) -> bool:
        """Whether the caller may do what needs `role`."""
        return self.role is not None and self.role.covers(role)

    def may_claim(self, service: str) -> bool:
        """Whether the caller is not restricted to other services."""
        return self.services is None or glob_pattern(self.services).fullmatch(service) is not None


ANONYMOUS: Final = Caller("", None)
"""Somebody without credentials, before the settings give them a role."""


def person_id(written: str) -> str:
    """Return the form that persons are compared in, whatever the case, spacing and width of letters."""
    # Once more at the end: folding may take letters apart again.
    folded = unicodedata.normalize("NFKC", written).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())
