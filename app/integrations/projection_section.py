"""The parts of the integrations file that say what is projected where; each target adds its own names."""

from collections.abc import Iterable
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, Field, StringConstraints

from app.core.policy import NAME_PATTERN
from app.core.url import secure_url
from app.integrations.section import Section
from app.policies.projections.projection import MOST_DAYS

Scoped = TypeVar("Scoped")

MOST_SCOPES: Final = 500
"""Entries of a list; each of them is looked at four times a minute."""

_LONGEST_OWNER: Final = 32


def _address(url: str) -> str:
    return secure_url(url).rstrip("/")


Address = Annotated[str, StringConstraints(max_length=500), AfterValidator(_address), Field(title="URL")]
Name = Annotated[str, StringConstraints(pattern=rf"^{NAME_PATTERN}$"), Field(title="name")]
Owner = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=_LONGEST_OWNER), Field(title="word")
]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=300), Field(title="text")]
Days = Annotated[int, Field(ge=1, le=MOST_DAYS, title="number")]

DAYS: Final = 90
"""Days ahead of windows with a date: a gate that is down for a quarter leaves no gap."""


class ScopeSection(Section):
    """The freezes that are projected to one place."""

    environment: Name = Field(
        "production", description="the environment whose freezes are projected", examples=["staging"]
    )
    service: Name | None = Field(
        None,
        description="the service whose freezes are projected; the environment as a whole if left out",
        examples=["checkout"],
    )


def days_field() -> int:
    """Return the field of a section for the days ahead."""
    value: int = Field(DAYS, description="the days ahead that windows with a date cover", examples=[180])
    return value


def owner_field() -> str:
    """Return the field of a section for the word by which its windows are recognised."""
    value: str = Field(
        "freezegate",
        description="the word by which the windows of this gate are recognised; another one for each gate",
        examples=["gate-eu"],
    )
    return value


def grouped(entries: Iterable[tuple[str, Scoped]]) -> dict[str, list[Scoped]]:
    """Return the scopes of each place, in the order of the file."""
    found: dict[str, list[Scoped]] = {}
    for name, entry in entries:
        found.setdefault(name, []).append(entry)
    return found
