"""JSON Schema as we publish it: for editors, in the OpenAPI document and in the reference."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema


class UntitledJsonSchema(GenerateJsonSchema):
    """A generator that keeps the order of keys, and makes no titles of field names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - none is titled
        """Return False: only titles that a model states are kept."""
        return False

    def sort(self, value: Any, parent_key: str | None = None) -> Any:  # noqa: ARG002 - as written is in order
        """Return the value as it is, so that examples keep the order in which people write them."""
        return value
