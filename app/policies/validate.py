"""Validate a policy file against the models, entry by entry.

Compiled code validates the models, and no other thread runs until it returns. A running gate loads files
beside its questions, so each policy, test and service is validated in a call of its own. Errors beyond a
limit are counted and not kept: formatting one costs far more than finding it.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from app.core.policy import Name, Policy, PolicySet, SelfTest, Service

MOST_DETAILS: Final = 1_000
"""Errors of a file that are kept; several may be about one value."""

_LISTS: Final[dict[str, TypeAdapter[Any]]] = {"policies": TypeAdapter(Policy), "tests": TypeAdapter(SelfTest)}
_SERVICES: Final[TypeAdapter[dict[str, Service]]] = TypeAdapter(dict[Name, Service])


class Validation(NamedTuple):
    """The result of validating a file."""

    part: PolicySet | None
    """The valid part; None if the file has errors."""
    details: list[ErrorDetails]
    more: int
    """Errors that were only counted."""


def validate(
    data: Any, read: Callable[[str], str], fetched: Callable[[str], str | None] = lambda _: None
) -> Validation:
    """Validate the values of a file.

    Args:
        data: the values.
        read: returns the text of a calendar file by its name.
        fetched: returns the text of a calendar by its URL; None if it was never loaded.
    """
    checking = _Checking({"read": read, "fetched": fetched})
    if not isinstance(data, dict):
        return checking.result(data)
    emptied: dict[str, Any] = {key: type(value)() for key, value in data.items() if _is_sliced(key, value)}
    checking.check(PolicySet.model_validate, {**data, **emptied}, ())
    checked = dict(data)
    for key in emptied.keys() & _LISTS.keys():
        checked[key] = checking.entries(key, data[key])
    if "services" in emptied:
        checked["services"] = checking.services(data["services"])
    return checking.result(checked)


def _is_sliced(key: Any, value: Any) -> bool:
    return isinstance(value, list if key in _LISTS else dict) and (key in _LISTS or key == "services")


class _Checking:
    """The errors of one file."""

    def __init__(self, context: dict[str, Any]) -> None:
        self._context = context
        self._details: list[ErrorDetails] = []
        self._count = 0

    def check(self, validate: Callable[..., Any], value: Any, path: tuple[str | int, ...]) -> Any:
        """Return the validated value; None, with its errors kept, if it is invalid."""
        try:
            return validate(value, context=self._context)
        except ValidationError as error:
            self._count += error.error_count()
            if len(self._details) < MOST_DETAILS:
                found = error.errors(include_url=False, include_input=False)
                room = MOST_DETAILS - len(self._details)
                self._details += [{**detail, "loc": (*path, *detail["loc"])} for detail in found[:room]]
            return None

    def entries(self, key: str, values: list[Any]) -> list[Any]:
        """Return the validated entries of a list."""
        validate = _LISTS[key].validate_python
        return [self.check(validate, entry, (key, index)) for index, entry in enumerate(values)]

    def services(self, values: dict[Any, Any]) -> dict[str, Service]:
        """Return the validated services."""
        found: dict[str, Service] = {}
        for name, service in values.items():
            found |= self.check(_SERVICES.validate_python, {name: service}, ("services",)) or {}
        return found

    def result(self, data: Any) -> Validation:
        """Return the result; the whole file if all of its parts are valid."""
        part = None if self._count else self.check(PolicySet.model_validate, data, ())
        return Validation(part, self._details, self._count - len(self._details))
