"""What the address of the dashboard asks for: two forms and a view."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple

from fastapi import Request
from pydantic import BeforeValidator, Field

from app.gate.record import DecisionFilter
from app.server.problems import InvalidFieldsError
from app.server.requests import DurationField, NameField, Strict, query_fields, validated

Place = Literal["page", "ask", "decisions"]

LABELS: Final[Mapping[str, tuple[Place, str]]] = {
    "service": ("ask", "Service"),
    "environment": ("ask", "Environment"),
    "change": ("ask", "Kind of change"),
    "at": ("ask", "When"),
    "duration": ("ask", "Duration"),
    "of_service": ("decisions", "Service"),
    "of_environment": ("decisions", "Environment"),
    "of_outcome": ("decisions", "Outcome"),
}
"""In which form each field stands, and what it is called there."""


def _blank(value: object) -> object:
    """A field of a form that was left empty is none."""
    return None if value == "" else value


Blank = BeforeValidator(_blank)


class DashboardQuery(Strict):
    """The parameters of the dashboard."""

    wall: str | None = Field(None, max_length=8)
    service: Annotated[NameField | None, Blank] = None
    environment: Annotated[NameField | None, Blank] = None
    change: Annotated[NameField | None, Blank] = None
    at: Annotated[str | None, Blank] = Field(None, max_length=40)
    duration: Annotated[DurationField | None, Blank] = None
    of_service: Annotated[NameField | None, Blank] = None
    of_environment: Annotated[NameField | None, Blank] = None
    of_outcome: Annotated[Literal["allow", "warn", "override", "deny"] | None, Blank] = None

    @property
    def wanted(self) -> DecisionFilter:
        """Which decisions are listed."""
        return DecisionFilter(self.of_service, self.of_environment, self.of_outcome)


class Wrong(NamedTuple):
    """Something that can't be so."""

    place: Place
    """Where on the page it is told."""
    text: str


class Read(NamedTuple):
    """What was asked for."""

    query: DashboardQuery
    """What is right of it."""
    fields: tuple[tuple[str, str], ...]
    """All of it as it stands there: what somebody typed is not taken away because it is wrong."""
    wrong: tuple[Wrong, ...]

    def why_not(self, place: Place) -> list[str]:
        """What is wrong at a place of the page."""
        return [each.text for each in self.wrong if each.place == place]


def read(request: Request) -> Read:
    """Read the query. What is wrong in it is told, and the rest counts: a link has often been added to."""
    try:
        fields = query_fields(request)
    except InvalidFieldsError as error:
        [fault] = error.errors or [{"field": "query", "message": "it is malformed"}]
        why = fault["message"] if fault["field"] == "query" else f"{fault['field']} {fault['message']}"
        return Read(
            validated({}, DashboardQuery), (), (Wrong("page", f"The page's address is malformed: {why}."),)
        )
    kept = tuple(fields.items())
    try:
        return Read(validated(fields, DashboardQuery), kept, ())
    except InvalidFieldsError as error:
        found = error.errors or []
    refused = {each["field"] for each in found}
    right = {name: value for name, value in kept if name in DashboardQuery.model_fields.keys() - refused}
    wrong = tuple(told(each["field"], each["message"]) for each in found)
    return Read(validated(right, DashboardQuery), kept, wrong)


def told(field: str, message: str) -> Wrong:
    """What is wrong with a field, in the words that stand on the form."""
    if field not in LABELS:
        return Wrong("page", "The page's address has an unknown parameter, which is ignored.")
    place, label = LABELS[field]
    return Wrong(place, f"{label}: {message}")
