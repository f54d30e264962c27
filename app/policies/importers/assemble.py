"""Turn what an importer returns into the entries of a policy file: ids, zone of the file, valid models."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from app.core.decision_text import one_line
from app.core.errors import MalformedValueError
from app.core.policy import NAME_PATTERN, Effect, Policy
from app.policies.importers.globs import contains
from app.policies.importers.imported import Imported, ImportedPolicy, ImportOptions, Remark

_LONGEST_ID: Final = 56
"""Characters of an id that come from a name; an id has at most 64, and a number may follow."""

_LONGEST_TEXT: Final = 500
"""Characters of a title or reason, as `app.core.policy.Text` limits them."""

_MOST_COMPARED: Final = 50
"""Selectors of a policy that are compared with each other, which takes the square of their number."""

_NOT_OF_ID: Final = re.compile(r"[^a-z0-9]+")
_NAME: Final = re.compile(NAME_PATTERN)
_Selector = Mapping[str, Sequence[str]]
_POLICY: Final[TypeAdapter[Policy]] = TypeAdapter(Policy)


class Entry(NamedTuple):
    """An imported policy as it will be written."""

    source: ImportedPolicy
    mapping: dict[str, Any]
    """Its keys and values as in policies.yaml."""
    policy: Policy


class Assembled(NamedTuple):
    """The entries of a file, and the values that stand above them."""

    timezone: str
    environments: Sequence[str]
    entries: Sequence[Entry]


def assemble(imported: Imported, options: ImportOptions) -> Assembled:
    """Return the entries; a policy that isn't valid is added to `imported.refused`."""
    zones = Counter(policy.timezone for policy in imported.policies)
    home = zones.most_common(1)[0][0] if zones else options.timezone or "UTC"
    environments = _environments(imported.policies, options)
    ids = _Ids()
    entries: list[Entry] = []
    for source in imported.policies:
        placed = replace(source, applies_to=_placed(source.applies_to, environments))
        mapping = _mapping(placed, ids.unique(source.name), home)
        try:
            policy = _POLICY.validate_python(mapping, context={"read": _reader(imported)})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            sentence = first["msg"].removeprefix("Value error, ")
            imported.refused += [Remark(origin, sentence) for origin in source.origins]
        else:
            entries.append(Entry(source, mapping, policy))
    return Assembled(home, environments, entries)


def _reader(imported: Imported) -> Any:
    def read(name: str) -> str:
        if name not in imported.calendars:
            raise MalformedValueError("there is no such calendar")
        return imported.calendars[name]

    return read


def _environments(policies: Iterable[ImportedPolicy], options: ImportOptions) -> list[str]:
    """Return the environments of the file: those of the options and of its selectors.

    A name that isn't valid is left out; the policy that has it will be refused.
    """
    named = [
        name
        for policy in policies
        for selector in (*policy.applies_to, *policy.exempt)
        for name in selector.get("environments", ())
        if _NAME.fullmatch(name)
    ]
    return list(dict.fromkeys([*options.environments, *named]))


def _placed(selectors: Sequence[_Selector], environments: Sequence[str]) -> list[_Selector]:
    """Return selectors that all name environments: those of the file, where the source names none.

    Without them, a policy would apply to the environments that other files of its set add.
    """
    return [
        each if "environments" in each else {**each, "environments": environments}
        for each in selectors or ({},)
    ]


def _mapping(source: ImportedPolicy, policy_id: str, home: str) -> dict[str, Any]:
    return dict(_keys(source, policy_id, home))


def _keys(source: ImportedPolicy, policy_id: str, home: str) -> Iterator[tuple[str, Any]]:
    yield from (("id", policy_id), ("title", _line(source.title)), ("reason", _line(source.reason)))
    if source.effect is not Effect.DENY:
        yield "effect", source.effect.value
    if source.timezone != home:
        yield "timezone", source.timezone
    if source.applies_to:
        yield "applies_to", _selectors(source.applies_to)
    if source.exempt:
        yield "exempt", _selectors(source.exempt)
    yield from source.keys.items()
    yield "when", [dict(window) for window in source.when]
    if source.except_when:
        yield "except_when", [dict(window) for window in source.except_when]


def _selectors(selectors: Sequence[_Selector]) -> list[dict[str, list[str]]]:
    """Return selectors without those that a wider one covers; of equal ones, the first stays."""
    unique: dict[frozenset[tuple[str, frozenset[str]]], dict[str, list[str]]] = {}
    for selector in selectors:
        key = frozenset((name, frozenset(values)) for name, values in selector.items())
        unique.setdefault(key, {name: list(dict.fromkeys(values)) for name, values in selector.items()})
    found = list(unique.values())
    if len(found) > _MOST_COMPARED:
        return found
    for each in tuple(found):
        others = [other for other in found if other is not each]
        if any(_covers(other, each) for other in others):
            found = others
    return found


def _covers(wide: _Selector, narrow: _Selector) -> bool:
    """Return whether one selector selects at least what another does."""
    return all(
        name in narrow and all(any(contains(one, each) for one in values) for each in narrow[name])
        for name, values in wide.items()
    )


def _line(text: str) -> str:
    """Return a text of the source as a line that a policy may show."""
    line = one_line(text).strip()
    return line if len(line) <= _LONGEST_TEXT else f"{line[: _LONGEST_TEXT - 1]}…"


class _Ids:
    """Ids made from names, each given once."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """Return an id for a name; a number follows where another policy has the id already."""
        stem = _NOT_OF_ID.sub("-", name.lower()).strip("-")[:_LONGEST_ID].strip("-") or "imported"
        found = stem
        while found in self._given:
            number = self._next[stem] = self._next.get(stem, 1) + 1
            found = f"{stem}-{number}"
        self._given.add(found)
        return found
