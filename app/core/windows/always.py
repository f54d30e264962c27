"""``always: true``: at every instant."""

from pydantic import GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core.core_schema import CoreSchema

from app.core.errors import MalformedValueError
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.wallclock import Wall
from app.core.window import Window


class Always(Window):
    """Open at every instant; with `except_when`, at all times but those."""

    @model_validator(mode="before")
    @classmethod
    def _only_true(cls, value: object) -> object:
        if value is not True:
            raise MalformedValueError("always can only be true; leave the window out instead")
        return {}

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, __: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"const": True, "type": "boolean", "description": "`true`, the only value"}

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:  # noqa: ARG002 - of every zone
        """Return the whole span."""
        return [span]

    def week(self) -> list[Interval]:
        """Return the whole week."""
        return [(0, 7 * DAY)]

    def words(self) -> str:
        """Return ``at all times``."""
        return "at all times"
