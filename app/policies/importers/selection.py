"""Selections of services and environments, made from the selectors of a source."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from app.core.errors import MalformedValueError
from app.policies.importers.globs import contains, overlap
from app.yaml.problem import quoted

Field = Literal["services", "environments"]


class Selection(NamedTuple):
    """Services and environments: both must match, each by any of its values; None is any."""

    services: tuple[str, ...] | None = None
    environments: tuple[str, ...] | None = None

    @property
    def is_everything(self) -> bool:
        """Whether it selects every request."""
        return self.services is None and self.environments is None

    def to_selector(self) -> dict[str, Sequence[str]]:
        """Return it as a selector of policies.yaml."""
        fields = {"services": self.services, "environments": self.environments}
        return {field: list(values) for field, values in fields.items() if values is not None}


def select(
    field: str,
    values: Sequence[str],
    mapped: Mapping[str, tuple[Field, str]],
    service: Callable[[str], str] | None = None,
) -> Selection:
    """Return the selection of one list of a source.

    Args:
        field: the name of the list, for `mapped` and for errors.
        values: what the list selects; ``*`` is everything.
        mapped: what a value stands for, by ``field/value``.
        service: turns a value that isn't mapped into a service; None if it can't be one.

    Raises:
        MalformedValueError: a value has no equal.
    """
    if "*" in values:
        return Selection()
    found: dict[Field, list[str]] = {"services": [], "environments": []}
    for value in values:
        target = mapped.get(f"{field}/{value}")
        if target is not None:
            found[target[0]].append(target[1])
        elif service is not None:
            found["services"].append(service(value))
        else:
            raise MalformedValueError(
                f"{field} {quoted(value)} have no equal here; say what they stand for with "
                f"--map '{field}/{value}=environment:NAME' (or =service:NAME)"
            )
    if all(found.values()):
        raise MalformedValueError(f"{field}: some stand for services and some for environments")
    services, environments = (tuple(dict.fromkeys(each)) or None for each in found.values())
    return Selection(services, environments)


def join(selections: Sequence[Selection]) -> Selection:
    """Return the selection of what all of them select.

    Raises:
        MalformedValueError: they have patterns in common only in part, or nothing at all.
    """
    services: tuple[str, ...] | None = None
    environments: tuple[str, ...] | None = None
    for each in selections:
        services = _both(services, each.services)
        environments = _both(environments, each.environments)
    return Selection(services, environments)


def _both(left: tuple[str, ...] | None, right: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if left is None or right is None:
        return left if right is None else right
    found = dict.fromkeys(filter(None, (_narrower(one, other) for one in left for other in right)))
    if not found:
        raise MalformedValueError("its selectors have nothing in common, so it applies to nothing")
    return tuple(found)


def _narrower(one: str, other: str) -> str | None:
    """Return the pattern of the names that match both; None if there are none."""
    if contains(one, other):
        return other
    if contains(other, one):
        return one
    if overlap(one, other):
        raise MalformedValueError(
            f"names that match both {quoted(one)} and {quoted(other)} can't be selected by a pattern"
        )
    return None
