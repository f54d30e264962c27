"""The type and the known keys of a path in a file, read from the models."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from app.yaml.problem import Path


def type_at(root: type[BaseModel], path: Path) -> Any:
    """Return the annotated type of the value at `path` within `root`; None if there is none."""
    here: Any = root
    for part in path:
        here = next(_inside(here, part), None)
        if here is None:
            return None
    return here


def model_at(root: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """Return the model of the mapping at `path`; None if it is not a mapping with fixed keys."""
    for option in _options(type_at(root, path)):
        # A single selector may be written without a list.
        for each in _options(get_args(option)[0]) if get_origin(option) is list else (option,):
            if isinstance(each, type) and issubclass(each, BaseModel):
                return each
    return None


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys of a mapping as written in the file."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _inside(annotation: Any, part: str | int) -> Iterator[Any]:
    """Yield the type of an entry of what `annotation` describes; one selector may stand without its list."""
    for option in _options(annotation):
        origin, arguments = get_origin(option), get_args(option)
        if origin in (list, tuple):
            yield from (arguments[0],) if isinstance(part, int) else _inside(arguments[0], part)
        elif origin is dict:
            yield arguments[1]
        elif isinstance(option, type) and issubclass(option, BaseModel):
            yield from _field(option, part)


def _field(model: type[BaseModel], key: str | int) -> Iterator[Any]:
    for name, field in model.model_fields.items():
        if key == (field.alias or name):
            yield Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _options(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation allows, without metadata."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _options(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for argument in get_args(annotation):
            yield from _options(argument)
    else:
        yield annotation
