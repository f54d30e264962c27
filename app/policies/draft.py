"""Read and check the files of a set as far as possible: the work behind load and lint."""

import functools
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

from app.core.policy import Policy, PolicySet
from app.policies.calendars.subscription import url_problems
from app.policies.check import check_set, entries
from app.policies.inheritance import inheriting, set_zone
from app.policies.limits import too_large, too_much_work
from app.policies.ownership import Ownership, check_owners
from app.policies.source import Snapshot
from app.policies.validate import MOST_DETAILS, validate
from app.yaml.compose import read_document
from app.yaml.document import Document
from app.yaml.problem import Path, Problem, Severity, bounded, format_path
from app.yaml.translate import NOTHING, translate

_NULL_MEANS: Final = "next_change"
"""The one key whose explicit null has a meaning."""


@dataclass(frozen=True)
class Draft:
    """The content of the files of a set, and all of their problems."""

    documents: Sequence[Document]
    problems: Sequence[Problem]
    """Errors and warnings, in the order of the files."""
    policy_set: PolicySet | None
    """The merged set; None if there is any error."""

    @property
    def errors(self) -> list[Problem]:
        """The problems that are errors, not warnings."""
        return list(filter(_is_error, self.problems))

    def having(self, key: str) -> Iterator[Document]:
        """Return the documents with this top-level key."""
        return (each for each in self.documents if isinstance(each.data, dict) and key in each.data)

    def places(self, key: str) -> Iterator[tuple[Document, Path]]:
        """Yield the position of each entry of a top-level list, over all files in order."""
        for document in self.documents:
            for index in range(len(entries(document, key))):
                yield document, (key, index)


def read_draft(snapshot: Snapshot) -> Draft:
    """Read all files of a set; problems are in the draft, nothing is raised."""
    documents = [read_document(name, text) for name, text in snapshot.policies.items()]
    if excess := list(too_large(documents)):
        return Draft(documents, excess, None)
    parts, problems = _parts(snapshot, documents)
    if not parts or any(map(_is_error, problems)):
        return Draft(documents, problems, None)
    merged = _merge(parts, [document.name for document in documents])
    draft = Draft(documents, problems, merged)
    if excess := list(too_much_work(merged, list(draft.places("policies")))):
        return Draft(documents, in_order([*problems, *excess], documents), None)
    if not merged.policies:
        problems.append(_nothing_frozen(draft))
    return draft


def _parts(snapshot: Snapshot, documents: Sequence[Document]) -> tuple[list[PolicySet], list[Problem]]:
    """Return the valid files of a set, and the problems of all."""
    found = _Found(snapshot, documents)
    sound = [document for document in documents if document.whole]
    somewhere = any(map(_has_policies, sound))
    parts = [_validate(document, snapshot, found, policies_needed=not somewhere) for document in sound]
    found.add(url_problems(documents, snapshot.policies))
    # With a file missing, all names that it defines would seem unknown.
    if len(sound) == len(documents) and not any(map(_is_error, snapshot.problems)):
        found.add(check_owners(documents))
        found.add(check_set(list(documents)))
    problems = bounded(in_order(found.problems, documents), found.more)
    return list(filter(None, parts)), problems


def _has_policies(document: Document) -> bool:
    return isinstance(document.data, dict) and "policies" in document.data


def in_order(problems: Iterable[Problem], documents: Sequence[Document]) -> list[Problem]:
    """Sort problems by file, in the order of the set, and by line."""
    rank = {document.name: index for index, document in enumerate(documents)}
    return sorted(problems, key=lambda each: (rank.get(each.file, -1), each.file, each.line, each.column))


class _Found:
    """The problems found so far: of one path only the first, which is nearest to the cause."""

    def __init__(self, snapshot: Snapshot, documents: Iterable[Document]) -> None:
        self.problems = [*snapshot.problems, *(each for document in documents for each in document.problems)]
        self.more = sum(document.more_problems for document in documents)
        """The least number of problems found that are not in `problems`."""
        self._told = {
            (document.name, format_path(path)) for document in documents for path in document.spoilt
        }

    def add(self, problems: Iterable[Problem]) -> None:
        """Add the problems of one check, up to `MOST_DETAILS`."""
        news = (each for each in problems if (each.file, each.path) not in self._told)
        fresh = list(islice(news, MOST_DETAILS))
        if next(news, None) is not None:
            self.more += 1
        self.problems += fresh
        self._told |= {(each.file, each.path) for each in fresh if each.path}


def _is_error(problem: Problem) -> bool:
    return problem.severity is Severity.ERROR


def _validate(
    document: Document, snapshot: Snapshot, found: _Found, *, policies_needed: bool
) -> PolicySet | None:
    """Validate one file against the models; add its problems to `found`."""
    data = document.data
    if not policies_needed and isinstance(data, dict) and "policies" not in data:
        data = {**data, "policies": []}
    validation = validate(data, snapshot.calendar, snapshot.fetched)
    found.add(translate(document, validation.details))
    found.more += validation.more
    silent = (path for path in document.nulls() if path[-1:] != (_NULL_MEANS,))
    found.add(document.problem(path, NOTHING) for path in silent)
    return validation.part


def _nothing_frozen(draft: Draft) -> Problem:
    document = next(draft.having("policies"))
    return document.problem(("policies",), "nothing is ever frozen: there is no policy", Severity.WARNING)


def _merge(parts: Sequence[PolicySet], names: Sequence[str]) -> PolicySet:
    """Merge the files into one set, and give each policy the values and the reach of its file.

    No other key stands in two files, see `check_set`.
    """
    single = {name: getattr(part, name) for part in parts for name in part.model_fields_set}
    catalogues = [part.services for part in parts if part.services is not None]
    home = set_zone(parts)
    lists: dict[str, Any] = {
        "policies": [],
        "tests": [*chain.from_iterable(part.tests for part in parts)],
        "services": functools.reduce(operator.or_, catalogues) if catalogues else None,
        "timezone": home,
        "defaults": None,
    }
    merged = parts[0].model_copy(update=single | lists)
    return _with_policies(merged, dict(zip(names, parts, strict=True)))


def _with_policies(merged: PolicySet, parts: Mapping[str, PolicySet]) -> PolicySet:
    """Return a merged set with the policies of its files, each with the values and the reach of its file."""
    ownership = Ownership(merged)
    files: dict[str, str] = {}
    policies: list[Policy] = []
    for name, part in parts.items():
        own = [ownership.limited(name, policy) for policy in inheriting(part, merged.timezone)]
        policies += own
        files |= {policy.id: name for policy in own if name in ownership.owners}
    return merged.model_copy(update={"policies": policies}).with_files(files)
