"""Files of a folder that have owners: the services that each reaches, and the keys that it may have.

A team's file speaks for its own services alone. So its policies are narrowed to them when the files are
merged, and its tests ask its own policies: no team's test holds up a rule of others.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Final

from app.core.policy import Owner, Policy, PolicySet, Selector, glob_pattern
from app.policies.inheritance import OWNERS
from app.policies.vocabulary import Vocabulary
from app.yaml.document import Document
from app.yaml.problem import Path, Problem, Severity, did_you_mean, quoted

_OF_TEAMS: Final = ("version", "timezone", "defaults", "policies", "tests")
"""The keys that a team's file may have; each of them holds for that file alone."""

_FEW: Final = 6
"""Names that a sentence lists."""


class TeamReach:
    """The services that a team's file reaches."""

    def __init__(self, owner: Owner, tagged: Mapping[str, Sequence[str]]) -> None:
        """Take the services that an owner lists, and those of the catalogue that carry its tags.

        Args:
            owner: what `owners` says of the file; not `everything`.
            tagged: the services of the catalogue with each tag.
        """
        self._owner = owner
        own = _pattern(owner.tags)
        carrying = chain.from_iterable(tagged[tag] for tag in tagged if own and own.fullmatch(tag))
        self.services = list(dict.fromkeys([*(owner.services or ()), *carrying]))
        """Names and globs."""
        self._pattern = glob_pattern(self.services)

    def covers(self, name: str) -> bool:
        """Return whether all names that a name or glob matches are reached."""
        # A * can stand for anything, so only a * of the owner's covers it.
        return bool(self.services) and self._pattern.fullmatch(name.replace("*", "\0")) is not None

    def covers_tags(self, tags: Sequence[str]) -> bool:
        """Return whether each of these tags, or globs of tags, is the owner's."""
        own = _pattern(self._owner.tags)
        return own is not None and all(own.fullmatch(tag.replace("*", "\0")) for tag in tags)

    def narrowed(self, policy: Policy) -> Policy:
        """Return a policy that applies to no other services."""
        selectors = [Selector.model_validate({})] if policy.applies_to is None else policy.applies_to
        return policy.model_copy(update={"applies_to": [self._narrowed(each) for each in selectors]})

    def _narrowed(self, selector: Selector) -> Selector:
        """Return a selector of these services; in the owner's own words where they are as good."""
        if selector.services is not None:
            return selector  # `check_owners` refuses names of others
        if self._owner.services is None and selector.tags is None:
            return _with(selector, tags=self._owner.tags)
        if selector.tags is not None and self.covers_tags(selector.tags):
            return selector
        return _with(selector, services=self.services)

    @cached_property
    def in_words(self) -> str:
        """The services in words, for sentences."""
        services, tags = self._owner.services or [], self._owner.tags or []
        words = [listed(services)] if services else []
        return " and ".join([*words, *([f"services tagged {listed(tags)}"] if tags else [])])


class Ownership:
    """The owners of the files of a set."""

    def __init__(self, policy_set: PolicySet) -> None:
        """Resolve the tags of the owners in the catalogue."""
        self.owners: Mapping[str, Owner] = policy_set.owners or {}
        services = (policy_set.services or {}).items()
        tagged = by_tag((name, service.tags) for name, service in services) if self.owners else {}
        self._teams = {
            name: TeamReach(owner, tagged) for name, owner in self.owners.items() if not owner.everything
        }

    def team(self, file: str) -> TeamReach | None:
        """Return the reach of a file; None if it is not a team's."""
        return self._teams.get(file)

    def limited(self, file: str, policy: Policy) -> Policy:
        """Return a policy of a file as its owner may have it: of the team's services, with its contact."""
        if file not in self.owners:
            return policy
        owned = self._teams[file].narrowed(policy) if file in self._teams else policy
        contact = self.owners[file].contact
        return owned if owned.contact or not contact else owned.model_copy(update={"contact": contact})


def by_tag(services: Iterable[tuple[str, Iterable[str]]]) -> dict[str, list[str]]:
    """Return the services with each tag, from the tags of each service."""
    tagged: dict[str, list[str]] = {}
    for name, tags in services:
        for tag in tags:
            tagged.setdefault(tag, []).append(name)
    return tagged


def check_owners(documents: Sequence[Document]) -> Iterator[Problem]:
    """Yield the problems of `owners`, and everything in a team's file that is not the team's to say."""
    main = next((each for each in documents if isinstance(_top(each).get(OWNERS), dict)), None)
    if main is None:
        return
    vocabulary = Vocabulary(map(_top, documents))
    yield from _check_files(main, documents)
    yield from _check_names(main, vocabulary)
    tagged, owners = by_tag(vocabulary.tags_by_service), _top(main)[OWNERS]
    for document in documents:
        if document is main:
            continue
        if document.name not in owners:
            yield _without_owner(document, main)
        elif (owner := _owner_of_team(owners[document.name])) is not None:
            yield from _TeamFile(document, main, TeamReach(owner, tagged)).problems()


def _check_files(main: Document, documents: Sequence[Document]) -> Iterator[Problem]:
    owners = _top(main)[OWNERS]
    unowned = [each.name for each in documents if each.name not in owners and each is not main]
    names = {each.name for each in documents}
    for name in owners:
        path: Path = (OWNERS, name)
        if name == main.name:
            yield main.problem_of_key(path, "this file speaks for the whole company as it is; leave it out")
        elif name not in names:
            sentence = f"there is no file {quoted(name)} in this folder{did_you_mean(name, unowned)}"
            yield main.problem(path, sentence, Severity.WARNING)


def _check_names(main: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    for name, entry in _top(main)[OWNERS].items():
        for field in ("services", "tags"):
            for index, text in _texts(entry, field):
                if fault := _fault(field, text, vocabulary):
                    yield main.problem((OWNERS, name, field, index), fault)


def _fault(field: str, text: str, vocabulary: Vocabulary) -> str | None:
    if field == "tags" and not vocabulary.has_catalogue:
        return "without a catalogue no service has tags: list the services under services, with their tags"
    return vocabulary.fault_of(field, text)


def _without_owner(document: Document, main: Document) -> Problem:
    line = main.place((OWNERS,)).best.line
    entry = f"{document.name}: {{services: […]}}"
    return document.problem(
        (), f"owners has no entry for this file; add {quoted(entry)} in {main.name}, line {line}"
    )


class _TeamFile:
    """The checks of one team's file, on its plain values."""

    def __init__(self, document: Document, main: Document, reach: TeamReach) -> None:
        self._document = document
        self._top = _top(document)
        self._reach = reach
        line = main.place((OWNERS, document.name)).best.line
        self._where = f"{main.name}, line {line}"
        self._main = main

    def problems(self) -> Iterator[Problem]:
        """Yield all of them."""
        for key in self._top.keys() - set(_OF_TEAMS):
            sentence = (
                f"{quoted(key)} speaks for all teams, and this file for one; write it into {self._main.name}"
            )
            yield self._document.problem_of_key((key,), sentence)
        yield from self._on_selectors(("defaults",), self._top.get("defaults"), "applies_to")
        policies = _list(self._top, "policies")
        for index, policy in enumerate(policies):
            for key in ("applies_to", "exempt"):
                yield from self._on_selectors(("policies", index), policy, key)
        own_ids = [each.get("id") for each in policies if isinstance(each, dict)]
        for index, test in enumerate(_list(self._top, "tests")):
            yield from self._on_test(("tests", index), test, own_ids)

    def _on_selectors(self, path: Path, holder: Any, key: str) -> Iterator[Problem]:
        for where, selector in selectors(path, holder, key):
            for number, name in _texts(selector, "services"):
                yield from self._on_service((*where, "services", number), name)

    def _on_service(self, path: Path, name: str) -> Iterator[Problem]:
        if not self._reach.covers(name):
            sentence = (
                f"this file doesn't reach {quoted(name)}; name {self._reach.in_words}, or have it added to "
                f"owners in {self._where}"
            )
            yield self._document.problem(path, sentence)

    def _on_test(self, path: Path, test: Any, own_ids: Sequence[Any]) -> Iterator[Problem]:
        if not isinstance(test, dict):
            return
        if isinstance(service := test.get("service"), str):
            yield from self._on_service((*path, "service"), service)
        for index, policy_id in _texts(test, "by"):
            if policy_id not in own_ids:
                sentence = (
                    f"{quoted(policy_id)} is no policy of this file; the tests of a team's file ask its own "
                    f"policies alone: leave it out, or write the test into {self._main.name}"
                )
                yield self._document.problem((*path, "by", index), sentence)


def _owner_of_team(entry: Any) -> Owner | None:
    """Return an entry of `owners`; None if it reaches everything, or is malformed and reported."""
    try:
        owner = Owner.model_validate(entry)
    except ValueError:
        return None
    return None if owner.everything else owner


def selectors(path: Path, holder: Any, key: str) -> Iterator[tuple[Path, Any]]:
    """Yield the selectors under a key of a policy or of defaults; a single one may be without a list."""
    written = holder.get(key) if isinstance(holder, dict) else None
    if isinstance(written, list):
        yield from (((*path, key, index), each) for index, each in enumerate(written))
    else:
        yield (*path, key), written


def _with(selector: Selector, **fields: Sequence[str] | None) -> Selector:
    return Selector.model_validate(selector.model_dump(exclude_none=True) | fields)


def _pattern(globs: Sequence[str] | None) -> Any:
    return glob_pattern(list(globs)) if globs else None


def listed(names: Sequence[str]) -> str:
    """Return the first of these names in quotes, and how many more there are."""
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(map(quoted, names[:_FEW])) + more


def _top(document: Document) -> dict[str, Any]:
    return document.data if isinstance(document.data, dict) else {}


def _list(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _texts(value: Any, key: str) -> Iterator[tuple[int, str]]:
    return ((index, each) for index, each in enumerate(_list(value, key)) if isinstance(each, str))
