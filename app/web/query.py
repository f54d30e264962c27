"""Parse the query of the dashboard: the fields of its two forms, and the view."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple

from fastapi import Request
from pydantic import BeforeValidator, Field

from app.gate.record import DecisionFilter
from app.server.problems import InvalidFieldsError
from app.server.requests import DurationField, NameField, Strict, query_fields, validated

Section = Literal["page", "ask", "decisions"]

LABELS: Final[Mapping[str, tuple[Section, str]]] = {
    "service": ("ask", "Service"),
    "environment": ("ask", "Environment"),
    "change": ("ask", "Kind of change"),
    "at": ("ask", "When"),
    "duration": ("ask", "Duration"),
    "of_service": ("decisions", "Service"),
    "of_environment": ("decisions", "Environment"),
    "of_outcome": ("decisions", "Outcome"),
}
"""The section and the label of each field."""


def _blank(value: object) -> object:
    """Turn an empty form field into None."""
    return None if value == "" else value


Blank = BeforeValidator(_blank)


class DashboardQuery(Strict):
    """The query parameters of the dashboard."""

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
        """The filter of the listed decisions."""
        return DecisionFilter(self.of_service, self.of_environment, self.of_outcome, once=True)


class FieldError(NamedTuple):
    """An invalid field."""

    section: Section
    """The section of the page that shows the error."""
    text: str


class ParsedQuery(NamedTuple):
    """The valid part of a query, and the errors."""

    query: DashboardQuery
    fields: tuple[tuple[str, str], ...]
    """All fields as given, so that a form keeps its invalid input."""
    errors: tuple[FieldError, ...]

    def errors_in(self, section: Section) -> list[str]:
        """Return the errors to show in a section of the page."""
        return [each.text for each in self.errors if each.section == section]


def parse_query(request: Request) -> ParsedQuery:
    """Parse the query. Invalid and unknown fields become errors; the rest counts, as links get additions."""
    try:
        fields = query_fields(request)
    except InvalidFieldsError as error:
        return ParsedQuery(validated({}, DashboardQuery), (), (_on_address(error),))
    kept = tuple(fields.items())
    try:
        return ParsedQuery(validated(fields, DashboardQuery), kept, ())
    except InvalidFieldsError as error:
        found = error.errors or []
    refused = {each["field"] for each in found}
    valid = {name: value for name, value in kept if name in DashboardQuery.model_fields.keys() - refused}
    errors = tuple(field_error(each["field"], each["message"]) for each in found)
    return ParsedQuery(validated(valid, DashboardQuery), kept, errors)


def field_error(field: str, message: str) -> FieldError:
    """Return the error of a field, with the label of its form."""
    if field not in LABELS:
        return FieldError("page", "The page's address has an unknown parameter, which is ignored.")
    section, label = LABELS[field]
    return FieldError(section, f"{label}: {message}")


def _on_address(error: InvalidFieldsError) -> FieldError:
    [fault] = error.errors or [{"field": "query", "message": "it is malformed"}]
    why = fault["message"] if fault["field"] == "query" else f"{fault['field']} {fault['message']}"
    return FieldError("page", f"The page's address is malformed: {why}.")
