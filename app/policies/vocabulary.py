"""The names that a set defines, and the sentence on an unknown one."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final

from pydantic import ValidationError

from app.core.errors import MalformedValueError
from app.core.policy import Ceilings, PolicySet, glob_pattern
from app.core.wallclock import Zone, zone
from app.policies.inheritance import home_file
from app.yaml.problem import MOST_GUESSES, did_you_mean, quoted

_FEW: Final = 8

_GLOB_WORDS: Final = {"services": "name", "tags": "tag"}
"""The fields that may hold globs, each with its word."""

_SENTENCES: Final = {
    "environments": "unknown environment",
    "changes": "unknown kind of change",
    "services": "the catalogue has no service",
    "tags": "no service of the catalogue has the tag",
    "by": "there is no policy",
}


class Vocabulary:
    """The names that a set defines, as far as it can be read; unreadable parts are not checked against."""

    def __init__(self, tops: Iterable[dict[str, Any]]) -> None:
        """Collect the names from the top-level mappings of all files."""
        top: dict[str, Any] = {}
        files = list(tops)
        services: dict[str, Any] = {}
        ids: list[str] = []
        for each in files:
            top.update(each)
            services.update(_mapping(each, "services"))
            ids += _ids(each.get("policies"))
        self.environments = _names(top, "environments")
        self.changes = _names(top, "changes")
        self.has_catalogue = "services" in top
        self.services = services
        self.refuses_unknown = top.get("unknown_services") == "refuse" and self.has_catalogue
        home = home_file(files)
        self._home = zone_of_file({} if home is None else files[home])
        self.ceilings = _ceilings(top)
        tags = chain.from_iterable(_texts(service, "tags") for service in services.values())
        self._known = {
            "environments": self.environments,
            "changes": self.changes,
            "services": dict.fromkeys(services) if self.has_catalogue else None,
            "tags": dict.fromkeys(tags) if self.has_catalogue else None,
            "by": dict.fromkeys(ids),
        }
        self._said: dict[tuple[str, str], str | None] = {}
        self._guesses = 0

    @property
    def tags_by_service(self) -> Iterator[tuple[str, list[str]]]:
        """The services of the catalogue, each with its tags."""
        return ((name, _texts(service, "tags")) for name, service in self.services.items())

    def zone_of(self, file: dict[str, Any]) -> Zone | None:
        """Return the zone of a file's own times; None if it can't be read."""
        return zone_of_file(file) if "timezone" in file else self._home

    def fault_of(self, field: str, name: str) -> str | None:
        """Return the sentence on an unknown name in a field; None if it is known or can't be checked."""
        key = (field, name)
        if key not in self._said:
            known = self._known[field]
            if known is None or name in known:
                self._said[key] = None
            else:
                self._guesses += 1
                self._said[key] = _fault(field, name, known, guess=self._guesses <= MOST_GUESSES)
        return self._said[key]


def _fault(field: str, name: str, known: dict[str, None], *, guess: bool) -> str | None:
    word = _GLOB_WORDS.get(field)
    if "*" in name and word is not None:
        matches = any(map(glob_pattern([name]).fullmatch, known))
        return None if matches else f"no service of the catalogue has a {word} like {quoted(name)}"
    near = did_you_mean(name, known) if guess else ""
    listed = f"; known: {', '.join(known)}" if not near and len(known) <= _FEW else ""
    return f"{_SENTENCES[field]} {quoted(name)}{near or listed}"


def _mapping(top: dict[str, Any], key: str) -> dict[str, Any]:
    value = top.get(key)
    return value if isinstance(value, dict) else {}


def _names(top: dict[str, Any], key: str) -> dict[str, None] | None:
    """Return names as an ordered set, without their settings; None if they can't be read."""
    value = top.get(key, PolicySet.model_fields[key].default)
    if isinstance(value, list | dict) and all(isinstance(name, str) for name in value):
        return dict.fromkeys(value)
    return None


def _ids(policies: Any) -> list[str]:
    found = (
        [policy.get("id") for policy in policies if isinstance(policy, dict)]
        if isinstance(policies, list)
        else []
    )
    return [policy_id for policy_id in found if isinstance(policy_id, str)]


def _texts(value: Any, key: str) -> list[str]:
    found = value.get(key) if isinstance(value, dict) else None
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def zone_of_file(top: dict[str, Any]) -> Zone | None:
    """Return the zone that a file states, or the default; None if it can't be read."""
    name = top.get("timezone", PolicySet.model_fields["timezone"].default)
    try:
        return zone(name) if isinstance(name, str) else None
    except MalformedValueError:
        return None


def _ceilings(top: dict[str, Any]) -> Ceilings | None:
    if "overrides" not in top:
        default: Ceilings = PolicySet.model_fields["overrides"].default
        return default
    return ceilings_of(top["overrides"])


def ceilings_of(value: Any) -> Ceilings | None:
    """Return ceilings as written; None if they can't be read."""
    try:
        return Ceilings.model_validate(value)
    except ValidationError:
        return None
